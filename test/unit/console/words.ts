/** Words of the operator's command line, before any broker is asked. */
import t from 'tap'
import { runFleetCommand } from '../../../console/command.ts'
import { fields, withFlags } from '../../../console/fields.ts'
import { readJson } from '../../../console/json.ts'
import type { FleetSensor } from '../../../console/fleet.ts'
import { problemsOf } from '../../../console/problems.ts'
import { adMapping } from '../../../console/sensors.ts'
import { table } from '../../../console/table.ts'
import { Timelines } from '../../../console/timelines.ts'
import { targetsOf } from '../../../console/targets.ts'
import { ask } from '../../../console/wizard.ts'
import { parseNetworkProfile, parseSensorDocument } from '../../../agent/desired/parse.ts'
import { fieldsOf, schemaOf } from '../../documents/schemas.ts'
import { but, bytes, corp, sensor } from '../desired/documents.ts'

const nobody = {
  ...{ out: () => undefined, environment: {}, colour: false },
  signal: AbortSignal.timeout(60_000),
}

/** Nobody listens where it would ask: what is wrong with the words is said before. */
const fleet = async (line: string) => {
  let err = ''
  const code = await runFleetCommand(line.split(' '), {
    out: () => undefined,
    err: text => (err += text),
    environment: { SONDE_BROKER: 'mqtt://127.0.0.1:1' },
    colour: false,
    signal: AbortSignal.timeout(5000),
  })
  return { code, err }
}

t.test('every field of a network profile has a flag', t => {
  const flagged = fields.map(({ path }) => path)
  const paths = fieldsOf(schemaOf('network')).map(({ path }) => path)
  const leaves = paths.filter(path => path !== 'schema' && !paths.some(other => other.startsWith(`${path}.`)))
  const bare = leaves.filter(path => !flagged.some(flag => path === flag || path.startsWith(`${flag}.`)))
  t.same(bare, [])
  t.end()
})

t.test('flags become the profile, each value of its own kind', async t => {
  const values = {
    'enrollment-network-after': '48',
    'reenroll-after-expiry': 'yes',
    frequency: ['2412', '5180'],
    'tls-maximum': '1.3',
    'poll-every': '30',
  }
  const made = await withFlags(corp, values)
  t.match(made, {
    wireless: { frequencies: [2412, 5180] },
    eap: { tlsMaximum: '1.3' },
    scep: {
      ladder: { enrollmentNetworkAfterHours: 48, reenrollAfterExpiry: true },
      polling: { every: 30 },
    },
  })
  t.same(parseNetworkProfile(bytes(but(made, 'wireless', undefined)), 'corp').ok, true)
  const off = await withFlags(made, { 'enrollment-network-after': '', 'reenroll-after-expiry': '' })
  t.equal((off['scep'] as { ladder?: unknown }).ladder, undefined, 'an empty value takes it out')
  t.match(await withFlags({ enabled: true }, { enabled: 'no' }), { enabled: false })
  await t.rejects(withFlags(corp, { enabled: 'yse' }), { message: '--enabled yse: not yes or no', exit: 2 })
  const hours = parseNetworkProfile(
    bytes(await withFlags(corp, { 'enrollment-network-after': 'two' })),
    'corp',
  )
  t.match(hours, {
    problems: [{ path: 'scep.ladder.enrollmentNetworkAfterHours', message: 'is not a number' }],
  })
})

t.test('what a test tries to reach, by --target', t => {
  const target = ['ping:gw.example.org', 'dns:example.org', 'tcp:10.0.0.1:443', 'https://example.org/x?y']
  const targets = targetsOf({ target })
  t.same(targets, [
    { probe: 'ping', host: 'gw.example.org' },
    { probe: 'dns', name: 'example.org' },
    { probe: 'tcp', host: '10.0.0.1', port: 443 },
    { probe: 'http', url: 'https://example.org/x?y' },
  ])
  t.equal(parseSensorDocument(bytes({ ...sensor(1), targets })).ok, true)
  t.same(targetsOf({ target: [''] }), [], 'none any more')
  t.equal(targetsOf({}), undefined, 'not a word of them')
  for (const odd of ['example.org', 'tcp:host', 'ping:', 'ftp://x/', 'udp:h:1'])
    t.throws(() => targetsOf({ target: [odd] }), { message: `--target ${odd}: not `, exit: 2 }, odd)
  const secret = { ...sensor(1), targets: targetsOf({ target: ['http://user:hush@example.org/'] }) }
  const refused = JSON.stringify(parseSensorDocument(bytes(secret)))
  t.match(refused, /targets\[0\]\.url","message":"holds a user or a password/)
  t.notMatch(refused, 'hush')
  t.end()
})

