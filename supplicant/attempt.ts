import { DEADLINES, type Deadlines, nextDeadline } from './deadlines.ts'
import type { JoinFailure } from './errors.ts'
import type { Bss } from './scan.ts'
import type { InterfaceEvent, ServerCertificate } from './signals.ts'

/** How far an attempt has come, in the order in which the stages are passed. */
export type Stage =
  | 'selecting'
  | 'scanning'
  | 'associating'
  | 'associated'
  | 'eap-started'
  | 'method'
  | 'server-certificate'
  | 'verified'
  | 'authenticated'
  | 'completed'

/** What an attempt is told: the supplicant's signals, the carrier, our own acts, and the time. */
export type AttemptNews =
  | InterfaceEvent
  | { kind: 'carrier'; up: boolean }
  | { kind: 'enabled'; enabled: boolean }
  | { kind: 'act'; act: 'select' | 'logon' | 'reselect' | 'restart' }
  | { kind: 'tick' }

/** `ms` counts from the first SelectNetwork. */
export type AttemptEvent = AttemptNews & { ms: number }

export type Outcome = { kind: 'joined'; ms: number } | { kind: 'failed'; code: JoinFailure; ms: number }

/** What the network is joined over: the texts of triage go by it. */
export type Medium = 'wired' | 'wireless'

/** Whether the network has a passphrase, which may be wrong, and how it is shown. */
export type Passphrase = 'none' | 'psk' | 'sae'

export type Offer = Pick<Bss, 'bssid' | 'frequency' | 'signal' | 'security' | 'pmf'>

/** Everything known about one joining attempt. Plain data: it can be stored, published and triaged later. */
export interface Attempt {
  stage: Stage
  /** When each stage was last entered. */
  times: Partial<Record<Stage, number>>
  medium: Medium
  eap: boolean
  passphrase: Passphrase
  deadlines: Deadlines
  /** The EAP method agreed on, and those we were offered and refused. */
  method?: string
  refusedMethods: string[]
  serverCertificates: ServerCertificate[]
  /** The supplicant's verdict on the server's certificate: `success` or its reason. */
  verification?: string
  localAlert?: string
  remoteAlert?: string
  /** A parameter the supplicant asked for, e.g. `PASSPHRASE` for a key it could not read. */
  needed?: { field: string; ms: number }
  /** Of a wire; a radio has one only once it is associated. */
  carrier?: boolean
  /** The interface is down, or its radio blocked (rfkill): as the kernel says, and as the supplicant says. */
  down?: boolean
  disabled?: boolean
  /** When there first was an association; it outlives a new selection. */
  linked?: number
  /** When we sent an EAPOL-Start in this association. */
  asked?: number
  /** When all was begun once more, because EAP had stopped half-way. */
  restarted?: number
  disconnectReason?: number
  /** On the air: when an association ended before it was authenticated, and there has been none since. */
  lost?: number
  assocStatus?: number
  /** Of a network that was not found: the access points of its name that are in range all the same. */
  offers?: readonly Offer[]
  outcome?: Outcome
  /** What happened, with times; state repetitions and ticks left out. */
  evidence: AttemptEvent[]
}

/** An attempt before anything happened. `eap` says whether the network asks for 802.1X. */
export function beginAttempt(
  eap: boolean,
  deadlines: Partial<Deadlines> = {},
  passphrase: Passphrase = 'none',
  medium: Medium = 'wired',
): Attempt {
  return {
    stage: 'selecting',
    times: { selecting: 0 },
    medium,
    eap,
    passphrase,
    deadlines: { ...DEADLINES, ...deadlines },
    refusedMethods: [],
    serverCertificates: [],
    evidence: [],
  }
}

/** The attempt after one more event. Pure; an attempt with an outcome changes no more. */
export function advance(attempt: Attempt, event: AttemptEvent): Attempt {
  if (attempt.outcome !== undefined) return attempt
  if (event.kind === 'tick') {
    const deadline = nextDeadline(attempt)
    return deadline !== undefined && deadline.ms <= event.ms
      ? failed(attempt, deadline.code, event.ms)
      : attempt
  }
  const seen = { ...attempt, evidence: kept([...attempt.evidence, event]) }
  switch (event.kind) {
    case 'act':
      if (event.act === 'logon') return { ...seen, asked: event.ms }
      return { ...again(seen, event.ms), ...(event.act === 'restart' ? { restarted: event.ms } : {}) }
    case 'state':
      return stateChanged(seen, event)
    case 'eap':
      return eapSignal(seen, event)
    case 'certificate':
      return entered(
        { ...seen, serverCertificates: [...seen.serverCertificates, event.certificate] },
        'server-certificate',
        event.ms,
      )
    case 'request':
      return overdue({ ...seen, needed: { field: event.field, ms: event.ms } }, event.ms)
    case 'carrier':
      return { ...seen, carrier: event.up }
    case 'enabled':
      return { ...seen, down: !event.enabled }
    case 'disconnect-reason':
      return { ...seen, disconnectReason: event.reason }
    case 'assoc-status':
    case 'auth-status':
      return refused(seen, event)
    case 'psk-mismatch':
      return failed(seen, 'wrong-passphrase', event.ms)
    case 'auth-mode':
    case 'selected':
    case 'bss':
    case 'current-network':
    case 'network-added':
    case 'network-removed':
    case 'blob-removed':
    case 'scan-done':
      return seen
  }
}

