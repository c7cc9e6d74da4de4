import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { openPath, startDhcp } from '../../../agent/path/index.ts'
import { counted, counts, dnsmasq, exec, get, heard, ipIn, kernel, lose, open } from './scene.ts'

t.test('a path has all that DHCP gave, in a table of its own, and takes exactly that away', async t => {
  await using server = await dnsmasq()
  const before = await kernel()
  const resolver = await readFile('/etc/resolv.conf', 'utf8').catch(() => 'none')
  const main = await exec('sensor', 'ip', ['route', 'show', 'table', 'main'])
  const { path } = await open('eth0', { hostname: 'sensor-1' })
  t.match(path, {
    interface: 'eth0',
    prefix: 24,
    gateway: '10.77.0.1',
    dns: ['10.77.0.1'],
    ntp: ['10.77.0.1'],
    lease: { seconds: 3600, server: '10.77.0.1', search: ['example.org'] },
  })
  t.match(path.address, /^10\.77\.0\.5\d$/)
  t.equal(await exec('sensor', 'ip', ['route', 'show', 'table', 'main']), main, 'the main table is as it was')
  t.equal(await readFile('/etc/resolv.conf', 'utf8').catch(() => 'none'), resolver, 'and so is resolv.conf')
  t.match(await kernel(), `unreachable default table ${path.table} proto 83 metric 4294967295`)
  t.same(path.notInForce, [], 'root may make every setting')
  t.equal(
    await exec('sensor', 'ip', ['-6', 'address', 'show', 'dev', 'eth0']),
    '',
    'the interface is silent on IPv6',
  )
  await path.close()
  t.equal(await kernel(), before)
  t.match(path.lost.reason, { code: 'path-closed' })
  await server.waitFor(/DHCPRELEASE/, 'the lease is given back')
  t.match(server.output.tail(200), 'sensor-1')
})

t.test('a network that carries shorter packets and says so is not sent longer ones', async t => {
  await using _server = await dnsmasq({ options: ['--dhcp-option=option:mtu,1400'] })
  // As a tunnel: longer ones are lost without a word, and the host behind knows nothing of it.
  await ipIn('backend', 'link set n0 mtu 1400', 'route change 10.77.0.0/24 dev n0 advmss 1460')
  t.teardown(() => ipIn('backend', 'link set n0 mtu 1500', 'route change 10.77.0.0/24 dev n0'))
  await using opened = await open()
  const longer = `/${'x'.repeat(1_350)}`
  t.match(await get({ ...opened.path.wire(), path: longer }), 'target')
})

t.test(
  'a network of one host or of two (clouds, hotels) is used over a router that is outside of it',
  async t => {
    for (const [mask, prefix] of [
      ['255.255.255.255', 32],
      ['255.255.255.254', 31],
    ] as const) {
      await using _server = await dnsmasq({ options: [`--dhcp-option=option:netmask,${mask}`] })
      await using opened = await open()
      t.equal(opened.path.prefix, prefix)
      t.match(await get(opened.path.wire()), 'target')
    }
  },
)

t.test('a client that stands ready sends nothing before the port opens, and asks at once then', async t => {
  await using _server = await dnsmasq()
  await using attempt = startDhcp('eth0')
  const silent = await counted(() => attempt.ready)
  t.equal(silent.dhcp, 0, 'nothing was sent')
  const { dhcp } = await counts()
  attempt.kick()
  t.match(await attempt.lease(AbortSignal.timeout(5_000)), { prefix: 24 })
  t.equal((await counts()).dhcp, dhcp + 2, 'one DISCOVER and one REQUEST')
})

t.test('an armed client stands before its DISCOVER and sends nothing; freed it asks once', async t => {
  await using _server = await dnsmasq()
  await using attempt = startDhcp('eth0')
  attempt.arm()
  const { pid, dhcp } = await stopped()
  t.equal((await counts()).dhcp, dhcp, 'nothing was sent')
  attempt.kick()
  t.match(await attempt.lease(AbortSignal.timeout(5_000)), { prefix: 24 })
  t.equal((await counts()).dhcp, dhcp + 2, 'one DISCOVER and one REQUEST')
  t.match(await stateOf(pid), /^[SDR]$/, 'and it is the same client, which runs')
})

t.test(
  'an armed client that has sent its DISCOVER all the same is replaced by one that asks at once',
  async t => {
    await using attempt = startDhcp('eth0')
    attempt.arm()
    const { pid, dhcp } = await stopped()
    // As if the stop had come too late, where nobody answers yet.
    process.kill(pid, 'SIGCONT')
    await until(async () => (await counts()).dhcp > dhcp, 'the DISCOVER has left')
    process.kill(pid, 'SIGSTOP')
    await using _server = await dnsmasq()
    attempt.kick()
    t.match(await attempt.lease(AbortSignal.timeout(5_000)), { prefix: 24 })
    await until(async () => (await stateOf(pid)) === '', 'the first client is gone')
  },
)

