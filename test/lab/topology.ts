import type { Namespaces } from './namespace.ts'

/** The two networks behind the switch: the port is in the one that belongs to who authenticated. */
export const segments = ['enroll', 'tested'] as const
export type Segment = (typeof segments)[number]

export const subnets: Readonly<Record<Segment, string>> = { enroll: '10.77.0', tested: '10.78.0' }

/** Addresses in the backend, reached over every segment and over the management network. */
export const addresses = {
  scep: '10.55.0.10',
  broker: '10.55.0.20',
  /** On a link of its own between switch and backend. */
  radius: '10.99.0.2',
  authenticator: '10.99.0.1',
  managementGateway: '10.88.0.1',
  managementSensor: '10.88.0.2',
} as const

/** One cable from the sensor to the switch. */
export type Port = { sensor: string; name: string; mac: string }

export const ports: readonly Port[] = [
  { sensor: 'eth0', name: 'swp1', mac: '02:00:00:00:00:10' },
  { sensor: 'eth2', name: 'swp2', mac: '02:00:00:00:00:12' },
]

/** Bridge port flags of a port nobody has authenticated on: nothing in, nothing out but EAPOL. */
export const closed = 'learning off locked on flood off mcast_flood off bcast_flood off'

export type TopologyOptions = { ports: readonly Port[]; management: boolean }

/**
 * Lays the cables and raises the switch: sensor eth0 — swp1, in br-enroll or br-tested, each with its own uplink to the
 * backend; a RADIUS link of the switch; eth1 for management. With `learning on` or without `no_linklocal_learn` one
 * EAPOL frame would unlock a port; `locked` judges arriving frames only, hence the flood flags.
 */
export async function layCables(spaces: Namespaces, options: TopologyOptions): Promise<void> {
  await Promise.all([ipv6Off(spaces, 'switch'), ipv6Off(spaces, 'backend'), arpByInterface(spaces)])
  const [sensor, backend] = [spaces.name('sensor'), spaces.name('backend')]
  await spaces.ip('switch', [
    ...options.ports.map(
      port =>
        `link add name ${port.name} type veth peer name ${port.sensor} address ${port.mac} netns ${sensor}`,
    ),
    ...segments.flatMap(segment => [
      `link add name up-${segment} type veth peer name lan-${segment} netns ${backend}`,
      `link add name br-${segment} type bridge stp_state 0 forward_delay 0 no_linklocal_learn 1 mcast_snooping 0`,
      `link set up-${segment} master br-${segment} up`,
      `link set br-${segment} up`,
    ]),
    ...options.ports.flatMap(port => [
      `link set ${port.name} master br-enroll`,
      `link set ${port.name} type bridge_slave ${closed}`,
      `link set ${port.name} up`,
    ]),
    `link add name rad0 type veth peer name rad0 netns ${backend}`,
    `addr add ${addresses.authenticator}/24 dev rad0`,
    'link set rad0 up',
    'link set lo up',
  ])
  await Promise.all([raiseBackend(spaces, options), raiseSensor(spaces, options)])
}

/** Otherwise Linux answers ARP for the gateway of one segment in the other, too. */
async function arpByInterface(spaces: Namespaces): Promise<void> {
  await spaces.exec('backend', 'sh', ['-c', 'echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore'])
}

async function ipv6Off(spaces: Namespaces, role: 'switch' | 'backend'): Promise<void> {
  const settings = ['all', 'default'].map(name => `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`)
  // A kernel without IPv6 has no such files.
  const off = settings.map(file => `[ ! -e ${file} ] || echo 1 > ${file}`)
  await spaces.exec(role, 'sh', ['-c', off.join('; ')])
}

async function raiseBackend(spaces: Namespaces, { management }: TopologyOptions): Promise<void> {
  await spaces.ip('backend', [
    'link set lo up',
    `addr add ${addresses.scep}/32 dev lo`,
    `addr add ${addresses.broker}/32 dev lo`,
    `addr add ${addresses.radius}/24 dev rad0`,
    'link set rad0 up',
    ...segments.flatMap(segment => [
      `addr add ${subnets[segment]}.1/24 dev lan-${segment}`,
      `link set lan-${segment} up`,
    ]),
    ...(management
      ? [
          `link add name mgmt0 type veth peer name eth1 address 02:00:00:00:00:11 netns ${spaces.name('sensor')}`,
          `addr add ${addresses.managementGateway}/24 dev mgmt0`,
          'link set mgmt0 up',
        ]
      : []),
  ])
  if (!management) return
  // The management network, too, leads to the SCEP server: a request that leaks out of eth1 would succeed there.
  await spaces.ip('sensor', [
    `addr add ${addresses.managementSensor}/24 dev eth1`,
    'link set eth1 up',
    `route add 10.55.0.0/24 via ${addresses.managementGateway} dev eth1`,
  ])
}

async function raiseSensor(spaces: Namespaces, options: TopologyOptions): Promise<void> {
  await spaces.ip('sensor', ['link set lo up', ...options.ports.map(port => `link set ${port.sensor} up`)])
}
