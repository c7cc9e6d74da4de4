import { spawnSync } from 'node:child_process'
import t from 'tap'
import { networkOf, parseRecord, script, splitRecords, type DhcpEvent } from '../../../agent/path/lease.ts'

const now = new Date('2026-03-01T12:00:00Z')

/** Runs the script as udhcpc does, by a real shell, and reads what it wrote. */
function scripted(event: string, variables: Record<string, string>): (DhcpEvent | undefined)[] {
  const { stdout } = spawnSync('/bin/sh', [event], {
    cwd: folder,
    env: variables,
    input: '',
    encoding: 'utf8',
  })
  const { records, rest } = splitRecords(stdout)
  t.equal(rest, '', 'the record is complete')
  return records.map(record => parseRecord(record, now))
}

const folder = t.testdir(
  Object.fromEntries(['deconfig', 'bound', 'renew', 'nak', 'leasefail'].map(e => [e, script])),
)

const office = {
  ip: '10.77.0.50',
  mask: '24',
  router: '10.77.0.1 10.77.0.2',
  dns: '10.77.0.1 10.77.0.3',
  domain: 'example.org',
  search: 'lab.example.org example.org',
  mtu: '1400',
  ntpsrv: '10.77.0.1',
  lease: '3600',
  serverid: '10.77.0.1',
}
const lease = {
  address: '10.77.0.50',
  prefix: 24,
  gateway: '10.77.0.1',
  routes: [],
  dns: ['10.77.0.1', '10.77.0.3'],
  ntp: ['10.77.0.1'],
  search: ['lab.example.org', 'example.org'],
  mtu: 1400,
  seconds: 3600,
  server: '10.77.0.1',
  obtainedAt: now,
}

const cases: [string, string, Record<string, string>, unknown[]][] = [
  [
    'a first lease is told with everything it brought',
    'bound',
    office,
    [{ kind: 'lease', renewed: false, lease }],
  ],
  ['a renewal is told as such', 'renew', office, [{ kind: 'lease', renewed: true, lease }]],
  ['the start and the loss of an address are told', 'deconfig', {}, [{ kind: 'deconfig' }]],
  [
    'a refusal is told in the words of the server, without control characters',
    'nak',
    { message: 'address\nnot available' },
    [{ kind: 'nak', message: 'address?not available' }],
  ],
  ['the end of a round of retries means nothing', 'leasefail', office, [undefined]],
  [
    'a bare lease has no gateway, no servers, one hour and a mask of one host',
    'bound',
    { ip: '192.0.2.7' },
    [{ kind: 'lease', renewed: false, lease: { ...bare('192.0.2.7') } }],
  ],
  [
    'a domain that is no name is dropped, whatever it holds',
    'bound',
    { ip: '192.0.2.7', domain: 'a\nevent=nak\n$(reboot)' },
    [{ kind: 'lease', renewed: false, lease: bare('192.0.2.7') }],
  ],
  ...['68', '1500', '9000', '-1', 'x'].map((mtu): (typeof cases)[number] => [
    `packets of ${mtu} bytes at most are no reason to send shorter ones`,
    'bound',
    { ip: '192.0.2.7', mtu },
    [{ kind: 'lease', renewed: false, lease: bare('192.0.2.7') }],
  ]),
  [
    'domains to search (option 119) come in the place of that of the network, and what is no name is dropped',
    'bound',
    { ...office, search: 'eu.example.org. x..y -s example.org' },
    [{ lease: { search: ['eu.example.org', 'example.org'] } }],
  ],
  [
    'several domains where one belongs (option 15) are all searched',
    'bound',
    { ...office, search: '', domain: 'a.example.org b.example.org' },
    [{ lease: { search: ['a.example.org', 'b.example.org'] } }],
  ],
  [
    'what is no IPv4 address among the servers is dropped',
    'bound',
    { ip: '192.0.2.7', dns: 'x 192.0.2.1 999.1.1.1', router: '-s 192.0.2.1' },
    [
      {
        kind: 'lease',
        renewed: false,
        lease: { ...bare('192.0.2.7'), gateway: '192.0.2.1', dns: ['192.0.2.1'] },
      },
    ],
  ],
  [
    'what can be no router and no server is dropped: there others are asked, or none',
    'bound',
    {
      ...{
        ip: '192.0.2.7',
        router: '0.0.0.0 192.0.2.7 192.0.2.1',
        dns: '127.0.0.1 255.255.255.255 192.0.2.2',
      },
      ntpsrv: '0.0.0.0',
    },
    [{ lease: { ...bare('192.0.2.7'), gateway: '192.0.2.1', dns: ['192.0.2.2'], ntp: [] } }],
  ],
  [
    'the subnet itself and its broadcast address are no routers',
    'bound',
    { ...office, mask: '25', router: '10.77.0.0 10.77.0.127 10.77.0.255' },
    [{ lease: { gateway: '10.77.0.255' } }],
  ],
  [
    'of a subnet of two addresses each is a host (RFC 3021)',
    'bound',
    { ...office, mask: '31', router: '10.77.0.51' },
    [{ lease: { prefix: 31, gateway: '10.77.0.51' } }],
  ],
  [
    'classless routes (option 121) are taken, and the router of option 3 is not used beside them (RFC 3442)',
    'bound',
    { ...office, staticroutes: '10.55.0.9/24 10.77.0.2 10.60.0.1/32 10.77.0.3 0.0.0.0/0 10.77.0.4' },
    [
      {
        lease: {
          gateway: '10.77.0.4',
          routes: [
            { to: '10.55.0.0/24', via: '10.77.0.2' },
            { to: '10.60.0.1', via: '10.77.0.3' },
          ],
        },
      },
    ],
  ],
  [
    'classless routes that are none leave the router of option 3 in force',
    'bound',
    { ...office, staticroutes: 'x y' },
    [{ lease: { gateway: '10.77.0.1', routes: [] } }],
  ],
  ...(
    [
      ...['0.0.0.0', '127.0.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255', 'rm -rf', ''].map(ip => [
        { ip },
        /cannot be used/,
      ]),
      [{ ip: '10.77.0.0' }, /"10\.77\.0\.0", .*: it is that of the whole subnet 10\.77\.0\.0\/24/],
      [{ ip: '10.77.0.255' }, /"10\.77\.0\.255", .*: it is the broadcast address of 10\.77\.0\.0\/24/],
      [{ ip: '10.77.3.255', mask: '22', subnet: '255.255.252.0' }, /broadcast address of 10\.77\.0\.0\/22/],
      [{ subnet: '255.0.255.0' }, /the subnet mask 255\.0\.255\.0/],
      [{ subnet: '0.0.0.0', mask: '0' }, /the subnet mask 0\.0\.0\.0/],
      [{ subnet: '254.0.0.0', mask: '7' }, /the subnet mask 254\.0\.0\.0/],
      [{ mask: '33' }, /the subnet mask \/33/],
      [{ mask: '-1' }, /the subnet mask \/-1/],
    ] as [Record<string, string>, RegExp][]
  ).map(([wrong, detail]): [string, string, Record<string, string>, unknown[]] => [
    `what no host can have is refused: ${JSON.stringify(wrong)}`,
    'bound',
    { ...office, ...wrong },
    [{ kind: 'malformed', detail }],
  ]),
  ...(
    [
      [
        { ip: '10.77.0.255', mask: '22', subnet: '255.255.252.0' },
        22,
        'in a larger subnet 255 is a host like others',
      ],
      [
        { ip: '10.77.0.0', mask: '31', subnet: '255.255.255.254' },
        31,
        'a link of two has no other addresses (RFC 3021)',
      ],
      [{ ip: '10.77.0.255', mask: '31', subnet: '255.255.255.254' }, 31, 'and the second is the other'],
      [
        { ip: '10.77.0.255', mask: '32', subnet: '255.255.255.255' },
        32,
        'a host alone, as clouds and hotels have it',
      ],
    ] as [Record<string, string>, number, string][]
  ).map(([given, prefix, why]): [string, string, Record<string, string>, unknown[]] => [
    `${given['ip'] ?? ''}/${String(prefix)} is taken: ${why}`,
    'bound',
    { ...office, ...given },
    [{ kind: 'lease', lease: { address: given['ip'], prefix, gateway: '10.77.0.1' } }],
  ]),
  [
    'the broadcast address of the subnet is no router, and no route leads over it',
    'bound',
    { ...office, router: '10.77.0.255 10.77.0.0 10.77.0.1' },
    [{ lease: { gateway: '10.77.0.1' } }],
  ],
  [
    'a router outside the subnet is used: it may be reached all the same',
    'bound',
    { ...office, router: '10.99.0.1' },
    [{ lease: { gateway: '10.99.0.1' } }],
  ],
]

