/** What goes wrong at the operator's terminal: nothing is half done, nothing hangs, and the exit code says so. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { but, corp, plain } from '../../unit/desired/documents.ts'
import { run } from '../command.ts'
import { mosquitto } from './broker.ts'
import { fleet as fleetOf } from './console.ts'
import { operator } from './operator.ts'
import { program, sonde } from './program.ts'
import { until } from './sensor.ts'

t.test('a person who goes away, a pipe nobody reads, a broker that ends', async t => {
  await using broker = await mosquitto()
  await using console = await operator(broker.url, ['sonde/#'])
  const fleet = (line: string) => fleetOf(broker.url, line)
  const typed = (...answers: [string, string][]) =>
    sonde(['fleet', 'network', 'add', 'corp', '--broker', broker.url], { terminal: answers })
  const [ctrlC, ctrlD] = ['\u0003', '\u0004']

  await t.test('Ctrl-C and Ctrl-D end the questions, also where keys are not shown', async t => {
    const [first, end, hidden] = await Promise.all([
      typed(['Interface', ctrlC]),
      typed(['Interface', 'wired'], ['Alias', ctrlD]),
      typed(
        ['Interface', 'wireless'],
        ['SSID', 'x'],
        ['Alias', ''],
        ['Security', 'wpa2-psk'],
        ['assphrase', ctrlC],
      ),
    ])
    t.match(first, { code: 130, out: /sonde fleet: interrupted/ })
    t.match(end, { code: 1, out: /sonde fleet: no answer, so nothing is published/ })
    t.match(hidden, { code: 130, out: /sonde fleet: interrupted/ })
    for (const { out } of [first, end, hidden]) t.notMatch(out, /\n +at /, 'no stack')
    t.same(console.received, [])
  })

  await t.test('a pipe that nobody reads ends the program, and a full disk is said', async t => {
    const line = `'${process.execPath}' '${await program()}' fleet --help`
    const gone = join(t.testdir(), 'gone')
    // The one reader of the pipe closes it before the program is begun.
    const reader = `( exec 0<&-; echo > '${gone}' )`
    const writer = `( read -r < '${gone}'; ${line}; echo "ended $?" >&2 )`
    const piped = await run('bash', ['-c', `exec 2>&1; mkfifo '${gone}'; ${writer} | ${reader}`])
    t.equal(piped, 'ended 141\n')
    const codes = `( ${line}; echo "ended $?" >&3 ) 3>&1 1>/dev/full 2>&3`
    t.match(await run('bash', ['-c', codes]), /^sonde: standard output cannot be written: ENOSPC\nended 1\n$/)
  })

  await t.test('words and wildcards that would reach other topics are refused', async t => {
    for (const prefix of ['x/#', '+', '/x', 'x/', '$SYS'])
      t.match(await fleet(`list --prefix ${prefix}`), { code: 2, err: /--prefix .*: not a topic/ }, prefix)
    t.match(await sonde(['status', '--jsn']), { code: 2, err: /--jsn is not known/ })
    t.match(await fleet('assign s1'), { code: 2 })
    const words = await sonde(['fleet', 'network', 'ad', 'corp', '--broker', broker.url])
    t.same(words, { code: 2, out: '', err: 'sonde fleet: network add|edit|remove|list|show\n' })
    t.match(await fleet('list --wait'), {
      code: 2,
      err: /^sonde fleet: the flags cannot be read: Option '--wait/,
    })
    t.match(await fleet('network add x --file /none'), {
      code: 1,
      err: /\/none cannot be read: there is none/,
    })
  })

  await t.test('what a sensor does not test cannot be taken from it, and makes no new sensor', async t => {
    t.match(await fleet('unassign nobody corp'), { code: 1, err: /nobody does not test corp/ })
    t.same(console.received, [])
  })

  await t.test('secrets leave this machine over TLS alone, unless a person says otherwise', async t => {
    // The same broker by a name that does not say that it is this machine.
    const far = broker.url.replace('127.0.0.1', '127.1')
    const secret = 'network add guest --method PEAP --identity x --accept-any-server yes --password hush'
    const refused = { code: 1, err: /holds a secret, and the connection to the broker is not encrypted/ }
    t.match(await fleetOf(far, secret), refused)
    t.match(await fleetOf(far, 'sensor add s1'), { code: 1 })
    t.same(console.received, [])
    t.match(await fleetOf(far, 'network add open --interface wired'), { code: 0 }, 'what is no secret may')
    t.match(await fleetOf(far, `${secret} --insecure`), { code: 0 })
    const file = join(t.testdir(), 'fleet.json')
    const { out } = await fleetOf(broker.url, 'export --secrets')
    t.match(out, 'hush')
    await writeFile(file, out)
    const before = console.received.length
    t.match(await fleetOf(far, `import ${file}`), refused)
    t.equal(console.received.length, before, 'not in part either')
    t.match(await fleetOf(broker.url, `import ${file}`), { code: 0 }, 'loopback')
  })

  await t.test('an export without secrets is no backup of them', async t => {
    const file = join(t.testdir(), 'fleet.json')
    await writeFile(file, (await fleet('export')).out)
    t.match(await fleet(`import ${file}`), { code: 0 }, 'the broker has them')
    t.match(await fleet('network remove guest'), { code: 0 })
    t.match(await fleet(`import ${file}`), { code: 1, err: /made without secrets.*: guest.eap.password/ })
    t.notMatch((await fleet('network list')).out, 'guest')
  })

  await t.test(
    'an export counts on for a sensor that is away, and of which the broker knows nothing any more',
    async t => {
      const file = join(t.testdir(), 'fleet.json')
      const away = { schema: 1, version: 57, epoch: 2, networks: [] }
      await writeFile(file, JSON.stringify({ format: 1, networks: {}, sensors: { away } }))
      t.match(await fleet(`import ${file} --wait 0`), { code: 0 })
      t.match(console.on('sonde/sensors/away/desired').at(-1)?.json(), { version: 58, epoch: 2 })
      t.match(await fleet('sensor remove away'), { code: 0 })
    },
  )

  await t.test('what another operator publishes over an import is said', async t => {
    const file = join(t.testdir(), 'fleet.json')
    const networks = [{ network: 'open', assignment: 'imported' }]
    const both = { schema: 1, version: 1, networks }
    await writeFile(file, JSON.stringify({ format: 1, networks: {}, sensors: { x1: both, x2: both } }))
    const importing = fleet(`import ${file} --wait 2`)
    for (const id of ['x1', 'x2']) {
      const topic = `sonde/sensors/${id}/desired`
      const { json } = await console.until('imported', message => message.topic === topic)
      const others = id === 'x1' ? [] : [...networks, { network: 'open2', assignment: 'more' }]
      const version = Number(json()['version']) + 1
      await console.publish(topic, { ...json(), version, networks: others }, { retain: true })
    }
    const { code, err } = await importing
    t.equal(code, 1)
    t.match(err, /x1: another operator has published version 3 without this change/)
    t.match(err, /x2: has never reported/, 'who has kept it takes nothing away')
    for (const id of ['x1', 'x2']) t.match(await fleet(`sensor remove ${id}`), { code: 0 })
  })

  await t.test(
    'S2-06: an enrollment network that is none is refused and named, also in an import',
    async t => {
      const file = join(t.testdir(), 'fleet.json')
      const over = (id: string) => but(corp, 'scep.enrollmentNetwork', id)
      await console.publish('sonde/networks/first', plain, { retain: true })
      await console.publish('sonde/networks/second', over('first'), { retain: true })
      const scep = '--method TLS --url http://ndes.example.org/scep --enrollment-network'
      const third = await fleet(`network add third ${scep} second`)
      t.match(third, { code: 1, err: /third enrols over second, which itself needs a certificate/ })
      const first = await fleet(`network edit first ${scep} open`)
      t.match(first, { code: 1, err: /second enrols over first, which would itself need a certificate/ })
      await writeFile(file, JSON.stringify({ format: 1, networks: { x: over('nowhere') }, sensors: {} }))
      const imported = await fleet(`import ${file}`)
      t.match(imported, { code: 1, err: /x enrols over nowhere, and there is no such network/ })
      t.same([...console.on('sonde/networks/third'), ...console.on('sonde/networks/x')], [])
    },
  )

  await t.test('a user who may read and not write is told, also over MQTT 3.1.1', async t => {
    const acl = join(t.testdir({ acl: 'topic read sonde/#\n' }), 'acl')
    await using guarded = await mosquitto(['allow_anonymous true', `acl_file ${acl}`])
    const refused = { code: 1, err: /has taken sonde\/networks\/corp and does not hand it out/ }
    t.match(await fleetOf(guarded.url, 'network add corp --interface wired'), refused)
  })

  await t.test('a terminal that does not say how wide it is cuts nothing off', async t => {
    const id = 'the-sensor-by-the-wall'
    const words = ['fleet', 'list', '--broker', broker.url]
    await console.publish(
      `sonde/sensors/${id}/desired`,
      { schema: 1, version: 1, networks: [] },
      { retain: true },
    )
    for (const TERM of ['xterm', 'dumb']) {
      const { out } = await sonde(words, { terminal: [], environment: { TERM } })
      t.match(out, id)
      t.equal(out.includes('\u001b'), TERM === 'xterm', `colours of ${TERM}`)
    }
    const plain = await sonde(words, { terminal: [], environment: { TERM: 'xterm', NO_COLOR: '1' } })
    t.notMatch(plain.out, '\u001b')
    await console.publish(`sonde/sensors/${id}/desired`, undefined, { retain: true })
  })

  await t.test('a sensor that never came can be taken out again, also without the plugin', async t => {
    t.match(await fleet('assign gohst corp --force --wait 0.1'), {
      code: 1,
      err: /gohst: has never reported/,
    })
    t.match(await fleet('sensor remove gohst'), { code: 0, out: /documents of gohst are taken away/ })
    t.notMatch((await fleet('list')).out, 'gohst')
  })

  await t.test('a fleet that is never silent keeps nobody waiting', async t => {
    const busy = { schema: 1, state: 'online', instance: 'x', at: new Date().toISOString() }
    const say = () => void console.publish('sonde/sensors/busy/presence', busy, { retain: true })
    const talking = setInterval(say, 10)
    const start = performance.now()
    t.match(await fleet('list'), { code: 0, out: /busy +online/ })
    clearInterval(talking)
    const ms = performance.now() - start
    t.ok(ms < 5000, `${ms.toFixed(0)} ms`)
  })

  await t.test(
    'a broker whose queue for one client is as short as by itself shows the whole fleet',
    async t => {
      await using short = await mosquitto(['allow_anonymous true', 'max_queued_messages 1000'])
      await using writer = await operator(short.url, [])
      const ids = Array.from({ length: 1500 }, (_, i) => `s${String(i)}`)
      const offline = { schema: 1, state: 'offline', instance: 'x' }
      const say = (id: string) => writer.publish(`sonde/sensors/${id}/presence`, offline, { retain: true })
      await Promise.all(ids.map(say))
      t.equal(((await fleetOf(short.url, 'list --json')).json() as unknown[]).length, 1500)
    },
  )

  await t.test('a long document on a slow line is waited for', async t => {
    const document = { schema: 1, eap: { method: 'PEAP', identity: 'x', password: 'hush', serverCa: [long] } }
    await console.publish('sonde/networks/long', document, { retain: true })
    await using line = await slowLine(broker.port, 8192, 60)
    t.match(await fleetOf(line.url, 'network show long'), { code: 0, out: /PEAP/ })
    t.match(await fleet('network remove long --json'), {
      code: 0,
      out: '{"network":"long","removed":true}\n',
    })
  })

  await t.test('interrupted while sensors are waited for: what is known is said', async t => {
    const stop = new AbortController()
    const waiting = fleetOf(broker.url, 'assign later corp --force', { signal: stop.signal })
    await until(() => console.on('sonde/sensors/later/desired').length > 0)
    stop.abort()
    t.match(await waiting, { code: 1, err: /later: has never reported/ })
  })
})

/** No PEM, but as long as thirty of them. */
const long = 'x'.repeat(60_000)

/** A way to the broker that lets so many bytes through in so many milliseconds. */
async function slowLine(port: number, bytes: number, ms: number): Promise<AsyncDisposable & { url: string }> {
  const stop = new AbortController()
  const server = net.createServer({ noDelay: true }, near => {
    const far = net.connect({ port, host: '127.0.0.1', noDelay: true })
    near.on('error', () => undefined).pipe(far.on('error', () => undefined))
    far.on('close', () => near.destroy())
    const carry = async () => {
      for await (const data of far as AsyncIterable<Buffer>)
        for (let at = 0; at < data.length; at += bytes) {
          near.write(data.subarray(at, at + bytes))
          if (data.length > bytes) await pause(ms, undefined, { signal: stop.signal })
        }
    }
    carry().catch(() => undefined)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: own } = server.address() as net.AddressInfo
  return {
    url: `mqtt://127.0.0.1:${own}`,
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      server.close()
      await once(server, 'close')
    },
  }
}