function stateChanged(before: Attempt, { state, ms }: Extract<AttemptEvent, { kind: 'state' }>): Attempt {
  const attempt: Attempt = { ...before, disabled: state === 'interface_disabled' }
  switch (state) {
    case 'scanning':
      return entered(attempt, 'scanning', ms)
    case 'authenticating':
    case 'associating':
      return entered(attempt, 'associating', ms)
    case 'associated':
      return { ...entered(found(attempt), 'associated', ms), linked: attempt.linked ?? ms }
    case 'completed':
      // Without 802.1X the supplicant is content with a wire that has no carrier.
      if (attempt.carrier === false) return entered(attempt, 'completed', ms)
      return { ...entered(attempt, 'completed', ms), outcome: { kind: 'joined', ms } }
    case 'disconnected':
      // 802.11 reason 15 is the four-way handshake running out of time: in practice a wrong passphrase.
      if (attempt.passphrase !== 'none' && attempt.disconnectReason === 15)
        return failed(attempt, 'wrong-passphrase', ms)
      return isLoss(attempt) ? { ...attempt, lost: ms } : attempt
    case '4way_handshake':
    case 'group_handshake':
    case 'inactive':
    case 'interface_disabled':
    case 'unknown':
      return attempt
  }
}

const isLoss = ({ medium, eap, times }: Attempt): boolean =>
  medium === 'wireless' && eap && times.associated !== undefined && times.authenticated === undefined

/** What was learnt of the access point before belongs to that one. */
function found(attempt: Attempt): Attempt {
  const { asked: _, ...associated } = attempt
  if (attempt.lost === undefined) return associated
  const { selecting = 0, scanning, associating } = attempt.times
  const times = { selecting, scanning, associating }
  const known = Object.entries(times).filter(([, ms]) => ms !== undefined)
  return { ...again(attempt, selecting), times: Object.fromEntries(known) }
}

/** One access point's refusal is not the last word: another may take us, unless it did not like our passphrase. */
function refused(
  attempt: Attempt,
  event: Extract<AttemptEvent, { kind: 'auth-status' | 'assoc-status' }>,
): Attempt {
  if (event.status === 0) return attempt
  const seen = { ...attempt, assocStatus: event.status }
  // The answer to a wrong SAE password is 802.11 status 15, challenge failure, or 1, unspecified (hostapd).
  const shown = event.kind === 'auth-status' && attempt.passphrase === 'sae'
  return shown && (event.status === 15 || event.status === 1)
    ? failed(seen, 'wrong-passphrase', event.ms)
    : seen
}

/** Whoever waits for hours keeps the beginning and the end. */
const kept = (evidence: AttemptEvent[]): AttemptEvent[] =>
  evidence.length <= 200 ? evidence : [...evidence.slice(0, 100), ...evidence.slice(-100)]

function eapSignal(attempt: Attempt, event: Extract<AttemptEvent, { kind: 'eap' }>): Attempt {
  const { status, parameter, ms } = event
  switch (status) {
    case 'started':
      return attempt.times['eap-started'] === undefined ? entered(attempt, 'eap-started', ms) : attempt
    case 'accept proposed method':
      return entered({ ...attempt, method: parameter }, 'method', ms)
    case 'refuse proposed method':
      return { ...attempt, refusedMethods: [...attempt.refusedMethods, parameter] }
    case 'remote certificate verification': {
      const verified = { ...attempt, verification: parameter }
      return parameter === 'success' ? entered(verified, 'verified', ms) : verified
    }
    case 'local TLS alert':
      return { ...attempt, localAlert: parameter }
    case 'remote TLS alert':
      return { ...attempt, remoteAlert: parameter }
    case 'completion':
      if (parameter === 'success') return entered(attempt, 'authenticated', ms)
      return isStale(attempt) ? attempt : failed(attempt, 'rejected', ms)
    default:
      return attempt
  }
}

/** On the air every session begins with the question for the identity: without it this is the end of one that broke off. */
const isStale = ({ medium, times }: Attempt): boolean =>
  medium === 'wireless' && times['eap-started'] === undefined

/** What was learnt belongs to the selection before this one; only its evidence stays. */
const again = (attempt: Attempt, ms: number): Attempt => ({
  ...beginAttempt(attempt.eap, attempt.deadlines, attempt.passphrase, attempt.medium),
  ...(attempt.carrier === undefined ? {} : { carrier: attempt.carrier }),
  ...(attempt.down === undefined ? {} : { down: attempt.down }),
  ...(attempt.disabled === undefined ? {} : { disabled: attempt.disabled }),
  ...(attempt.linked === undefined ? {} : { linked: attempt.linked }),
  ...(attempt.restarted === undefined ? {} : { restarted: attempt.restarted }),
  times: { selecting: ms },
  evidence: attempt.evidence,
})

const overdue = (attempt: Attempt, ms: number): Attempt => advance(attempt, { kind: 'tick', ms })

const entered = (attempt: Attempt, stage: Stage, ms: number): Attempt => ({
  ...attempt,
  stage,
  times: { ...attempt.times, [stage]: ms },
})

const failed = (attempt: Attempt, code: JoinFailure, ms: number): Attempt => ({
  ...attempt,
  outcome: { kind: 'failed', code, ms },
})
