/** Several operators at once, on a broker set up as config/mosquitto/ says: nothing of one is lost by another, and no account but a sensor's is touched. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { plain } from '../../unit/desired/documents.ts'
import { fleet } from './console.ts'
import { grantOperator, guarded, password } from './guarded.ts'
import { operator } from './operator.ts'
import { arrived, sensor, standing, told, until } from './sensor.ts'
import { authority } from './tls.ts'

interface DynamicSecurity {
  clients: { username: string; roles?: { rolename: string }[] }[]
  roles: { rolename: string; acls: { topic: string }[] }[]
}

t.test('many operators at once, by the dynamic-security plugin', async t => {
  const folder = t.testdir({ one: {} })
  await using place = await guarded(folder)
  const operate = (line: string) => fleet(place.url, line, place.operator)
  const ok = async (line: string) => {
    const result = await operate(line)
    t.equal(result.code, 0, `${line}: ${result.err}`)
    return result
  }
  await grantOperator(place)
  const login = { username: 'operator', password, ca: place.authority.caPem }
  await using boss = await operator(place.url, [], { ...login, clientId: 'boss' })
  const mayHave = async (rolename: string, topic: string) => {
    const acls = ['subscribePattern', 'publishClientSend', 'publishClientReceive'].map(acltype => ({
      ...{ acltype, topic, priority: 0, allow: true },
    }))
    const commands = [
      { command: 'createRole', rolename, acls },
      { command: 'addClientRole', username: 'operator', rolename },
    ]
    await boss.publish('$CONTROL/dynamic-security/v1', { commands })
  }
  const profiles = async (prefix: string, ...ids: string[]) => {
    for (const id of ids) await boss.publish(`${prefix}/networks/${id}`, plain, { retain: true })
  }
  const rights = async () => {
    const text = await readFile(join(folder, 'dynsec.json'), 'utf8')
    const { clients, roles } = JSON.parse(text) as DynamicSecurity
    return {
      of: (id: string) =>
        clients
          .find(({ username }) => username === id)
          ?.roles?.map(({ rolename }) => rolename)
          .sort(),
      topics: (role: string) =>
        roles.find(({ rolename }) => rolename === role)?.acls.map(({ topic }) => topic),
    }
  }

  await t.test('whose login is off is told what to look at', async t => {
    const stranger = await authority(join(folder, 'stranger'))
    const { certificate } = await stranger.issue('x', 'DNS:x')
    const key = join(folder, 'stranger', 'ca.key')
    const { environment = {} } = place.operator
    const cases: [string, string, Record<string, string>, number, RegExp][] = [
      ['list', place.url, { SONDE_BROKER_PASSWORD: 'x' }, 3, /Not authorized\n {2}look at --user/],
      [
        'list',
        place.url,
        { SONDE_BROKER_CA: stranger.ca },
        3,
        /certificate.*\n {2}give the CA of the broker/,
      ],
      ['list', place.url.replace('mqtts', 'mqtt'), {}, 3, /\n {2}.*a listener with TLS needs mqtts:/],
      ['list', place.byCertificate, {}, 3, /certificate required\n {2}give a client certificate/],
      ['list', place.url, { SONDE_BROKER_CA: '/none' }, 2, /\/none cannot be read: there is none/],
      [`list --certificate ${certificate}`, place.url, {}, 2, /go together/],
      [
        `list --certificate ${certificate} --certificate-key ${key}`,
        place.url,
        {},
        2,
        /cannot be used: key values/,
      ],
    ]
    for (const [line, url, other, code, err] of cases)
      t.match(
        await fleet(url, line, { environment: { ...environment, ...other } }),
        { code, err },
        String(err),
      )
  })

  await t.test('the account of a person is not taken for a sensor', async t => {
    for (const action of ['add', 'remove']) {
      const result = await operate(`sensor ${action} operator`)
      t.match(result, { code: 1, err: /operator is an account .* no sensor: it has admin, fleet\n/ }, action)
    }
    t.same((await rights()).of('operator'), ['admin', 'fleet'])
    t.equal((await operate('list')).code, 0, 'it still may')
  })

  await t.test('everybody gets the answer to what was asked', async t => {
    const ids = ['s1', 's2', 's3', 's4']
    const added = await Promise.all(ids.map(id => operate(`sensor add ${id} --json`)))
    for (const [i, id] of ids.entries()) {
      t.match(added[i], { code: 0, err: '' }, id)
      t.same((await rights()).of(id), [`sensor-${id}`])
    }
  })

  await profiles('sonde', 'a', 'b', 'c', 'd', 'e', 'onboarding')
  const added = await ok('sensor add one --json')
  await using one = await sensor({
    ...{ directory: join(folder, 'one'), url: place.url, ca: place.authority.caPem, name: 'one' },
    ...{ username: 'one', password: (added.json() as { password: string }).password },
  })
  await arrived(one)
  const tested = () => one.state.view.desired.tested.map(({ id }) => id).sort()
  const all = ['a', 'b', 'c', 'd']

  await t.test('every change to one sensor is made, whoever publishes last', async t => {
    const changes = await Promise.all(all.map(id => operate(`assign one ${id} --wait 20`)))
    for (const [i, change] of changes.entries()) t.match(change, { code: 0, err: '' }, all[i] ?? '')
    t.same(tested(), all)
    await until(
      () => one.state.view.problems.length === 0,
      5000,
      () => standing(one),
    )
    const assignments = one.state.view.desired.tested.map(({ assignment }) => assignment)
    const back = await Promise.all(['c', 'd'].map(id => operate(`unassign one ${id} --wait 20`)))
    for (const change of back) t.match(change, { code: 0, err: '' })
    t.same(tested(), ['a', 'b'])
    for (const { assignment } of one.state.view.desired.tested)
      t.ok(assignments.includes(assignment), 'and no other is enrolled afresh')
    t.same((await rights()).of('one'), ['network-a', 'network-b', 'sensor-one'])
  })

  await t.test('also where nobody waits for a sensor that is away', async t => {
    const manner = ['--name Lobby', '--test-every 60', '--target ping:gw']
    await Promise.all([...all, ...manner].map(what => ok(`assign s1 ${what} --wait 0`)))
    const [{ desired }] = (await ok('list --json')).json() as [
      { desired: { networks: { network: string }[] } },
    ]
    t.same(desired.networks.map(({ network }) => network).sort(), ['a', 'b'], 'of one')
    const shown = (await ok('show s1 --json')).json() as typeof desired & { desired: typeof desired }
    t.same(shown.desired.networks.map(({ network }) => network).sort(), all)
    const targets = [{ probe: 'ping', host: 'gw' }]
    t.match(shown.desired, { name: 'Lobby', testEvery: 60, targets }, 'and what is said beside them')
    t.same((await rights()).of('s1'), [...all.map(id => `network-${id}`), 'sensor-s1'])
  })

  await t.test('what does not fit beside the change of another is refused, and the other stays', async t => {
    await ok('unassign s1 a --wait 0')
    const both = await Promise.all(['a', 'e'].map(id => operate(`assign s1 ${id} --wait 0`)))
    t.same(both.map(({ code }) => code).sort(), [0, 1], both.map(({ err }) => err).join())
    const wins = both[0]?.code === 0 ? 'a' : 'e'
    const shown = (await ok('show s1 --json')).json() as { desired: { networks: { network: string }[] } }
    t.same(shown.desired.networks.map(({ network }) => network).sort(), ['b', 'c', 'd', wins].sort())
  })

  await t.test('a network that is gone takes the right to its enrollment network along', async t => {
    const scep = '--method TLS --enrollment-network onboarding --url http://ndes.example.org/scep'
    await ok(`network add corp ${scep}`)
    await ok('assign s2 corp --wait 0')
    t.same((await rights()).of('s2'), ['network-corp', 'network-onboarding', 'sensor-s2'])
    await ok('network remove corp --force')
    await ok('unassign s2 corp --wait 0')
    t.same((await rights()).of('s2'), ['sensor-s2'])
  })

  await t.test('fleets of two prefixes share a broker', async t => {
    await mayHave('lab', 'lab/#')
    await profiles('lab', 'a')
    await ok('sensor add third --prefix lab')
    await ok('assign third a --prefix lab --wait 0')
    const { of, topics } = await rights()
    t.same(of('third'), ['lab/network-a', 'lab/sensor-third'])
    t.match(topics('lab/network-a'), ['lab/networks/a', 'lab/networks/a'])
    t.match(topics('network-a'), ['sonde/networks/a', 'sonde/networks/a'])
  })

  await t.test('a sensor does not get a network by saying that it tests it', async t => {
    const applied = { state: 'x', desired: { version: 999, epoch: 0, sha256: '0'.repeat(64) }, networks: {} }
    const says = (...ids: string[]) => {
      const network = { phase: 'joined', role: 'tested', assignment: 'x' }
      one.facts = { applied, networks: Object.fromEntries(ids.map(id => [id, network])) }
      return told(one)
    }
    await says('a', 'c\u001b[31m')
    t.match(await operate('assign one b --wait 2'), { code: 1, err: /no right|cannot be used/ })
    await says('a', 'c')
    t.match(await operate('assign one b --wait 2'), {
      code: 1,
      err: /one says that it tests c, and has no right/,
    })
    t.same((await rights()).of('one'), ['network-a', 'network-b', 'sensor-one'])
    one.facts = {}
    await told(one)
  })

  await t.test('a sensor that is removed while it is connected leaves nothing behind', async t => {
    t.match(await ok('sensor remove one --json'), { out: /^\{"sensor":"one","removed":true/ })
    await until(() => one.link.status.state !== 'connected')
    t.match((await ok('list --json')).json(), [{ id: 's1' }])
  })
})
