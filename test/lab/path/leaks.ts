import t from 'tap'
import { counted, dnsmasq, exec, get, heard, ipIn, open, port, target } from './scene.ts'

t.test('with localAddress alone a request leaks on the management interface and is answered', async t => {
  await ipIn('sensor', 'address add 10.77.0.200/24 dev eth0 noprefixroute')
  const packets = await counted(() => get({ localAddress: '10.77.0.200' }).catch(() => undefined))
  await ipIn('sensor', 'address del 10.77.0.200/24 dev eth0')
  t.ok(packets.eth1 > 0, `${packets.eth1} packets leaked: the counter sees a leak`)
})

t.test('every request over a path leaves on its interface and on no other', async t => {
  await using _server = await dnsmasq()
  await using opened = await open()
  const { path } = opened
  const cases: [string, () => Promise<unknown>][] = [
    ['to a literal address', () => get(path.wire())],
    ['to a name', () => get({ ...path.wire(), host: 'scep.example.org' })],
    ['without our agent', () => get({ localAddress: path.address, lookup: path.lookup, agent: false })],
    [
      'by a bare socket',
      async () => {
        const socket = await path.connect('scep.example.org', port, AbortSignal.timeout(2_000))
        socket.destroy()
      },
    ],
  ]
  for (const [sentence, request] of cases) {
    const packets = await counted(request)
    t.ok(packets.eth0 > 0, `${sentence}: ${packets.eth0} packets on eth0`)
    t.equal(packets.eth1, 0, `${sentence}: none on eth1`)
  }
  t.match(await get(path.wire()), `target ${path.address}`)
})

t.test('a rule of somebody else that overtakes ours makes requests fail, not leak', async t => {
  // An address of its own: the kernel answers for closed connections of earlier paths too, and nothing of ours sees that.
  await using _server = await dnsmasq({ range: '10.77.0.70,10.77.0.70' })
  await using opened = await open()
  const { path } = opened
  await ipIn('sensor', `rule add pref 10 from ${path.address} table main`)
  const packets = await counted(async () => {
    await t.rejects(get(path.wire()), { code: 'path-broken', detail: /eth1/ }, 'a literal address')
    await t.rejects(get({ ...path.wire(), host: 'scep.example.org' }), { code: 'path-broken' }, 'a name')
    await t.rejects(
      path.connect(target, port, AbortSignal.timeout(2_000)),
      { code: 'path-broken' },
      'a socket',
    )
    await t.rejects(path.verify(target), { code: 'path-broken' })
  })
  t.equal(packets.eth1, 0, 'not one packet leaked')
  await ipIn('sensor', `rule del pref 10 from ${path.address} table main`)
  t.match(await get(path.wire()), 'target', 'and all is well when it is gone')
})

const damages: [string, (address: string, table: number) => string[]][] = [
  ['its rule is deleted', address => [`rule del pref 77 from ${address}`]],
  [
    'its rule and the dead end behind it are deleted',
    address => [`rule del from ${address}`, `rule del from ${address}`],
  ],
  ['its table is flushed', (_, table) => [`route flush table ${table}`]],
  ['its address is deleted', address => [`address del ${address}/24 dev eth0`]],
]
for (const [sentence, damage] of damages)
  t.test(`when ${sentence} nothing leaks, connections are closed, and it is put back`, async t => {
    await using _server = await dnsmasq()
    await using opened = await open()
    const { path, events } = opened
    const socket = await path.connect(target, port, AbortSignal.timeout(2_000))
    const ended = new Promise<Error | undefined>(resolve => {
      socket.once('error', resolve)
    })
    const packets = await counted(async () => {
      await ipIn('sensor', ...damage(path.address, path.table))
      // Whether it is noticed first or the request comes first: it either fails or goes the right way.
      await get(path.wire()).catch(() => undefined)
      await heard(events, 'repaired', 'the path is repaired')
    })
    t.match(await ended, { code: 'path-broken', detail: /somebody removed/ })
    t.equal(packets.eth1, 0, 'not one packet leaked')
    t.match(await get(path.wire()), `target ${path.address}`, 'it works again')
  })

t.test(
  'while the link is down requests fail without leaking, and after it is up they work again',
  async t => {
    await using _server = await dnsmasq()
    await using opened = await open()
    const { path, events } = opened
    const packets = await counted(async () => {
      await ipIn('sensor', 'link set eth0 down')
      await heard(events, 'carrier', 'the loss of the link is noticed')
      await t.rejects(get(path.wire()), { code: 'path-broken' })
      await t.rejects(get({ ...path.wire(), host: 'scep.example.org' }), { code: 'path-broken' })
      await ipIn('sensor', 'link set eth0 up')
      await heard(events, 'repaired', 'the routes are put back')
    })
    t.equal(packets.eth1, 0, 'not one packet leaked')
    t.match(await get(path.wire()), `target ${path.address}`)
  },
)

t.test('a request that is already bound finds a dead end in the kernel, not the main table', async t => {
  await using _server = await dnsmasq()
  await using opened = await open()
  const { path } = opened
  // No agent and a literal address: nothing of ours looks at the route. The table is emptied in the same command.
  const careless = `ip route flush table ${path.table}; ip -j route get ${target} from ${path.address}`
  const packets = await counted(async () => {
    const answer = await exec('sensor', 'sh', ['-c', `${careless} 2>&1 || true`])
    t.match(answer, /unreachable|No route|eth0/)
    await get({ localAddress: path.address, agent: false }).catch(() => undefined)
  })
  t.equal(packets.eth1, 0)
})
