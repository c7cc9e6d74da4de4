import t from 'tap'
import type { Lease } from '../../../agent/path/lease.ts'
import {
  checkInterfaceName,
  configureCommands,
  leftoverAddress,
  leftoverRules,
  leftoverSources,
  outdatedCommands,
  prepareCommands,
  removeCommands,
  ruleCommands,
  tableOf,
} from '../../../agent/path/routing.ts'

const lease: Lease = {
  address: '10.77.0.50',
  prefix: 24,
  gateway: '10.77.0.1',
  routes: [],
  dns: [],
  ntp: [],
  search: [],
  seconds: 3600,
  server: '10.77.0.1',
  obtainedAt: new Date(0),
}

t.test('the table belongs to the interface', async t => {
  t.equal(tableOf(2), 7702)
})

t.test('before the address is known the interface has a table with a dead end and two rules', async t => {
  t.same(prepareCommands('eth0', 7702), [
    '-rule add pref 77 oif eth0 table 7702 protocol 83',
    '-rule add pref 78 oif eth0 unreachable protocol 83',
    'route replace unreachable default metric 4294967295 table 7702 proto 83',
  ])
})

t.test('the rules of the address come in front of the address, which brings no route of its own', async t => {
  t.same(
    [...ruleCommands(7702, lease), ...configureCommands('eth0', 7702, lease)],
    [
      '-rule add pref 77 from 10.77.0.50 table 7702 protocol 83',
      '-rule add pref 78 from 10.77.0.50 unreachable protocol 83',
      'address replace 10.77.0.50/24 dev eth0 noprefixroute valid_lft 3600 preferred_lft 3600',
      'route replace 10.77.0.0/24 dev eth0 src 10.77.0.50 table 7702 proto 83 scope link',
      'route replace default via 10.77.0.1 dev eth0 src 10.77.0.50 table 7702 proto 83 onlink',
    ],
  )
})

const lifetimes: [number, string][] = [
  [4294967295, 'forever'],
  [86400, '86400'],
  [30, '122'],
]
for (const [seconds, expected] of lifetimes)
  t.test(`a lease of ${seconds} s lets the kernel keep the address for ${expected}`, async t => {
    const [address] = configureCommands('eth0', 7702, { ...lease, seconds })
    t.match(address, `valid_lft ${expected} preferred_lft ${expected}`)
  })

t.test('a lease without a router has no default route', async t => {
  const { gateway: _, ...without } = lease
  t.notMatch(configureCommands('eth0', 7702, without).join('\n'), 'default')
})

t.test(
  'classless routes go into the table of the interface, and those that a renewal no longer has go',
  async t => {
    const routed: Lease = {
      ...lease,
      routes: [
        { to: '10.55.0.0/24', via: '10.77.0.2' },
        { to: '10.60.0.1', via: undefined },
      ],
    }
    t.same(configureCommands('eth0', 7702, routed).slice(3), [
      'route replace 10.55.0.0/24 via 10.77.0.2 dev eth0 src 10.77.0.50 table 7702 proto 83 onlink',
      'route replace 10.60.0.1 dev eth0 src 10.77.0.50 table 7702 proto 83 scope link',
    ])
    const { gateway: _, ...rest } = lease
    t.same(outdatedCommands('eth0', 7702, routed, { ...rest, routes: routed.routes.slice(0, 1) }), [
      '-route del default dev eth0 table 7702 proto 83',
      '-route del 10.60.0.1 dev eth0 table 7702 proto 83',
    ])
    t.same(outdatedCommands('eth0', 7702, routed, routed), [])
  },
)

t.test('what is removed is what was put in place, the address first and the rules behind it', async t => {
  t.same(removeCommands('eth0', 7702, lease), [
    '-address del 10.77.0.50/24 dev eth0',
    '-rule del pref 77 from 10.77.0.50 table 7702 protocol 83',
    '-rule del pref 78 from 10.77.0.50 unreachable protocol 83',
    '-rule del pref 77 oif eth0 table 7702 protocol 83',
    '-rule del pref 78 oif eth0 unreachable protocol 83',
    '-route flush table 7702 proto 83',
  ])
})

t.test('leftovers are known by the protocol number and nothing else is touched', async t => {
  const rules = [
    { priority: 0, src: 'all', table: 'local' },
    { priority: 77, src: 'all', oif: 'eth0', table: '7702', protocol: '83' },
    { priority: 77, src: '10.77.0.50', table: '7702', protocol: '83' },
    { priority: 78, src: '10.77.0.50', action: 'unreachable', protocol: '83' },
    { priority: 77, src: '10.99.0.1', table: '99' },
    { priority: 32766, src: 'all', table: 'main' },
  ]
  t.same(leftoverRules(rules), {
    commands: [
      '-rule del pref 77 from all oif eth0 protocol 83',
      '-rule del pref 77 from 10.77.0.50 protocol 83',
      '-rule del pref 78 from 10.77.0.50 protocol 83',
    ],
    addresses: ['10.77.0.50', '10.77.0.50'],
  })
  t.same(leftoverSources([{ table: '7702' }, { prefsrc: '10.77.0.50', dev: 'eth0' }]), ['10.77.0.50'])
  const standing = [
    { ifname: 'eth0', addr_info: [{ local: '10.77.0.50', prefixlen: 24, noprefixroute: true }] },
    { ifname: 'eth1', addr_info: [{ local: '10.77.0.50', prefixlen: 24 }] },
  ]
  t.same(leftoverAddress('10.77.0.50', standing), ['-address del 10.77.0.50/24 dev eth0'])
})

t.test('an interface name that could be more than a name is refused', async t => {
  for (const name of ['eth0', 'wlx00c0ca123456', 'br-lan.7', 'eth0:1'])
    t.equal(checkInterfaceName(name), name)
  for (const name of ['', '-all', 'eth0 up', 'eth0\nlink', '../eth0', 'sixteencharacters', 'et/h'])
    t.throws(() => checkInterfaceName(name), { code: 'no-interface' }, JSON.stringify(name))
})