t.test('an armed client that is given up is gone, although it is stopped', async t => {
  const attempt = startDhcp('eth0')
  attempt.arm()
  const { pid } = await stopped()
  await attempt[Symbol.asyncDispose]()
  t.equal(await stateOf(pid), '')
})

t.test('a client told twice to ask while it is still starting does ask', async t => {
  await using _server = await dnsmasq()
  await using attempt = startDhcp('eth0')
  attempt.kick()
  attempt.kick()
  t.match(await attempt.lease(AbortSignal.timeout(5_000)), { prefix: 24 })
})

t.test('a DISCOVER lost because the port opens a little late costs no second', async t => {
  await using _server = await dnsmasq()
  const late = await lose('udp dport 67')
  await using attempt = startDhcp('eth0')
  await attempt.ready
  const start = performance.now()
  attempt.kick()
  setTimeout(() => void late[Symbol.asyncDispose](), 150)
  await attempt.lease(AbortSignal.timeout(5_000))
  t.ok(performance.now() - start < 900, `${Math.round(performance.now() - start)} ms`)
})

t.test(
  'a REQUEST that nobody acknowledges, because the port moves a little late, costs no second',
  async t => {
    await using server = await dnsmasq()
    const request = 'udp dport 67 @th,1984,24 0x350103' // its first option, RFC 2132 section 9.6
    const late = await lose(request)
    await using attempt = startDhcp('eth0')
    await attempt.ready
    const start = performance.now()
    attempt.kick()
    await server.waitFor(/DHCPOFFER/, 'it offers an address')
    setTimeout(() => void late[Symbol.asyncDispose](), 150)
    await attempt.lease(AbortSignal.timeout(5_000))
    t.ok(performance.now() - start < 900, `${Math.round(performance.now() - start)} ms`)
  },
)

t.test('an address or a mask that no host can have is no lease, and the server is named', async t => {
  for (const mask of ['255.0.255.0', '254.0.0.0']) {
    await using _server = await dnsmasq({ options: [`--dhcp-option=option:netmask,${mask}`] })
    const opening = openPath('eth0', { dhcp: true }, AbortSignal.timeout(5_000))
    await t.rejects(opening, {
      code: 'dhcp-bad-lease',
      side: 'network',
      detail: new RegExp(`10.77.0.1 gave .*${mask}`),
    })
  }
})

t.test('a renewal keeps the path and everything opened over it', async t => {
  await using server = await dnsmasq()
  await using opened = await open()
  const { path, events } = opened
  const socket = await path.connect('10.55.0.10', 8080, AbortSignal.timeout(2_000))
  const before = await kernel()
  const since = server.output.end
  path.renew()
  await heard(events, 'renewed', 'the lease is renewed')
  await server.waitFor(/DHCPACK/, 'the server renews', 2_000, since)
  t.equal(await kernel(), before)
  t.equal(socket.destroyed, false)
  socket.destroy()
})

t.test('an attempt that is aborted or given up leaves nothing', async t => {
  const before = await kernel()
  const abort = new AbortController()
  const opening = openPath('eth0', { dhcp: true }, abort.signal)
  setTimeout(() => abort.abort(new Error('the document changed')), 100)
  await t.rejects(opening, { message: 'the document changed' })
  await using attempt = startDhcp('eth0')
  await attempt.ready
  await attempt[Symbol.asyncDispose]()
  t.equal(await kernel(), before)
})

/** `S`, `T` …, or nothing when there is no such process any more: proc(5), /proc/PID/stat. */
async function stateOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => '')
  return /\) (\S)/.exec(text)?.[1] ?? ''
}

/** The client of this process that is stopped, once there is one. */
async function stopped(): Promise<{ pid: number; dhcp: number }> {
  const { dhcp } = await counts()
  let found: number | undefined
  await until(async () => {
    const text = await readFile(`/proc/self/task/${String(process.pid)}/children`, 'utf8')
    for (const pid of text.trim().split(' ').map(Number)) if ((await stateOf(pid)) === 'T') found = pid
    return found !== undefined
  }, 'a client is stopped')
  return { pid: found ?? 0, dhcp }
}

/** /proc tells nobody that it has changed. */
async function until(holds: () => Promise<boolean>, sentence: string): Promise<void> {
  const end = performance.now() + 5_000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within 5 s: ${sentence}`)
    await pause(5)
  }
}
