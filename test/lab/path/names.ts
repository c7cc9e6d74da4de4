import type { LookupAddress } from 'node:dns'
import t from 'tap'
import { lookupAnswering } from '../../../agent/path/answering.ts'
import type { Path } from '../../../agent/path/index.ts'
import { gateway } from '../../../agent/probes/gateway.ts'
import { counted, dnsmasq, get, ipIn, kernel, open, port, target } from './scene.ts'

const lookup = (path: Path, name: string, options: { all?: boolean; family?: number } = {}) =>
  new Promise<string | LookupAddress[]>((resolve, reject) => {
    path.lookup(name, options, (error, address) => (error ? reject(error) : resolve(address)))
  })

t.test("names are asked of the network's own servers, on its own interface", async t => {
  await using server = await dnsmasq()
  await using opened = await open()
  const { path } = opened
  const packets = await counted(async () => {
    t.equal(await lookup(path, 'scep.example.org'), '10.55.0.10')
    t.same(await lookup(path, 'scep.example.org', { all: true }), [{ address: '10.55.0.10', family: 4 }])
  })
  t.ok(packets.eth0 >= 2)
  t.equal(packets.eth1, 0)
  await server.waitFor(/query\[A\] scep\.example\.org from 10\.77\.0\./, 'the query arrives')
  t.equal(await lookup(path, '192.0.2.9'), '192.0.2.9', 'an address passes through')
})

t.test('a short name is completed by the domains of the network, and no other name is', async t => {
  for (const [option, domains] of [
    ['option:domain-name,example.org', ['example.org']],
    ['option:domain-search,eu.example.org,example.org', ['eu.example.org', 'example.org']],
  ] as const) {
    await using server = await dnsmasq({ options: [`--dhcp-option=${option}`] })
    await using opened = await open()
    const { path } = opened
    const asked = async (name: string): Promise<string[]> => {
      const since = server.output.end
      const failure = await lookup(path, name).catch((error: unknown) => error)
      if (failure instanceof Error) t.match(failure, { code: 'dns-not-found', message: name })
      const queries = server.output
        .since(since)
        .flatMap(line => / query\[A\] (\S+) from /.exec(line)?.[1] ?? [])
      return [...new Set(queries)]
    }
    t.match(await get({ ...path.wire(), host: 'scep' }), 'target')
    t.strictSame(
      await asked('scep'),
      domains.map(domain => `scep.${domain}`),
    )
    t.strictSame(await asked('nobody'), [...domains.map(domain => `nobody.${domain}`), 'nobody'])
    t.strictSame(await asked('nowhere.example.org'), ['nowhere.example.org'])
  }
})

const failures: [string, string, object, string][] = [
  ['a name that does not exist', 'nowhere.example.org', {}, 'dns-not-found'],
  ['a name with an IPv6 address only', 'six.example.org', {}, 'ipv6-unsupported'],
  ['an IPv6 address', 'fd00::1', {}, 'ipv6-unsupported'],
  ['a request for IPv6', 'scep.example.org', { family: 6 }, 'ipv6-unsupported'],
  ['a name the servers refuse to look up', 'www.example.net', {}, 'dns-failed'],
]
t.test('a lookup that fails says why', async t => {
  await using _server = await dnsmasq()
  await using opened = await open()
  for (const [sentence, name, options, code] of failures)
    await t.rejects(lookup(opened.path, name, options), { code, message: new RegExp(name) }, sentence)
  await t.rejects(get({ ...opened.path.wire(), host: '::1' }), { code: 'ipv6-unsupported' }, 'also as a host')
})

t.test('a name server that does not answer is a timeout within the deadline', async t => {
  await using _server = await dnsmasq({ options: ['--dhcp-option=option:dns-server,10.77.0.77'] })
  await using opened = await open('eth0', { lookupDeadlineMs: 400 })
  const start = performance.now()
  await t.rejects(lookup(opened.path, 'scep.example.org'), { code: 'dns-timeout', detail: /10\.77\.0\.77/ })
  t.ok(performance.now() - start < 1_000)
})

t.test('a network without a name server says so, also where it gives one that can be none', async t => {
  for (const servers of ['', ',127.0.0.1,255.255.255.255']) {
    await using _server = await dnsmasq({ options: [`--dhcp-option=option:dns-server${servers}`] })
    await using opened = await open()
    await t.rejects(lookup(opened.path, 'scep.example.org'), { code: 'dns-none', side: 'network' })
  }
})

t.test('a name server that this network does not reach is passed over', async t => {
  const servers = ['--dhcp-option=option:router', '--dhcp-option=option:dns-server,192.0.2.53,10.77.0.1']
  await using _server = await dnsmasq({ options: [...servers, '--address=/near.example.org/10.77.0.1'] })
  await using opened = await open()
  t.equal(await lookup(opened.path, 'near.example.org'), '10.77.0.1')
})

