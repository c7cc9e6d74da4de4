import type { Namespaces, Role } from './namespace.ts'
import { addresses, segments, type Port, type Segment } from './topology.ts'

/** Packets of the sensor that arrived in the backend over one link. */
export type LinkCount = {
  ip: number
  scep: number
  broker: number
  dns: number
  dhcp: number
}

export type Counters = {
  /** IP and IPv6 packets of the sensor at the locked port: what the switch refused, and what it let into a segment. */
  port: { ipBlocked: number; ipPassed: number }
  enroll: LinkCount
  tested: LinkCount
  /** All zero without a management interface. */
  management: LinkCount
}

const links = { enroll: 'lan-enroll', tested: 'lan-tested', management: 'mgmt0' } as const
type Link = keyof typeof links

const matches: Readonly<Record<keyof LinkCount, string>> = {
  ip: 'meta protocol { ip, ip6 }',
  scep: `ip daddr ${addresses.scep}`,
  broker: `ip daddr ${addresses.broker}`,
  dns: 'meta l4proto { tcp, udp } th dport 53',
  dhcp: 'udp dport 67',
}
const kinds = Object.keys(matches) as (keyof LinkCount)[]

function linkRules(link: Link): string {
  return kinds.map(kind => `${matches[kind]} counter name ${link}_${kind}`).join('\n')
}

/** Counts at the backend's ends of the links, before anything is dropped there. */
function backendRules(present: readonly Link[]): string {
  return [
    'table netdev lab {',
    ...present.flatMap(link => [
      ...kinds.map(kind => `counter ${link}_${kind} {}`),
      `set ${link}_silent { type ipv4_addr; }`,
      `chain ${link} { type filter hook ingress device ${links[link]} priority 0;`,
      linkRules(link),
      `ip daddr @${link}_silent drop`,
      '}',
    ]),
    '}',
  ].join('\n')
}

/** Counts every IP packet as it arrives at a port, before the bridge judges it, and again where it leaves for the backend. */
function switchRules(ports: readonly Port[]): string {
  const names = ports.map(port => port.name).join(', ')
  return [
    'table netdev lab {',
    'counter arrived {}',
    `chain arrival { type filter hook ingress devices = { ${names} } priority 0;`,
    'meta protocol { ip, ip6 } counter name arrived',
    '}',
    '}',
    'table bridge lab {',
    'counter passed {}',
    'chain onward { type filter hook forward priority 0;',
    `iifname { ${names} } oifname "up-*" meta protocol { ip, ip6 } counter name passed`,
    '}',
    '}',
  ].join('\n')
}

type Listing = { nftables: { counter?: { name: string; packets: number } }[] }

async function read(spaces: Namespaces, role: Role): Promise<Map<string, number>> {
  const text = await spaces.exec(role, 'nft', ['-j', 'list', 'counters'])
  const { nftables } = JSON.parse(text) as Listing
  return new Map(nftables.flatMap(({ counter }) => (counter ? [[counter.name, counter.packets]] : [])))
}

export async function countPackets(spaces: Namespaces, ports: readonly Port[], management: boolean) {
  const present: Link[] = management ? [...segments, 'management'] : [...segments]
  await Promise.all([
    spaces.exec('switch', 'nft', ['-f', '-'], switchRules(ports)),
    spaces.exec('backend', 'nft', ['-f', '-'], backendRules(present)),
  ])
}

/** The counts since the lab was raised. */
export async function counters(spaces: Namespaces): Promise<Counters> {
  const [atSwitch, atBackend] = await Promise.all([read(spaces, 'switch'), read(spaces, 'backend')])
  const link = (name: Link) =>
    Object.fromEntries(kinds.map(kind => [kind, atBackend.get(`${name}_${kind}`) ?? 0])) as LinkCount
  const ipPassed = atSwitch.get('passed') ?? 0
  return {
    port: { ipBlocked: (atSwitch.get('arrived') ?? 0) - ipPassed, ipPassed },
    enroll: link('enroll'),
    tested: link('tested'),
    management: link('management'),
  }
}

/** Drops what comes over a link for an address of the backend without an answer, or no longer: a firewall that swallows. */
export async function silence(
  spaces: Namespaces,
  over: Segment | 'management',
  to: 'scep' | 'broker',
  silent: boolean,
): Promise<void> {
  const verb = silent ? 'add' : 'delete'
  await spaces.exec('backend', 'nft', [`${verb} element netdev lab ${over}_silent { ${addresses[to]} }`])
}
