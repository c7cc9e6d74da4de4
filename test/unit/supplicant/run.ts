import t from 'tap'
import { beginAttempt } from '../../../supplicant/attempt.ts'
import { type Connection, SupplicantInterface } from '../../../supplicant/interface.ts'
import type { LinkChange, Links } from '../../../supplicant/links.ts'
import { join } from '../../../supplicant/join.ts'
import { Run } from '../../../supplicant/run.ts'

const INTERFACE = 'fi.w1.wpa_supplicant1.Interface'

function withResolvers() {
  let resolve: (value: unknown[]) => void = () => undefined
  const promise = new Promise<unknown[]>(settle => (resolve = settle))
  return { promise, resolve }
}

/** An interface without a supplicant behind it: what it is told, and the calls it makes. */
function wire(carrier: boolean, driver: 'wired' | 'nl80211' = 'wired') {
  const calls: string[] = []
  let all: Promise<unknown[]> = Promise.resolve([])
  let listener: (change: LinkChange) => void = () => undefined
  let link: LinkChange = { name: 'eth0', carrier, enabled: true, index: 2, gone: false }
  const links: Pick<Links, 'carrier' | 'enabled' | 'on'> = {
    carrier: () => link.carrier,
    enabled: () => link.enabled,
    on: told => {
      listener = told
      return { [Symbol.dispose]: () => undefined }
    },
  }
  const connection: Connection = {
    links: links as Links,
    call: (_path, _name, member) => {
      calls.push(member)
      return member === 'GetAll' ? all : Promise.resolve(member === 'AddNetwork' ? ['/n'] : [])
    },
  }
  const eth0 = new SupplicantInterface({ name: 'eth0', driver }, '/i', connection)
  const signal = (name: string, member: string, body: unknown[]): void => {
    eth0.received({ path: '/i', interface: name, member, body, at: performance.now() })
  }
  return {
    eth0,
    calls,
    plug: () => {
      link = { ...link, carrier: true }
      listener(link)
    },
    /** What is asked for all properties is answered when the function given is called. */
    answering: () => {
      const { promise, resolve } = withResolvers()
      all = promise
      return (properties: object) => resolve([properties])
    },
    added: (path: string) => signal(INTERFACE, 'NetworkAdded', [path, {}]),
    selected: () => signal(INTERFACE, 'NetworkSelected', ['/n']),
    state: (State: string) =>
      signal('org.freedesktop.DBus.Properties', 'PropertiesChanged', [INTERFACE, { State }, []]),
    eap: (status: string, parameter = '') => signal(INTERFACE, 'EAP', [status, parameter]),
    /** EAPLogons that send an EAPOL-Start: those after the last selection. */
    starts: () => calls.slice(calls.lastIndexOf('SelectNetwork')).filter(name => name === 'EAPLogon').length,
  }
}

t.test('an association that was left is not asked to begin EAP, however late it is heard of', async t => {
  const { eth0, plug, selected, state, starts } = wire(false)
  using run = new Run(eth0, '/n', beginAttempt(true), {})
  const over = new AbortController()
  const result = run.result(over.signal)
  plug()
  selected()
  state('associated')
  t.equal(starts(), 0, 'of the selection without a cable')
  state('disconnected')
  selected()
  state('associated')
  t.equal(starts(), 1)
  over.abort(new Error('over'))
  await t.rejects(result, { message: 'over' })
})

t.test('nobody is asked over a cable that is out', async t => {
  const { eth0, plug, selected, state, starts } = wire(false)
  using run = new Run(eth0, '/n', beginAttempt(true), {})
  const over = new AbortController()
  const result = run.result(over.signal)
  selected()
  state('associated')
  t.equal(starts(), 0)
  plug()
  selected()
  state('associated')
  t.equal(starts(), 1)
  over.abort(new Error('over'))
  await t.rejects(result, { message: 'over' })
})

/** EAP is under way, and the join is not wanted any more. */
function unwanted(abandoned: number) {
  const { eap, eth0, calls, selected, state } = wire(true)
  const run = new Run(eth0, '/n', beginAttempt(true, { abandoned }), {})
  const over = new AbortController()
  const result = run.result(over.signal)
  result.catch(() => undefined)
  selected()
  state('associated')
  eap('started')
  over.abort(new Error('over'))
  return { run, result, calls, eap, state }
}

t.test('EAP that has begun on a wire goes on to its end, and a join that succeeds has succeeded', async t => {
  const { run, result, calls, eap, state } = unwanted(60_000)
  using _ = run
  const before = calls.length
  eap('accept proposed method', 'TLS')
  t.same(calls.slice(before), [], 'an authenticator counts logins that are begun and not finished')
  eap('completion', 'success')
  state('completed')
  t.match(await result, { network: '/n', attempt: { outcome: { kind: 'joined' } } })
})

t.test('an EAPOL-Start that has just left is awaited as well, since its login will be counted', async t => {
  const { eap, eth0, calls, selected, state } = wire(true)
  using run = new Run(eth0, '/n', beginAttempt(true), {})
  const over = new AbortController()
  const result = run.result(over.signal)
  selected()
  state('associated')
  over.abort(new Error('over'))
  eap('started')
  eap('completion', 'success')
  state('completed')
  t.match(await result, { attempt: { outcome: { kind: 'joined' } } })
  t.equal(calls.filter(name => name === 'SelectNetwork').length, 1)
})

t.test('but whoever gave it up is told why, when it fails and when it takes too long', async t => {
  const { run: refused, result, eap } = unwanted(60_000)
  using _refused = refused
  eap('completion', 'failure')
  await t.rejects(result, { message: 'over' })
  const { run: slow, result: late, eap: heard } = unwanted(10)
  using _slow = slow
  heard('accept proposed method', 'TLS')
  await t.rejects(late, { message: 'over' })
})

t.test('an access point that lets go in the moment in which it was joined was not joined', async t => {
  const { eap, eth0, calls, selected, state } = wire(true, 'nl80211')
  const result = join(eth0, { id_str: 'x', key_mgmt: 'WPA-EAP', ssid: 'corp', eap: 'TLS' })
  result.catch(() => undefined)
  while (!calls.includes('SelectNetwork')) await new Promise(setImmediate)
  selected()
  state('associated')
  eap('started')
  eap('completion', 'success')
  // Both in what is read from the bus at once: nobody has had a turn in between.
  state('completed')
  state('disconnected')
  await t.rejects(result, { code: 'access-point-lost', attempt: { outcome: { kind: 'failed' } } })
})

t.test(
  'a signal that was read from the bus together with the answer before it is not undone by that',
  async t => {
    const { eth0, answering, added, state } = wire(true)
    const answer = answering()
    const reading = eth0.networks()
    answer({ State: 'disconnected', Networks: ['/a'], CurrentNetwork: '/' })
    state('completed')
    added('/b')
    t.same(
      (await reading).map(({ path }) => path),
      ['/a', '/b'],
    )
    t.equal(eth0.state, 'completed')
  },
)
