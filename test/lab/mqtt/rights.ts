/** config/mosquitto/sonde.conf on a real mosquitto: TLS, and what one sensor may do to another. */
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import mqtt, { type IClientOptions } from 'mqtt'
import t, { type Test } from 'tap'
import { operator } from './operator.ts'
import { fleet } from './console.ts'
import { judgeBy } from '../../../agent/broker-trust.ts'
import { mosquitto, type Broker } from './broker.ts'
import { grantOperator, guarded, password, type Guarded } from './guarded.ts'
import { arrived, sensor, until } from './sensor.ts'
import { authority } from './tls.ts'

const run = promisify(execFile)

/** What a client with these words gets of what it asks for: everything one sensor may try on another. */
async function attack(t: Test, place: Guarded, login: IClientOptions, url = place.url): Promise<void> {
  // A Will is published by the broker.
  const payload = Buffer.from('"broken into"')
  const will = { topic: 'sonde/networks/secret', payload, qos: 1, retain: true } as const
  const options = {
    ca: place.authority.caPem,
    protocolVersion: 5,
    reconnectPeriod: 0,
    will,
    ...login,
  } as const
  const connecting = mqtt.connectAsync(url, options)
  const client = await connecting.catch(() => undefined)
  if (client === undefined) {
    t.equal(login.clientId, 'two', 'it does not even connect under the id of another')
    return
  }
  client.on('error', () => undefined)
  const seen: string[] = []
  client.on('message', topic => seen.push(topic))
  const filters = [
    'sonde/#',
    '#',
    'sonde/sensors/two/desired',
    'sonde/sensors/two/commands',
    'sonde/sensors/+/desired',
    'sonde/networks/+',
    'sonde/networks/secret',
    'sonde/sensors/two/reported',
    '$CONTROL/#',
    '$share/all/sonde/#',
    '$share/all/sonde/networks/secret',
  ]
  for (const filter of filters) await client.subscribeAsync(filter, { qos: 1 }).catch(() => undefined)
  const targets = [
    'sensors/two/reported',
    'sensors/two/presence',
    'sensors/two/events',
    'sensors/two/commands',
    'sensors/two/desired',
    'networks/corp',
    'networks/secret',
    'sensors/one/desired',
    'sensors/one/commands',
  ]
  for (const target of targets) {
    await client
      .publishAsync(`sonde/${target}`, '"broken into"', { qos: 1, retain: true })
      .catch(() => undefined)
  }
  await client.publishAsync('sonde/sensors/one/events', '{}', { qos: 1 })
  t.equal(client.connected, true)
  // A fence: whatever the broker had for it was sent before what is published now.
  await client.subscribeAsync('sonde/sensors/one/commands', { qos: 1 })
  await using boss = await operator(place.url, [], {
    ...{ ca: place.authority.caPem, username: 'operator', password, clientId: 'operator' },
  })
  await boss.publish('sonde/sensors/two/commands', { bait: true })
  await boss.publish('sonde/sensors/one/commands', { fence: true })
  await until(() => seen.at(-1) === 'sonde/sensors/one/commands')
  const own = /^sonde\/(sensors\/one\/(desired|commands|presence)|networks\/corp)$/
  t.same(
    seen.filter(topic => !own.test(topic)),
    [],
    'it reads nothing of another, and no network that is not its own',
  )
  const gone = place.broker.says(/Client one .*(closed its connection|disconnected)/)
  client.stream.destroy()
  await gone
}