t.test('words that a command would pass over are refused', async t => {
  const cases: [string, RegExp][] = [
    ['list lobby', /list does not take lobby\n {2}sonde fleet list/],
    ['problems lobby', /problems does not take lobby/],
    ['network remove a b', /network does not take b\n/],
    ['network edit corp --name Corp', /network takes no --name\n {2}it belongs to assign/],
    ['assign s1 corp --alias X', /assign takes no --alias\n {2}it belongs to network/],
    ['list --secrets', /list takes no --secrets\n {2}it belongs to network, export/],
    ['import a b', /import does not take b/],
    ['command s1 test a b', /command does not take b/],
    ['list --wait soon', /--wait soon: not a number of seconds, 0 to 604800/],
    ['list --wait=', /--wait : not a number/],
    ['list --wait 9999999', /not a number of seconds/],
    ['list --broker mqtts://me:hush@b/x', /--broker mqtts:\/\/…@b\/x: not mqtt/],
  ]
  for (const [line, err] of cases) t.match(await fleet(line), { code: 2, err }, line)
  t.match(await fleet('list'), { code: 3 })
})

t.test('tables are as wide as the terminal draws them, and ids are whole', t => {
  const id = 'the-sensor-by-the-wall'
  const rows = [
    [id, 'Büro', 'x'],
    [id, 'Bu\u0308ro', 'x'],
    [id, '本社 3F', 'x'],
    [id, '가나다라마바사', 'x'],
    ['y'.repeat(100), '', ''],
  ]
  const lines = (columns: number | undefined) =>
    table(['SENSOR', 'NAME', 'N'], rows, { columns, colour: false })
      .split('\n')
      .map(line => line.replace(new RegExp(`^${id} {44}`), ''))
  t.same(lines(undefined).slice(1, 4), [`Büro${gap(10)}x`, `Bu\u0308ro${gap(10)}x`, `本社 3F${gap(7)}x`])
  t.same(lines(40).slice(3, 5), [`本社 3F${gap(1)}x`, '가나다…   x'], 'no letter is cut in two')
  t.match(lines(40)[5], /^y{63}…/, 'nor is any longer than an id')
  t.end()
})

/** After a cell, and between columns. */
const gap = (spaces: number) => ' '.repeat(spaces + 2)

t.test('S2-15: the questions for an interface that is named ask for its radio, too', async t => {
  const asked = async (said: Record<string, string>) => {
    const questions: string[] = []
    const answer = (question: string) => {
      questions.push(question)
      return Promise.resolve(Object.entries(said).find(([start]) => question.startsWith(start))?.[1] ?? '')
    }
    const io = { ...nobody, ask: answer, err: (text: string) => questions.push(text) }
    const document = await ask(io, 'guest', { schema: 1 }, { networks: undefined, check: () => undefined })
    return { document, questions }
  }
  const radio = await asked({ Interface: 'wlan1', SSID: 'guest', Security: 'open' })
  t.same(radio.document, { schema: 1, interface: 'wlan1', wireless: { ssid: 'guest', security: 'open' } })
  const cable = await asked({ Interface: 'eth1' })
  t.same(cable.document, { schema: 1, interface: 'eth1' })
  t.notOk(cable.questions.some(question => question.startsWith('Security')))
})

t.test('what a sensor in the wrong hands writes is read in no time, or not at all', t => {
  const cases: [string, unknown][] = [
    ['{"a":["b","\\"}]"]}', { a: ['b', '"}]'] }],
    [`"${'a'.repeat(100_000)}`, undefined],
    [`"${'\\'.repeat(99_999)}`, undefined],
    [`${'['.repeat(101)}${']'.repeat(101)}`, undefined],
    [`"${'['.repeat(500)}"`, '['.repeat(500)],
    [JSON.stringify(Array(600_000).fill(1)), undefined],
  ]
  for (const [text, value] of cases) t.same(readJson(Buffer.from(text)), value, text.slice(0, 20))
  t.end()
})

