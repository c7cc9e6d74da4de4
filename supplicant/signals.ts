/** The supplicant's states, as the property `State` of an interface names them. */
export type State =
  | 'disconnected'
  | 'inactive'
  | 'interface_disabled'
  | 'scanning'
  | 'authenticating'
  | 'associating'
  | 'associated'
  | '4way_handshake'
  | 'group_handshake'
  | 'completed'
  | 'unknown'

/** A certificate of the server's chain, as the signal `Certification` describes it. */
export interface ServerCertificate {
  /** 0 is the server's own certificate, higher is closer to the root. */
  depth: number
  subject: string
  altSubjects: string[]
  /** SHA-256 of the certificate, lower-case hex. */
  sha256: string
  /** DER, where the signal carried it. */
  der?: Uint8Array
}

/** What an interface of the supplicant can tell; everything else on the bus is ignored. */
export type InterfaceEvent =
  | { kind: 'selected'; network: string }
  | { kind: 'state'; state: State }
  | { kind: 'auth-mode'; mode: string }
  | { kind: 'bss'; bss: string }
  | { kind: 'disconnect-reason'; reason: number }
  | { kind: 'auth-status'; status: number }
  | { kind: 'assoc-status'; status: number }
  | { kind: 'current-network'; network: string }
  | { kind: 'network-added'; network: string }
  | { kind: 'network-removed'; network: string }
  | { kind: 'blob-removed'; blob: string }
  | { kind: 'eap'; status: string; parameter: string }
  | { kind: 'certificate'; certificate: ServerCertificate }
  | { kind: 'request'; network: string; field: string; text: string }
  | { kind: 'psk-mismatch' }
  | { kind: 'scan-done'; success: boolean }

const PROPERTIES = 'org.freedesktop.DBus.Properties'
const INTERFACE = 'fi.w1.wpa_supplicant1.Interface'

/**
 * The events in one D-Bus signal, in the order in which an attempt has to see them. Property changes also come as a
 * legacy signal of the interface itself; that copy is ignored. Never throws: what it does not know it leaves out.
 */
export function eventsOf(signal: {
  interface: string
  member: string
  body: readonly unknown[]
}): InterfaceEvent[] {
  const [first, second, third] = signal.body
  if (signal.interface === PROPERTIES && signal.member === 'PropertiesChanged')
    return first === INTERFACE && isRecord(second) ? propertyEvents(second) : []
  if (signal.interface !== INTERFACE) return []
  switch (signal.member) {
    case 'NetworkSelected':
      return [{ kind: 'selected', network: text(first) }]
    case 'NetworkAdded':
      return [{ kind: 'network-added', network: text(first) }]
    case 'NetworkRemoved':
      return [{ kind: 'network-removed', network: text(first) }]
    case 'BlobRemoved':
      return [{ kind: 'blob-removed', blob: text(first) }]
    case 'EAP':
      return [{ kind: 'eap', status: text(first), parameter: text(second) }]
    case 'Certification':
      return isRecord(first) ? [{ kind: 'certificate', certificate: serverCertificate(first) }] : []
    case 'NetworkRequest':
      return [{ kind: 'request', network: text(first), field: text(second), text: text(third) }]
    case 'PskMismatch':
      return [{ kind: 'psk-mismatch' }]
    case 'ScanDone':
      return [{ kind: 'scan-done', success: first === true }]
    default:
      return []
  }
}

/** The events hidden in a set of changed interface properties; the reasons come before the state they explain. */
export function propertyEvents(properties: Record<string, unknown>): InterfaceEvent[] {
  const events: InterfaceEvent[] = []
  const {
    DisconnectReason,
    AuthStatusCode,
    AssocStatusCode,
    CurrentBSS,
    CurrentNetwork,
    CurrentAuthMode,
    State,
  } = properties as Partial<Record<string, unknown>> & Record<'State', unknown>
  if (typeof DisconnectReason === 'number')
    events.push({ kind: 'disconnect-reason', reason: DisconnectReason })
  if (typeof AuthStatusCode === 'number') events.push({ kind: 'auth-status', status: AuthStatusCode })
  if (typeof AssocStatusCode === 'number') events.push({ kind: 'assoc-status', status: AssocStatusCode })
  if (typeof CurrentBSS === 'string') events.push({ kind: 'bss', bss: CurrentBSS })
  if (typeof CurrentNetwork === 'string') events.push({ kind: 'current-network', network: CurrentNetwork })
  if (typeof CurrentAuthMode === 'string') events.push({ kind: 'auth-mode', mode: CurrentAuthMode })
  if (typeof State === 'string') events.push({ kind: 'state', state: asState(State) })
  return events
}

const STATES: ReadonlySet<string> = new Set<State>([
  'disconnected',
  'inactive',
  'interface_disabled',
  'scanning',
  'authenticating',
  'associating',
  'associated',
  '4way_handshake',
  'group_handshake',
  'completed',
])

export const asState = (value: unknown): State =>
  typeof value === 'string' && STATES.has(value) ? (value as State) : 'unknown'

function serverCertificate(entry: Record<string, unknown>): ServerCertificate {
  const { depth, subject, altsubject, cert_hash: hash, cert } = entry as Partial<Record<string, unknown>>
  return {
    depth: typeof depth === 'number' ? depth : 0,
    subject: text(subject),
    altSubjects: Array.isArray(altsubject) ? altsubject.map(text) : [],
    sha256: text(hash),
    ...(cert instanceof Uint8Array ? { der: cert } : {}),
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