async function scenario(
  t: Test,
  place: Guarded,
  folder: string,
  login: (id: string) => Promise<string>,
  afterAssign: () => Promise<void>,
): Promise<void> {
  const operate = (line: string) => fleet(place.url, line, place.operator)
  const ok = async (line: string) => {
    const result = await operate(line)
    t.equal(result.code, 0, `${line}: ${result.err}`)
    return result
  }
  await ok('network add corp --interface wired --wait 0')
  await ok('network add secret --interface wired --wait 0')
  const passwords = { one: await login('one'), two: await login('two') }
  await operate('assign one corp --wait 0')
  await operate('assign two secret --wait 0')
  await afterAssign()
  const common = { url: place.url, ca: place.authority.caPem }
  await using one = await sensor({
    ...common,
    directory: join(folder, 'one'),
    name: 'one',
    username: 'one',
    password: passwords.one,
  })
  const certificateOf = async (id: string) => {
    const { certificate, key } = await place.authority.issue(id, `DNS:${id}`)
    return { cert: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') }
  }
  // Its account is the common name of its certificate.
  const own = await certificateOf('two')
  await using two = await sensor({
    ...common,
    ...{ directory: join(folder, 'two'), name: 'two', url: place.byCertificate },
    ...{ certificate: own.cert, key: own.key },
  })
  await arrived(one)
  await arrived(two)
  await until(
    () =>
      one.state.view.confirmed && two.state.view.confirmed && one.changes.length + two.changes.length === 2,
  )
  t.match(
    [one, two].map(({ state }) => state.view.desired.tested[0]?.id),
    ['corp', 'secret'],
    'each has its own network',
  )
  t.match((await ok('list --json')).json(), [
    { id: 'one', reported: { about: { sensor: 'one' } } },
    { id: 'two' },
  ])
  await one.link.leave()
  await attack(t, place, { username: 'one', password: passwords.one, clientId: 'one' })
  await attack(t, place, { username: 'one', password: passwords.one, clientId: 'two' })
  const { cert, key } = await certificateOf('one')
  await attack(t, place, { cert, key, clientId: 'one' }, place.byCertificate)
  await attack(t, place, { cert, key, clientId: 'two' }, place.byCertificate)
  t.equal(two.link.status.state, 'connected', 'it does not push another off the broker with its client id')
  t.match(
    (await ok('list --json')).json(),
    [{ id: 'one' }, { id: 'two', reported: { about: { sensor: 'two' } } }],
    'nothing of another is written',
  )
  t.same(two.clones, [])
  t.equal(two.changes.length, 1)
}

t.test('by the dynamic-security plugin: the role first, then the document', async t => {
  const folder = t.testdir({ one: {}, two: {} })
  await using place = await guarded(folder)
  await grantOperator(place)
  const login = async (id: string) => {
    const added = await fleet(place.url, `sensor add ${id} --json`, place.operator)
    t.equal(added.code, 0, added.err)
    return (added.json() as { password: string }).password
  }
  await scenario(t, place, folder, login, async () => undefined)
  const unassigned = await fleet(place.url, 'unassign one corp --wait 0', place.operator)
  t.equal(unassigned.code, 0, unassigned.err)
  t.match(await fleet(place.url, 'sensor add one', place.operator), { code: 0 }, 'a new password')
  t.match(await fleet(place.url, 'sensor remove one', place.operator), {
    code: 0,
    out: /may no longer connect/,
  })
  await t.rejects(
    mqtt.connectAsync(place.url, {
      ca: place.authority.caPem,
      username: 'one',
      password: 'x',
      reconnectPeriod: 0,
    }),
  )
})

t.test('by a static file made by `sonde fleet acl`', async t => {
  const folder = t.testdir({
    one: {},
    two: {},
    'sonde.acl': 'user operator\ntopic readwrite sonde/#\n',
    'sonde.passwd': '',
  })
  const [acl, passwords] = [join(folder, 'sonde.acl'), join(folder, 'sonde.passwd')]
  const account = (id: string, secret: string) => run('mosquitto_passwd', ['-b', passwords, id, secret])
  await account('operator', password)
  await using place = await guarded(folder, `password_file ${passwords}\nacl_file ${acl}`)
  const login = async (id: string) => {
    await account(id, `password-of-${id}`)
    return `password-of-${id}`
  }
  await scenario(t, place, folder, login, async () => {
    const made = await fleet(place.url, 'acl operator', place.operator)
    await writeFile(acl, made.out)
    const reloaded = place.broker.says(/Reloading config/)
    process.kill(place.broker.pid(), 'SIGHUP')
    await reloaded
  })
})

t.test('TLS: the broker is verified by name and by its CA', async t => {
  const folder = t.testdir({ one: {}, other: {} })
  await using place = await guarded(folder, 'allow_anonymous true')
  const stranger = await authority(join(folder, 'other'))
  const cases: [string, string, string | undefined, RegExp | undefined][] = [
    ['its own CA and name', place.url, place.authority.caPem, undefined],
    ['its address', place.url.replace('localhost', '127.0.0.1'), place.authority.caPem, undefined],
    ['another CA', place.url, stranger.caPem, /broker-untrusted/],
    ['the authorities of the system', place.url, undefined, /broker-untrusted/],
    [
      'another name',
      place.url.replace('localhost', 'ip6-localhost.localhost'),
      place.authority.caPem,
      /broker-(untrusted|unreachable)/,
    ],
    ['no TLS', place.url.replace('mqtts', 'mqtt'), undefined, /broker-unreachable/],
  ]
  for (const [name, url, ca, problem] of cases) {
    await using self = await sensor({
      directory: t.testdir(),
      url,
      ca,
      username: 'one',
      connectTimeout: 2000,
    })
    self.link.arrive()
    await until(() => self.link.status.state === 'connected' || self.link.status.problem !== undefined)
    if (problem === undefined) t.equal(self.link.status.state, 'connected', name)
    else t.match(self.link.status.problem?.code, problem, name)
  }
})

t.test(
  'a broker that is not valid yet by a system clock that is wrong is judged by the clock of the sensor',
  async t => {
    const folder = t.testdir({ one: {}, other: {}, sensors: {} })
    const ca = await authority(join(folder, 'one'))
    const stranger = await authority(join(folder, 'other'))
    const later = async (names: string, ...extensions: string[]) => {
      const { certificate, key } = await ca.issue('broker', names, { after: '+1d', extensions })
      return mosquitto(['allow_anonymous true', `certfile ${certificate}`, `keyfile ${key}`])
    }
    await using usual = await later('DNS:localhost')
    await using elsewhere = await later('DNS:elsewhere.example.org')
    await using client = await later('DNS:localhost', 'extendedKeyUsage=clientAuth')
    /** A clock so many hours ahead of the system's. */
    const ahead = (hours: number, trusted = true) => ({
      now: () => Date.now() + hours * 3_600_000,
      reading: { trusted },
    })
    const [dates, untrusted] = ['broker-certificate-dates', 'broker-untrusted']
    const cases: [string, Broker, ReturnType<typeof ahead>, string?, string?][] = [
      ['the time is known', usual, ahead(36)],
      ['it is not: then nothing is too early', usual, ahead(0, false)],
      ['the system clock is right', usual, ahead(0), dates],
      ['it has expired meanwhile', usual, ahead(96), dates],
      ['it has expired by what is known to have passed', usual, ahead(96, false), dates],
      ['it is from another CA', usual, ahead(36), untrusted, stranger.caPem],
      ['none of the authorities that Node knows has issued it', usual, ahead(36), untrusted, ''],
      ['it is for another name', elsewhere, ahead(36), untrusted],
      ['it is that of a client', client, ahead(36), untrusted],
    ]
    for (const [place, [sentence, { port }, clock, problem, roots = ca.caPem]] of cases.entries()) {
      const directory = join(folder, 'sensors', String(place))
      await mkdir(directory)
      await using self = await sensor({
        ...{ directory, url: `mqtts://localhost:${port}`, connectTimeout: 2000 },
        ...{ judge: judgeBy(clock), ...(roots !== '' && { ca: roots }) },
      })
      self.link.arrive()
      await until(() => self.link.status.state === 'connected' || self.link.status.problem !== undefined)
      t.equal(self.link.status.problem?.code, problem, sentence)
      t.comment(self.link.status.problem?.detail)
    }
  },
)