t.test('S2-13: an issuer is written as Windows writes it', t => {
  const cases: [issuer: string, mapped: string][] = [
    ['DC=com, DC=contoso, CN=CONTOSO-DC-CA', 'DC=com,DC=contoso,CN=CONTOSO-DC-CA'],
    ['C=US, ST=Texas, O=Acme\\, Inc., CN=x', 'C=US,S=Texas,O="Acme, Inc.",CN=x'],
    ['O=a \\"b\\" \\+ c, emailAddress=a@b', 'O="a ""b"" + c",E=a@b'],
    ['CN=one, two', 'CN="one, two"'],
  ]
  for (const [issuer, mapped] of cases)
    t.equal(
      adMapping({ issuer, serial: '2b0000000011ac0000000012' }),
      `X509:<I>${mapped}<SR>1200000000AC11000000002B`,
    )
  t.end()
})

t.test('a sensor that does not take up its document, or says nothing any more, is warned of', t => {
  const reported = (version: number, more: object = {}) =>
    ({
      ...{ interfaces: {}, networks: {}, problems: [], awaiting: [] },
      ...{ at: '2030-01-01T00:00:00Z', clock: { trusted: true } },
      applied: {
        state: 'x',
        ...(version > 0 && { desired: { version, epoch: 0, sha256: '' } }),
        networks: {},
      },
      ...more,
    }) as unknown as NonNullable<FleetSensor['reported']> // the parts of a report that are shown
  const document = parseSensorDocument(bytes(sensor(2)))
  const presence = { schema: 1, state: 'online', instance: 'x', at: '2030-01-01T00:00:00Z' } as const
  const desired = document.ok ? document.document.value : undefined
  const of = (report: NonNullable<FleetSensor['reported']>, at = '2030-01-01T05:59:00Z') =>
    problemsOf({ id: 's1', presence, reported: report, ...(desired && { desired }) }, Date.parse(at))
  t.match(of(reported(1)), [
    { code: 'not-applied', severity: 'warning', detail: /version 2 .* version 1 in force/ },
  ])
  t.match(of(reported(0)), [{ code: 'not-applied', detail: /none in force/ }])
  t.same(of(reported(2)), [])
  t.same(of(reported(3)), [], 'an old backup is refused by the sensor, which says so')
  const awaiting = [{ network: 'corp', why: 'no profile' }]
  t.match(of(reported(1, { awaiting })), [{ code: 'awaiting' }], 'where it says why, that is enough')
  const hours = '2030-01-01T07:00:00Z'
  t.match(
    of(reported(2), hours),
    [{ code: 'silent', severity: 'warning' }],
    'nor is a presence believed for ever',
  )
  t.same(of(reported(2, { clock: { trusted: false } }), hours), [], 'by a clock that is right')
  t.match(problemsOf({ id: 's1', reported: reported(2) }), [{ code: 'offline', severity: 'error' }])
  t.end()
})

t.test('events that are missing, and those that come again, by sensor', t => {
  const timelines = new Timelines()
  const said: [event: Record<string, unknown>, missing: object | undefined, again: boolean][] = [
    [{ epoch: 'a', number: 5 }, undefined, false],
    [{ epoch: 'a', number: 6 }, undefined, false],
    [{ epoch: 'a', number: 5 }, undefined, true],
    [{ epoch: 'a', number: 9 }, { epoch: 'a', from: 7, to: 8 }, false],
    [{ epoch: 'a', number: 8 }, undefined, false],
    [{ epoch: 'a', number: 9 }, undefined, true],
    [{ epoch: 'a', number: 20, dropped: { from: 10, to: 19 } }, undefined, false],
    [{ epoch: 'a', number: 30, dropped: { from: 25, to: 29 } }, { epoch: 'a', from: 21, to: 24 }, false],
    [{ epoch: 'b', number: 3 }, { epoch: 'b', from: 1, to: 2 }, false],
    [{ epoch: 'b', number: 'x' }, undefined, false],
    [{ epoch: 'b', number: 6, dropped: 'x' }, { epoch: 'b', from: 4, to: 5 }, false],
  ]
  for (const [event, missing, again] of said) {
    const place = timelines.take('s1', event)
    t.same([place.missing, place.again], [missing, again], JSON.stringify(event))
  }
  t.same(
    timelines.take('s2', { epoch: 'b', number: 9 }),
    { again: false },
    'another sensor is another timeline',
  )
  t.end()
})
