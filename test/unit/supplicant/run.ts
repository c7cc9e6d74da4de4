import t from 'tap'
import { beginAttempt } from '../../../supplicant/attempt.ts'
import { Run } from '../../../supplicant/run.ts'
import { wire } from './wire.ts'

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
