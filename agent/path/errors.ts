/** Every code of a failure on a path. Stable: they are reported and never reused for something else. */
export type PathCode =
  | 'no-interface'
  | 'no-carrier'
  | 'no-privilege'
  | 'ip-failed'
  | 'dhcp-client-missing'
  | 'dhcp-client-failed'
  | 'dhcp-no-offer'
  | 'dhcp-no-ack'
  | 'dhcp-bad-lease'
  | 'lease-lost'
  | 'address-conflict'
  | 'no-route'
  | 'own-address'
  | 'path-broken'
  | 'path-closed'
  | 'ipv6-unsupported'
  | 'dns-none'
  | 'dns-not-found'
  | 'dns-timeout'
  | 'dns-failed'

export type PathSide = 'sensor' | 'network' | 'configuration'

interface Meaning {
  title: string
  side: PathSide
  retry: 'backoff' | 'change'
  hint: string
}

/** Who has to act and how, in one place; `detail` of the error tells what was seen. */
const meanings: Record<PathCode, Meaning> = {
  'no-interface': {
    title: 'The interface does not exist',
    side: 'configuration',
    retry: 'backoff',
    hint: 'Name an interface that `ip link` lists on the sensor, or plug the adapter in.',
  },
  'no-carrier': {
    title: 'The interface has no carrier',
    side: 'network',
    retry: 'backoff',
    hint: 'Check the cable and that the switch port is enabled.',
  },
  'no-privilege': {
    title: 'The agent may not configure the interface',
    side: 'sensor',
    retry: 'backoff',
    hint: 'Run the agent with CAP_NET_ADMIN, CAP_NET_RAW and CAP_NET_BIND_SERVICE, as the shipped unit does.',
  },
  'ip-failed': {
    title: 'The kernel refused an address, route or rule',
    side: 'sensor',
    retry: 'backoff',
    hint: 'Check that iproute2 is installed and the kernel has policy routing (CONFIG_IP_MULTIPLE_TABLES).',
  },
  'dhcp-client-missing': {
    title: 'The DHCP client cannot be started',
    side: 'sensor',
    retry: 'backoff',
    hint: 'Install the Debian packages udhcpc and util-linux.',
  },
  'dhcp-client-failed': {
    title: 'The DHCP client ended by itself',
    side: 'sensor',
    retry: 'backoff',
    hint: 'Its last words are in the detail; without CAP_NET_RAW and CAP_NET_BIND_SERVICE it cannot work.',
  },
  'dhcp-no-offer': {
    title: 'No DHCP server answered',
    side: 'network',
    retry: 'backoff',
    hint: 'Check that the port really opened, that it is in the right VLAN, and that a DHCP server or relay serves it.',
  },
  'dhcp-no-ack': {
    title: 'A DHCP server made an offer but did not confirm it',
    side: 'network',
    retry: 'backoff',
    hint: 'Look at the log of the DHCP server named here: free addresses, reservations, a second server.',
  },
  'dhcp-bad-lease': {
    title: 'The DHCP server gave an address or a mask that no host can have',
    side: 'network',
    retry: 'backoff',
    hint: 'Correct the range and the subnet mask (option 1) at the DHCP server named here; if it is a stranger, find out who runs it.',
  },
  'lease-lost': {
    title: 'The address was lost',
    side: 'network',
    retry: 'backoff',
    hint: 'Check that the DHCP server renews leases and that the port is still open.',
  },
  'address-conflict': {
    title: 'The leased address is in use on another interface of this sensor',
    side: 'configuration',
    retry: 'backoff',
    hint: 'Two networks gave out the same address. Test them on different sensors, or change the range of one.',
  },
  'no-route': {
    title: 'The network has no route to the host',
    side: 'network',
    retry: 'backoff',
    hint: 'Check that DHCP gives a router (option 3, or 121 where it gives that) and that the host is reachable from this network.',
  },
  'own-address': {
    title: 'The address is one of the sensor itself',
    side: 'configuration',
    retry: 'backoff',
    hint: 'Give the address that the host has in this network, and look what the name servers answer: 127.0.0.1, 0.0.0.0 and the like lead to no other host.',
  },
  'path-broken': {
    title: 'Packets would have left on another interface',
    side: 'sensor',
    retry: 'backoff',
    hint: 'Something else on the sensor changes policy routing rules; let it leave rules of protocol 83 alone.',
  },
  'path-closed': {
    title: 'The network was left',
    side: 'sensor',
    retry: 'backoff',
    hint: 'Nothing to do: the request belonged to a network that the sensor has left.',
  },
  'ipv6-unsupported': {
    title: 'The host has an IPv6 address only',
    side: 'configuration',
    retry: 'change',
    hint: 'Give an IPv4 address, or a name that has one: tested networks are used over IPv4.',
  },
  'dns-none': {
    title: 'The network gave no name server',
    side: 'network',
    retry: 'backoff',
    hint: 'Let DHCP give name servers (option 6), which are not 127.0.0.1 or the like, or use an IP address in the URL.',
  },
  'dns-not-found': {
    title: 'The name does not exist in this network',
    side: 'network',
    retry: 'backoff',
    hint: 'Check the spelling, and that the name servers given by DHCP know an A record of it. A name without a dot is completed by the domains that DHCP gives (option 119, else 15).',
  },
  'dns-timeout': {
    title: 'The name servers of the network do not answer',
    side: 'network',
    retry: 'backoff',
    hint: 'Check that the name servers given by DHCP are reachable from this network.',
  },
  'dns-failed': {
    title: 'The name servers of the network answered with an error',
    side: 'network',
    retry: 'backoff',
    hint: 'Look at the log of the name servers given by DHCP.',
  },
}

/** A failure on a path. Never holds a secret: no URL, no payload, only addresses, names and counters. */
export class PathError extends Error {
  readonly code: PathCode
  readonly title: string
  readonly detail: string
  readonly hint: string
  readonly side: PathSide
  readonly retry: 'backoff' | 'change'
  /** What was counted, e.g. `received`: frames the interface received while DHCP asked in vain. */
  readonly facts: Readonly<Record<string, number | string>>

  constructor(
    code: PathCode,
    detail: string,
    options: { cause?: unknown; facts?: Record<string, number | string> } = {},
  ) {
    const { title, side, retry, hint } = meanings[code]
    super(`${code}: ${detail}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'PathError'
    this.code = code
    this.title = title
    this.detail = detail
    this.hint = hint
    this.side = side
    this.retry = retry
    this.facts = options.facts ?? {}
  }
}

/**
 * True when the failure looks like a port that stayed locked: the DHCP client asked and the interface
 * received nothing at all. Together with an EAP success that is a port which the switch did not open.
 */
export const looksLocked = (error: unknown): boolean =>
  error instanceof PathError && error.code === 'dhcp-no-offer' && error.facts['received'] === 0