function bare(address: string): Record<string, unknown> {
  return {
    address,
    prefix: 32,
    gateway: undefined,
    mtu: undefined,
    search: [],
    routes: [],
    dns: [],
    ntp: [],
    seconds: 3600,
    server: '0.0.0.0',
  }
}

for (const [sentence, event, variables, expected] of cases)
  t.test(sentence, async t => {
    t.match(scripted(event, variables), expected)
  })

t.test(
  'a classless route without a router is on the link; what the kernel would refuse is dropped',
  async t => {
    const routes = [
      ...['10.55.0.0/24 0.0.0.0', '10.56.0.0/33 10.77.0.2', 'x y', '10.57.0.0/16 127.0.0.1'],
      ...['10.58.0.0/16 10.77.0.50', '127.0.0.0/8 10.77.0.2', '10.61.0.0/16 10.77.0.255', '10.59.0.0/16'],
    ]
    const [told] = scripted('bound', { ...office, staticroutes: routes.join(' ') })
    const given = told?.kind === 'lease' ? told.lease : undefined
    t.same(given?.routes, [{ to: '10.55.0.0/24', via: undefined }])
    t.equal(given?.gateway, undefined)
  },
)

t.test('a record that arrives in pieces is read once it is whole', async t => {
  const whole = 'event=bound\0ip=10.0.0.9\0\0event=deconfig\0\0event=re'
  const first = splitRecords(whole)
  t.same(first, { records: ['event=bound\0ip=10.0.0.9', 'event=deconfig'], rest: 'event=re' })
  t.same(splitRecords(`${first.rest}new\0\0`), { records: ['event=renew'], rest: '' })
})

t.test('the network of an address', async t => {
  const table: [string, number, string][] = [
    ['10.77.0.50', 24, '10.77.0.0'],
    ['10.77.200.50', 20, '10.77.192.0'],
    ['192.168.255.255', 1, '128.0.0.0'],
    ['192.0.2.7', 32, '192.0.2.7'],
    ['192.0.2.7', 31, '192.0.2.6'],
  ]
  for (const [address, prefix, network] of table) t.equal(networkOf(address, prefix), network)
})
