import { PathError } from './errors.ts'
import { destination, type Lease } from './lease.ts'

/** Marks every rule and route of ours (`/etc/iproute2/rt_protos` knows no 83), so that leftovers can be found. */
export const protocol = 83
/** Before anybody else's rules (VPN clients take 5000 and up), after the local table's 0. */
export const preference = 77

/** The interface's own table, away from the numbers that distributions and VPN clients use. */
export const tableOf = (ifindex: number): number => 7700 + ifindex

/** Interface names go into command text: only what the kernel allows and no space, slash or leading dash. */
export function checkInterfaceName(name: string): string {
  if (/^[A-Za-z0-9_.:][A-Za-z0-9_.:-]{0,14}$/.test(name)) return name
  throw new PathError('no-interface', `${JSON.stringify(name)} is not an interface name`)
}

/**
 * Two rules for one selector: into the table, and behind it a dead end. So a packet that the table does not route, or whose
 * first rule somebody deleted, finds the dead end and never the main table.
 */
const rules = (verb: 'add' | 'del', selector: string, table: number): string[] => [
  `-rule ${verb} pref ${preference} ${selector} table ${table} protocol ${protocol}`,
  `-rule ${verb} pref ${preference + 1} ${selector} unreachable protocol ${protocol}`,
]

/** What can be in place before the address is known. From here on nothing bound to the interface leaks. */
export const prepareCommands = (device: string, table: number): string[] => [
  ...rules('add', `oif ${device}`, table),
  `route replace unreachable default metric 4294967295 table ${table} proto ${protocol}`,
]

/** To come before the address itself. */
export const ruleCommands = (table: number, lease: Lease): string[] =>
  rules('add', `from ${lease.address}`, table)

/** Seconds for which the kernel keeps the address without us: a killed agent must not hold an address beyond its lease. */
const lifetime = ({ seconds }: Lease): string =>
  // udhcpc renews no lease before 61 s, however short it is.
  seconds >= 0xffffffff ? 'forever' : String(Math.max(seconds, 122))

const addressCommand = (device: string, lease: Lease): string =>
  `address replace ${lease.address}/${lease.prefix} dev ${device} noprefixroute valid_lft ${lifetime(lease)} preferred_lft ${lifetime(lease)}`

/** Address and routes of a lease; the link must be up. Running them again repairs whatever is missing. */
export const configureCommands = (device: string, table: number, lease: Lease): string[] => [
  addressCommand(device, lease),
  ...[
    { to: destination(lease.address, lease.prefix), via: undefined },
    ...(lease.gateway === undefined ? [] : [{ to: 'default', via: lease.gateway }]),
    ...lease.routes,
  ].map(({ to, via }) => {
    const mtu = lease.mtu === undefined ? '' : ` mtu ${lease.mtu}`
    const route = `dev ${device} src ${lease.address} table ${table} proto ${protocol}${mtu}`
    // `onlink`: some networks give a /32, or a router outside the subnet.
    return via === undefined
      ? `route replace ${to} ${route} scope link`
      : `route replace ${to} via ${via} ${route} onlink`
  }),
]

/** Removes the routes of a lease that the one after it has not. */
export function outdatedCommands(device: string, table: number, before: Lease, after: Lease): string[] {
  const destinations = ({ gateway, routes }: Lease): string[] => [
    ...(gateway === undefined ? [] : ['default']),
    ...routes.map(({ to }) => to),
  ]
  const kept = destinations(after)
  return destinations(before)
    .filter(to => !kept.includes(to))
    .map(to => `-route del ${to} dev ${device} table ${table} proto ${protocol}`)
}

/** Removes exactly what these put in place: the address first, the rules last, so that nothing can leak between. */
export const removeCommands = (device: string, table: number, lease: Lease | undefined): string[] => [
  ...(lease === undefined
    ? []
    : [
        `-address del ${lease.address}/${lease.prefix} dev ${device}`,
        ...rules('del', `from ${lease.address}`, table),
      ]),
  ...rules('del', `oif ${device}`, table),
  `-route flush table ${table} proto ${protocol}`,
]

interface RuleRow {
  priority?: number
  src?: string
  oif?: string
  protocol?: string
}
interface RouteRow {
  table?: string
  prefsrc?: string
  dev?: string
}
export interface AddressRow {
  ifname?: string
  flags?: string[]
  addr_info?: { local?: string; prefixlen?: number; noprefixroute?: boolean }[]
}

/** The rules among `rule show` that are ours, as commands that delete them, and the addresses they are about. */
export function leftoverRules(rows: unknown): { commands: string[]; addresses: string[] } {
  const ours = (rows as RuleRow[]).filter(row => row.protocol === String(protocol))
  return {
    commands: ours.map(({ priority = preference, src = 'all', oif }) =>
      [
        `-rule del pref ${priority} from ${src}`,
        ...(oif === undefined ? [] : [`oif ${oif}`]),
        `protocol ${protocol}`,
      ].join(' '),
    ),
    addresses: ours.flatMap(row => (row.src === undefined || row.src === 'all' ? [] : [row.src])),
  }
}

/** Addresses that our routes name as their source: they survive when somebody removed the rules only. */
export const leftoverSources = (rows: unknown): string[] =>
  (rows as RouteRow[]).flatMap(row => (row.prefsrc === undefined ? [] : [row.prefsrc]))

/** Deletes `address` where it stands as we add it, with `noprefixroute`; anybody else's is left alone. */
export const leftoverAddress = (address: string, rows: unknown): string[] =>
  (rows as AddressRow[]).flatMap(row =>
    (row.addr_info ?? [])
      .filter(info => info.local === address && info.noprefixroute === true)
      .map(info => `-address del ${address}/${info.prefixlen ?? 32} dev ${row.ifname ?? ''}`),
  )
