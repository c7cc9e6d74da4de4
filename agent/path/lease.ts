import { isIPv4 } from 'node:net'

export interface Route {
  /** As the kernel shows it: `10.55.0.0/24`, `10.60.0.1`. */
  to: string
  /** On the link without it. */
  via: string | undefined
}

/** What a DHCP server gave. Addresses are dotted quads. */
export interface Lease {
  address: string
  /** Length of the subnet mask, 0–32. */
  prefix: number
  gateway?: string
  /** Beside the default route and that to the subnet (RFC 3442). */
  routes: Route[]
  dns: string[]
  ntp: string[]
  /** Domains that complete a short name: option 119, else 15. */
  search: string[]
  /** Bytes of a packet that the network carries (option 26), where it is less than the interface does. */
  mtu?: number
  /** Lease time in seconds as the server said; 4294967295 is for ever (RFC 2131 §3.3). */
  seconds: number
  /** Identifier of the server (option 54). */
  server: string
  obtainedAt: Date
}

/** One run of the DHCP client's script. */
export type DhcpEvent =
  | { kind: 'lease'; renewed: boolean; lease: Lease }
  | { kind: 'deconfig' }
  | { kind: 'nak'; message: string }
  | { kind: 'malformed'; detail: string }

/** Names that udhcpc gives to the options we ask for (1, 3, 6, 15, 26, 42, 51, 54, 119, 121) and to its own fields. */
const variables = [
  ...['ip', 'subnet', 'mask', 'router', 'staticroutes', 'dns', 'domain', 'search', 'mtu', 'ntpsrv', 'lease'],
  ...['serverid', 'message'],
] as const

/** Options asked of the server; with `-o` udhcpc asks for no others. */
export const requestedOptions = [
  ...['subnet', 'staticroutes', 'router', 'dns', 'domain', 'search', 'mtu', 'ntpsrv', 'lease', 'serverid'],
] as const

/**
 * The script of the DHCP client, the same text under the name of every event. It changes nothing: it writes
 * the event to standard output, our pipe, as `name=value` ended by NUL each and by one more NUL at the end, because a
 * value comes from the network and may hold anything else. At `deconfig` it then waits for a line on standard input: the
 * client runs it before its first DISCOVER, so a client started early is held here until the port is open.
 */
export const script = `printf 'event=%s\\0${variables.map(name => `${name}=%s\\0`).join('')}\\0' "\${0##*/}" ${variables
  .map(name => `"$${name}"`)
  .join(' ')}
case "$0" in *deconfig) read -r _ || : ;; esac
`

/** Events for which the client runs a script; `leasefail` ends a round of retries and tells us nothing. */
export const scriptNames = ['deconfig', 'bound', 'renew', 'nak', 'leasefail'] as const

/** Splits what arrived into whole records and the rest. */
export function splitRecords(text: string): { records: string[]; rest: string } {
  const records = text.split('\0\0')
  const rest = records.pop() ?? ''
  return { records, rest }
}

/** Without those that no other host can have, e.g. 0.0.0.0 for `none`. */
const addresses = (text: string | undefined): string[] =>
  (text ?? '').split(' ').filter(word => isIPv4(word) && usable(word))

/** The names among them; some servers give several in the option for one. */
const domains = (text: string | undefined): string[] =>
  (text ?? '')
    .split(' ')
    .map(word => word.replace(/\.$/, ''))
    .filter(word => word.length <= 253 && /^(?:(?!-)[A-Za-z0-9_-]{1,63}(?:\.|$))+$/.test(word))

/** Bytes: what every host has to take (RFC 791), and what an interface carries by itself. */
const leastMtu = 576
const ethernet = 1500

/** More do not fit into one option. */
const mostRoutes = 64

/** Option 121 as udhcpc writes it: `10.55.0.0/24 10.77.0.2 0.0.0.0/0 10.77.0.1`. */
function classlessRoutes(text: string): Route[] {
  const words = text.split(' ')
  return words.slice(0, 2 * mostRoutes).flatMap((word, place) => {
    const [, address = '', length = ''] = /^([\d.]+)\/(\d+)$/.exec(word) ?? []
    const router = words[place + 1] ?? ''
    if (place % 2 === 1 || !isIPv4(address) || Number(length) > 32 || !isIPv4(router)) return []
    // The kernel takes none to a part of 127/8, nor any of these as a router.
    if ((router !== '0.0.0.0' && !usable(router)) || (Number(length) >= 8 && !usable(address))) return []
    return [{ to: destination(address, Number(length)), via: router === '0.0.0.0' ? undefined : router }]
  })
}

/** Reads one record of the script; `undefined` for an event that means nothing to us. */
export function parseRecord(record: string, now: Date): DhcpEvent | undefined {
  const fields = new Map<string, string>()
  for (const field of record.split('\0')) {
    const at = field.indexOf('=')
    if (at > 0) fields.set(field.slice(0, at), field.slice(at + 1))
  }
  const event = fields.get('event') ?? ''
  switch (event) {
    case 'deconfig':
      return { kind: 'deconfig' }
    case 'nak':
      return { kind: 'nak', message: printable(fields.get('message') ?? '') }
    case 'bound':
    case 'renew':
      return parseLease(fields, event === 'renew', now)
    default:
      return undefined
  }
}

