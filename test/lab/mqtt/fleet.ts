/** The operator's command line on a real broker, with sensors that are real but for their networks. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { pem } from '../../unit/desired/documents.ts'
import { fleet, type ConsoleOptions } from './console.ts'
import { freePort } from '../free-port.ts'
import { onEveryBroker } from './brokers.ts'
import { operator } from './operator.ts'
import { arrived, sensor, told, until, type Sensor } from './sensor.ts'
import { shown } from './shown.ts'

const url = 'http://ndes.example.org/certsrv/mscep/mscep.dll/pkiclient.exe?'
const corpFlags = `--interface wired --alias Corp --method TLS --enrollment-network onboarding --url ${url} --challenge-password hush --common-name {serial} --alternative-name dns:{name} --encryption AES-128 --signature SHA-256 --key rsa-2048 --renewal 30d --wait 20`

onEveryBroker('a fleet of three, from nothing to certificates', async (t, broker, protocol) => {
  const directory = t.testdir({ s1: {}, s2: {}, s3: {} })
  const ids = ['s1', 's2', 's3'] as const
  const sensors: Sensor[] = []
  for (const name of ids) {
    const self = await sensor({
      directory: join(directory, name),
      ...{ url: broker.url, name, protocol },
      onCommand: ({ payload }) => {
        const { id, command } = JSON.parse(payload.toString()) as { id: string; command: string }
        self.link.reply({
          payload: JSON.stringify({
            schema: 1,
            id,
            command,
            at: new Date().toISOString(),
            outcome: 'done',
            text: 'tested',
          }),
        })
      },
    })
    await arrived(self)
    sensors.push(self)
  }
  const run = (line: string | readonly string[], more: ConsoleOptions = {}) => fleet(broker.url, line, more)

  await t.test(
    'a SCEP network without its enrollment network is refused, naming it (S2-06, S2-10)',
    async t => {
      const result = await run(`network add corp ${corpFlags}`)
      t.match(result, {
        code: 1,
        err: /corp enrols over onboarding, and there is no such network\n.*network add onboarding/,
      })
    },
  )

  await t.test('Add Network by questions, wrong answers asked again (S2-08, S2-14..18)', async t => {
    const file = join(directory, 'ca.pem')
    await writeFile(file, pem)
    const first = ['wired', 'Onboarding', 'FAST', 'PEAP', 'setup', 'welcome-in', '', '', 'no']
    const answers = [...first, 'yes', '', '', '', '', '', '', '/nowhere', file]
    const result = await run('network add onboarding', { answers })
    t.equal(result.code, 0, result.err)
    t.match(result.err, /is none of "TLS", "PEAP", "TTLS"/)
    t.match(result.err, /\/nowhere cannot be read/)
    t.match(result.err, /eap.serverCa: is missing.*\nEdit it again/, 'a whole that cannot be used, too')
    t.match(result.out, 'onboarding is published')
  })

  await t.test('Add Network by flags (S2-20..49)', async t => {
    t.match(await run(`network add corp ${corpFlags}`), { code: 0 })
    t.match(await run(`network add corp ${corpFlags}`), { code: 1, err: /there is a network corp already/ })
    const shown = await run('network show corp')
    t.match(shown.json(), {
      alias: 'Corp',
      scep: { url, key: 'rsa-2048', renewal: { daysBeforeExpiry: 30 } },
    })
    t.notMatch(shown.out, 'hush')
    t.match(await run('network list'), { out: /corp +Corp +wired +TLS +onboarding +0/ })
    t.match(await run(['network', 'add', 'bad', '--method', 'TLS', '--url', 'ftp://x']), {
      code: 1,
      err: /scep.enrollmentNetwork \(--enrollment-network\): is missing\n.*scep.url \(--url\): not an http/s,
    })
  })

  await t.test(
    'assign: the version counts up, every assignment has an id, and the sensors have it (S2-03, S2-04)',
    async t => {
      const result = await run('assign --sensors s* corp --json --wait 20')
      t.match(result.json(), { versions: { s1: 1, s2: 1, s3: 1 }, applied: ids, refused: [], missing: [] })
      const assignments = sensors.map(({ state }) => state.view.desired.tested[0]?.assignment)
      t.equal(new Set(assignments).size, 3)
      t.match(await run('list', { columns: 80 }), { out: /s1 +online +1 +corp +joined/ })
    },
  )

  await t.test('a changed challenge password is one message to all (S2-58, S2-71, S2-72)', async t => {
    const file = join(directory, 'password')
    await writeFile(file, 'hush-2\n')
    const result = await run(`network edit corp --challenge-password-file ${file} --wait 20`, { columns: 80 })
    t.match(result, { code: 0, out: /3 of 3 sensors have it in force/, err: /3 of 3 applied\n$/ })
    for (const { state } of sensors)
      t.equal(state.view.desired.tested[0]?.profile.scep?.challengePassword, 'hush-2')
  })

  await t.test('a changed enrollment network is followed to those who enrol over it', async t => {
    const result = await run('network edit onboarding --alias First --wait 20')
    t.match(result, { code: 0, out: /3 of 3 sensors have it in force/ })
  })

  await t.test('at most four networks are tested (S2-75, S2-76)', async t => {
    for (const id of ['a', 'b', 'c', 'd'])
      t.equal((await run(`network add ${id} --interface wired --wait 0`)).code, 0)
    t.match(await run('assign s1 a b c --wait 20'), { code: 0 })
    t.match(await run('assign s1 d --wait 20'), { code: 1, err: /would test 5 networks; at most 4/ })
    t.match(await run('unassign s1 a b c --wait 20'), { code: 0 })
  })

  await t.test('removed and added again is another assignment (S2-67..70)', async t => {
    const assignment = () => sensors[0]?.state.view.desired.tested[0]?.assignment
    const before = assignment()
    t.match(await run('unassign s1 corp --wait 20'), { code: 0 })
    t.equal(assignment(), undefined, 'gone in seconds (S2-68)')
    t.match(await run('assign s1 corp --wait 20'), { code: 0 })
    t.not(assignment(), before)
    t.match(await run('assign --sensors s1,s3 onboarding --wait 20'), { code: 0, out: /2 of 2 sensors/ })
    const off = await run('unassign --sensors s* onboarding --wait 20')
    t.match(off, { code: 0, out: /2 of 2 sensors/ }, 'of many, those that test it')
    t.match(await run('unassign --sensors s* a'), { code: 1, err: /none of these sensors tests a/ })
    t.match(await run('assign --sensors x* corp'), { code: 1, err: /no sensor is called x\*/ })
  })

  await t.test('what the broker lost of a sensor is taken from its report, and wipes nothing', async t => {
    const [one] = sensors
    const assigned = () => one?.state.view.desired.tested.map(({ id, assignment }) => [id, assignment]) ?? []
    const before = assigned()
    t.match(before, [['corp', /./]])
    await using console = await operator(broker.url, [])
    const lost: [string, unknown][] = [
      ['gone', undefined],
      ['unreadable', 'x'],
      ['of an old backup', { schema: 1, version: 1, networks: [] }],
    ]
    for (const [what, document] of lost) {
      await console.publish('sonde/sensors/s1/desired', document, { retain: true })
      t.match(await run('assign s1 onboarding --wait 20'), { code: 0 }, what)
      t.same(assigned().slice(0, 1), before, `${what}: the same assignment`)
      t.equal(assigned().length, 2)
      await console.publish('sonde/sensors/s1/desired', document, { retain: true })
      t.match(await run('unassign s1 onboarding --wait 20'), { code: 0 })
      t.same(assigned(), before)
    }
  })

  await t.test('name, pace and a new epoch are set without a word of the networks', async t => {
    const [one] = sensors
    const before = one?.state.view.desired.tested.map(({ assignment }) => assignment)
    t.match(await run('assign s1 --name Lobby --test-every 60 --new-epoch --wait 20'), { code: 0 })
    t.match(one?.state.view.desired, { name: 'Lobby', testEvery: 60, version: 1 })
    t.match(one?.state.view.applied.desired, { version: 1, epoch: 1 })
    t.same(
      one?.state.view.desired.tested.map(({ assignment }) => assignment),
      before,
    )
    t.match(await run('assign s1 --name= --test-every= --wait 20'), { code: 0 }, 'and taken out again')
    t.match(one?.state.view.desired, { name: '', testEvery: 300, version: 2 })
    const bad = await run('assign s1 --test-every soon')
    t.match(bad, { code: 1, err: /testEvery: / })
  })

  await t.test('a network in use is not taken away', async t => {
    t.match(await run('network remove onboarding'), { code: 1, err: /used by network corp/ })
    t.match(await run('network remove corp'), { code: 1, err: /used by sensor s1, sensor s2, sensor s3/ })
    t.match(await run('network remove a'), { code: 0 })
  })

  await t.test('problems, triage and certificates (S2-13, S2-61, S2-66)', t => shown(t, run, sensors))

  await t.test('commands are answered', async t => {
    t.match(await run('command s1 renew corp --wait 20'), { code: 0, out: 'done: tested\n' })
    const all = await run('command --sensors s* test corp --wait 20')
    t.match(all, { code: 0, out: /^(s[123]: done: tested\n){3}$/ })
    t.match(await run('command --sensors s1,s9 test corp --wait 0.5 --json'), {
      ...{ code: 1, out: /"s1": \{[^]*"missing": \[\n +"s9"/ },
      err: /s9 has not answered within 0.5 s/,
    })
    t.match(await run('command s1 renw corp'), { code: 2, err: /did you mean renew/ })
    t.match(await run('command s1 renew'), { code: 2, err: /renew needs a network/ })
    t.match(await run('command s9 test --wait 0.2'), { code: 1, err: /has not answered within 0.2 s/ })
  })

  await t.test('events are watched as they come', async t => {
    const stop = new AbortController()
    let seen = ''
    const watching = run('watch s2 --json', { signal: stop.signal, hear: text => (seen ||= text) })
    // Nobody knows when it listens: something happens until it is seen.
    await until(() => {
      if (sensors[1]?.outbox.size === 0 && seen === '') sensors[1].say('something happened')
      return seen !== ''
    })
    stop.abort()
    await watching
    t.match(JSON.parse(seen.split('\n')[0] ?? ''), { sensor: 's2', message: { text: 'something happened' } })
  })

  await t.test('export holds no secret unless asked, and import keeps those that are there', async t => {
    const file = join(directory, 'export.json')
    const exported = await run('export')
    t.notMatch(exported.out, /hush|welcome-in/)
    await writeFile(file, exported.out)
    t.match(await run(`import ${file}`), { code: 0, out: /networks and 3 sensor documents are published/ })
    t.match((await run('export --secrets')).out, /hush-2/)
    await until(() =>
      sensors.every(
        ({ state }) => state.view.desired.tested[0]?.profile.scep?.challengePassword === 'hush-2',
      ),
    )
    await writeFile(file, (await readFile(file, 'utf8')).replace('"TLS"', '"TLZ"'))
    t.match(await run(`import ${file}`), { code: 1, err: /nothing is published.*networks.corp.eap.method/s })
  })

  await t.test('a sensor that cannot read a document is not given it', async t => {
    const [one] = sensors
    if (one) one.facts = { schemas: { network: [2], sensor: [2] } }
    await Promise.all(sensors.map(told))
    t.match(await run('network edit corp --alias X'), { code: 1, err: /do not read schema 1.*: s1/ })
    t.match(await run('assign s1 b'), { code: 1, err: /s1 does not read schema 1 of sensor documents/ })
  })
  for (const self of sensors) await self[Symbol.asyncDispose]()
})

t.test('exit codes: 2 for words that are off, 3 for a broker that is not reached', async t => {
  const nowhere = `mqtt://127.0.0.1:${await freePort()}`
  const cases: [string, number, RegExp][] = [
    ['list', 3, /is not reached: .*ECONNREFUSED/],
    ['lst', 2, /there is no command lst\n {2}did you mean list\?/],
    ['list --jsn', 2, /there is no flag --jsn\n {2}did you mean --json\?/],
    ['list --broker http://x', 2, /not mqtt:\/\//],
  ]
  for (const [line, code, err] of cases) t.match(await fleet(nowhere, line), { code, err }, line)
  t.match(await fleet(nowhere, '--help'), { code: 0, out: /network add\|edit\|remove/ })
})