t.test(
  'of a name with several addresses the one that answers is used, and each is named where none does',
  async t => {
    const [dead, alive] = ['10.55.0.11', target]
    const names = { one: [dead, alive], other: [alive, dead], none: [dead, '10.55.0.12'] }
    const records = Object.entries(names).flatMap(([name, addresses]) =>
      addresses.map(address => `--address=/${name}.example.org/${address}`),
    )
    await using _server = await dnsmasq({ options: records })
    await using opened = await open()
    const { path } = opened
    // One of the two has the dead address first.
    for (const name of ['one', 'other']) {
      const wire = path.wire()
      t.match(await get({ ...wire, host: `${name}.example.org` }), 'target')
      wire.agent.destroy()
      const socket = await path.connect(`${name}.example.org`, port, AbortSignal.timeout(2_000))
      t.equal(socket.remoteAddress, alive)
      socket.destroy()
    }
    const { address: localAddress, lookup: all } = path
    const choose = lookupAnswering({
      lookup: all,
      localAddress,
      port,
      keep: () => undefined,
      deadlineMs: 400,
    })
    const chosen = new Promise((resolve, reject) => {
      choose('none.example.org', {}, (error, address) => (error ? reject(error) : resolve(address)))
    })
    await t.rejects(chosen, {
      code: 'ETIMEDOUT',
      message: /10\.55\.0\.1[12] no answer, 10\.55\.0\.1[12] no answer, port 8080/,
    })
  },
)

t.test('a name that leads to the sensor itself is no other program in the way', async t => {
  await using _server = await dnsmasq({ options: ['--address=/portal.example.org/127.0.0.1'] })
  await using opened = await open()
  const { path } = opened
  const own = { code: 'own-address', side: 'configuration' }
  await t.rejects(lookup(path, 'portal.example.org'), {
    ...own,
    detail: /^127\.0\.0\.1 leads .* to the sensor/,
  })
  for (const host of ['127.0.0.1', '0.0.0.0', path.address])
    await t.rejects(get({ ...path.wire(), host }), own, host)
})

t.test('a query that would leave on another interface is not sent', async t => {
  await using _server = await dnsmasq({ range: '10.77.0.71,10.77.0.71' })
  await using opened = await open()
  const { path } = opened
  await ipIn('sensor', `rule add pref 10 from ${path.address} table main`)
  const packets = await counted(() => t.rejects(lookup(path, 'scep.example.org'), { code: 'path-broken' }))
  await ipIn('sensor', `rule del pref 10 from ${path.address} table main`)
  t.equal(packets.eth1, 0)
})

const routes: [string, string, string, (path: Path) => Promise<unknown>][] = [
  [
    'the default one among them is used, not the router of option 3',
    '0.0.0.0/0,10.77.0.1',
    '10.77.0.1',
    async path => get(path.wire()),
  ],
  [
    'what none of them leads to is not reached, router or not',
    '10.55.0.0/24,10.77.0.1',
    'undefined',
    async path => {
      const elsewhere = await get({ ...path.wire(), host: '10.88.0.1' }).catch((error: unknown) => error)
      t.match(elsewhere, { code: 'no-route' })
      return get(path.wire())
    },
  ],
]
for (const [sentence, given, router, ask] of routes)
  t.test(`of a network with classless routes ${sentence}`, async t => {
    const options = ['--dhcp-option=option:router,10.77.0.99', `--dhcp-option=121,${given}`]
    await using _server = await dnsmasq({ options })
    const before = await kernel()
    {
      await using opened = await open()
      const { path } = opened
      t.equal(String(path.gateway), router)
      const packets = await counted(async () => {
        t.match(await ask(path), 'target')
      })
      t.equal(packets.eth1, 0)
    }
    t.equal(await kernel(), before)
  })

// 10.77.0.255 is everybody, and no router of anybody.
for (const router of ['', ',10.77.0.255'])
  t.test(
    `a network without a router (${router || 'none'}) reaches its own hosts and says what it cannot reach`,
    async t => {
      await using _server = await dnsmasq({ options: [`--dhcp-option=option:router${router}`] })
      await using opened = await open()
      t.match(await get({ ...opened.path.wire(), host: '10.77.0.1' }), 'target')
      const packets = await counted(() =>
        t.rejects(get(opened.path.wire()), { code: 'no-route', side: 'network' }),
      )
      t.equal(packets.eth1, 0)
    },
  )

t.test('a router outside of the subnet that does not answer is said to be there', async t => {
  await using _server = await dnsmasq({ options: ['--dhcp-option=option:router,10.99.0.1'] })
  await using opened = await open()
  t.equal(opened.path.gateway, '10.99.0.1')
  await t.rejects(gateway.run(opened.path, AbortSignal.timeout(300)), {
    message: /^10\.99\.0\.1 does not answer, and is outside of the subnet of 10\.77\.0\.5\d\/24/,
  })
})