function parseLease(fields: ReadonlyMap<string, string>, renewed: boolean, now: Date): DhcpEvent {
  const address = fields.get('ip') ?? ''
  const prefix = prefixOf(fields)
  const server = addresses(fields.get('serverid'))[0] ?? '0.0.0.0'
  const wrong = prefix === undefined ? badMask(fields) : badAddress(address, prefix)
  if (prefix === undefined || wrong !== undefined)
    return { kind: 'malformed', detail: `${server} gave ${wrong ?? ''}` }
  const canRoute = (router: string): boolean => router !== address && isHost(router, address, prefix)
  const given = classlessRoutes(fields.get('staticroutes') ?? '').filter(
    ({ via }) => via === undefined || canRoute(via),
  )
  const isDefault = ({ to, via }: Route): boolean => to === 'default' && via !== undefined
  // Whoever gives classless routes gives the default one among them: the router of option 3 is for others (RFC 3442).
  const routers =
    given.length > 0 ? given.filter(isDefault).map(({ via }) => via) : addresses(fields.get('router'))
  const gateway = routers.find(router => router !== undefined && canRoute(router))
  const searched = domains(fields.get('search'))
  const mtu = Number(fields.get('mtu') ?? '')
  const lease: Lease = {
    address,
    prefix,
    routes: given.filter(route => !isDefault(route)),
    dns: addresses(fields.get('dns')),
    ntp: addresses(fields.get('ntpsrv')),
    search: searched.length > 0 ? searched : domains(fields.get('domain')),
    seconds: Number(fields.get('lease')) || 3600,
    server,
    obtainedAt: now,
  }
  if (gateway !== undefined) lease.gateway = gateway
  if (mtu >= leastMtu && mtu < ethernet) lease.mtu = mtu
  return { kind: 'lease', renewed, lease }
}

/** No subnet has a shorter mask. */
const shortestPrefix = 8

/** Of one host where the server gave no mask; undefined where it is none. udhcpc counts the bits and does not look whether there are holes. */
function prefixOf(fields: ReadonlyMap<string, string>): number | undefined {
  const dotted = fields.get('subnet') ?? ''
  const length = fields.get('mask') ?? ''
  if (dotted === '' && length === '') return 32
  const prefix = Number(length)
  const isMask = dotted === '' || networkOf('255.255.255.255', prefix) === dotted
  return Number.isInteger(prefix) && prefix >= shortestPrefix && prefix <= 32 && isMask ? prefix : undefined
}

function badMask(fields: ReadonlyMap<string, string>): string {
  const dotted = fields.get('subnet') ?? ''
  const mask = dotted === '' ? `/${fields.get('mask') ?? ''}` : dotted
  return `the subnet mask ${printable(mask)}, which cannot be used`
}

/** Why no host can have the address, or undefined. */
function badAddress(address: string, prefix: number): string | undefined {
  const given = `the address ${JSON.stringify(printable(address))}, which cannot be used`
  if (!isIPv4(address) || !usable(address)) return given
  if (isHost(address, address, prefix)) return undefined
  const subnet = destination(address, prefix)
  return networkOf(address, prefix) === address
    ? `${given}: it is that of the whole subnet ${subnet}`
    : `${given}: it is the broadcast address of ${subnet}`
}

/** Not of a link of two or of one, whose router is outside by design. */
export const hasOutsideGateway = ({ address, prefix, gateway }: Lease): boolean =>
  gateway !== undefined && prefix <= 30 && networkOf(gateway, prefix) !== networkOf(address, prefix)

/** Whether it is neither the first nor the last of the subnet of `within`; with two addresses or one there are no such (RFC 3021). */
function isHost(address: string, within: string, prefix: number): boolean {
  const first = networkOf(within, prefix)
  if (prefix > 30 || networkOf(address, prefix) !== first) return true
  return address !== first && numbered(address) !== numbered(first) + 2 ** (32 - prefix) - 1
}

/** A host cannot have these: 0/8, loopback, multicast and above. */
const usable = (address: string): boolean => {
  const first = Number(address.split('.')[0])
  return first > 0 && first !== 127 && first < 224
}

const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200)

/** The network of `address/prefix` as the kernel shows it as the destination of a route. */
export function destination(address: string, prefix: number): string {
  if (prefix === 0) return 'default'
  return prefix === 32 ? address : `${networkOf(address, prefix)}/${prefix}`
}

/** Network address of `address/prefix`, e.g. `10.77.0.50`, 24 → `10.77.0.0`. */
export function networkOf(address: string, prefix: number): string {
  const size = 2 ** (32 - prefix)
  return dotted(Math.floor(numbered(address) / size) * size)
}

const numbered = (address: string): number =>
  address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)
const dotted = (bits: number): string =>
  [24, 16, 8, 0].map(shift => Math.floor(bits / 2 ** shift) % 256).join('.')
