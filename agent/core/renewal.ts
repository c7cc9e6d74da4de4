/**
 * When a certificate is renewed, and which one is next. Pure.
 * Rows: S1-22..30, S1-55, S1-56, S2-53..56, S2-60.
 */
import type { Renewal } from '../desired/profile.ts'
import type {
  Actual,
  CertificateFacts,
  CredentialState,
  Desired,
  FailedProof,
  Network,
  NetworkHistory,
} from '../types.ts'
import { credentialStatus } from './credential.ts'
import { digest12 } from './hash.ts'
import { isHeldBack } from './setback.ts'
import { basisOf, enrollmentNetworkOf } from './want.ts'

const day = 86_400_000
const hour = 3_600_000

const lifetimeOf = ({ notBefore, notAfter }: CertificateFacts): number => notAfter - notBefore

/**
 * When renewing begins; undefined = only on request (S1-56).
 * `half-life`: half the validity (S2-53); `daysBeforeExpiry`: exact (S2-55, S1-55); `percent`: of the validity elapsed.
 * A rule that would make it due before it is issued is refused and half-life applies (S1-28): see `refusedRule`.
 */
export function dueAt(certificate: CertificateFacts, rule: Renewal): number | undefined {
  const { notBefore, notAfter } = certificate
  const lifetime = lifetimeOf(certificate)
  if ('when' in rule) return rule.when === 'manual' ? undefined : notBefore + lifetime / 2
  if ('percent' in rule) return notBefore + (lifetime * rule.percent) / 100
  const early = rule.daysBeforeExpiry * day
  return early < lifetime ? notAfter - early : notBefore + lifetime / 2
}

/** S1-28: the days asked for and the days of validity, where the first are not fewer than the second. */
export function refusedRule(
  certificate: CertificateFacts,
  rule: Renewal,
): { asked: number; validity: number } | undefined {
  if (!('daysBeforeExpiry' in rule)) return undefined
  const validity = lifetimeOf(certificate) / day
  return rule.daysBeforeExpiry < validity ? undefined : { asked: rule.daysBeforeExpiry, validity }
}

/**
 * A delay that keeps a fleet from renewing at the same moment: the same for one sensor, network and certificate,
 * evenly spread over `share` (0..1) of the smaller of 5 % of the lifetime and a day.
 */
export function spreadOf(
  certificate: CertificateFacts,
  sensor: string,
  network: string,
  share: number,
): number {
  const most = Math.min(lifetimeOf(certificate) * 0.05, day)
  const fraction = parseInt(digest12([sensor, network, certificate.fingerprint]), 16) / 2 ** 48
  return share * most * fraction
}

export interface QueueSettings {
  /** Milliseconds between two attempts of this sensor, whatever they are for (S1-23). */
  interval: number
  /** No certificate may overtake, however near its end. */
  strict: boolean
  /** 0..1: see `spreadOf`. */
  spread: number
  sensor: string
}

export interface NextRenewal {
  network: Network
  /** When it may be attempted: now or later. */
  at: number
  /** It goes before the one that is due longest, because its own end is near. */
  overtakes?: string
  /** When another comes near its end, and may overtake. */
  nearest?: number
}

/** How the last login with the candidate ended, where it failed. */
export function failedProofOf(network: Network, actual: Actual): FailedProof | undefined {
  const failed = actual.history[network.id]?.failedProof
  return failed?.generation === actual.credentials[network.id]?.candidate?.generation ? failed : undefined
}

interface Item {
  network: Network
  certificate: CertificateFacts
  due: number
  /** Not before, as the server said. */
  opens: number
  requested: boolean
  /** It cannot be attempted now, whatever the queue says. */
  stuck: boolean
  /** Seconds. */
  pollEvery: number
}

/** Shorter than the interval for certificates that live shorter than ten of them, but never under 10 s. */
export const paceOf = (certificate: CertificateFacts, interval: number): number =>
  Math.max(10_000, Math.min(interval, lifetimeOf(certificate) / 10))

/** Milliseconds between two looks at the CRL and the CA: a day, or a tenth of a shorter life. */
export const inspectEvery = (certificate: CertificateFacts): number =>
  Math.min(day, lifetimeOf(certificate) / 10)

/**
 * The one renewal that is next on this sensor (S1-22: one after the other): due longest, until it succeeds (S1-24, S1-25).
 * What a person asked for, and the first try after a changed password, does not wait for the pace.
 * Expired certificates are not renewed (S2-60), removed ones are not in the queue.
 */
export function nextRenewal(
  desired: Desired,
  actual: Actual,
  now: number,
  settings: QueueSettings,
): NextRenewal | undefined {
  const items = desired.tested.flatMap(network => itemOf(network, desired, actual, now, settings))
  const sorted = [...items].sort((a, b) => a.due - b.due)
  const [head] = sorted
  if (!head) return undefined
  const item = settings.strict ? head : mostUrgent(head, sorted, actual, now)
  const nearest = settings.strict
    ? undefined
    : firstLastTenth(
        sorted.filter(each => each !== item),
        now,
      )
  const asked = items.filter(({ requested }) => requested)
  const requested = asked.find(({ stuck }) => !stuck) ?? (item.stuck ? asked[0] : undefined)
  if (requested) return { network: requested.network, at: now }
  // A clock that was corrected backwards must not make the queue wait for its own past.
  const proved = failedProofOf(item.network, actual)?.at ?? -Infinity
  const after = Math.min(Math.max(actual.renewals.lastAttempt ?? -Infinity, proved), now)
  return {
    network: item.network,
    at: Math.max(now, item.due, item.opens, after + waitOf(item, actual, settings.interval)),
    ...(item !== head && { overtakes: head.network.id }),
    ...(nearest !== undefined && { nearest }),
  }
}

/**
 * The head, unless others are near their end: those go before a head that is not, and where several are, the one that was
 * tried longest ago, so that a server that is down does not let the certificates of another one expire. Nor does one that
 * cannot be attempted at all.
 */
function mostUrgent(head: Item, sorted: readonly Item[], actual: Actual, now: number): Item {
  const tried = ({ network }: Item): number => actual.history[network.id]?.failedRenewal?.last ?? -Infinity
  const urgent = sorted.filter(item => inLastTenth(item, now))
  const possible = urgent.filter(({ stuck }) => !stuck)
  const [first, ...others] = possible.length > 0 ? possible : urgent
  return first ? others.reduce((best, item) => (tried(item) < tried(best) ? item : best), first) : head
}

/** Milliseconds after an attempt until the next: a pending request is polled, everything else keeps the pace. */
function waitOf({ network, certificate, pollEvery }: Item, actual: Actual, interval: number): number {
  if (actual.credentials[network.id]?.open?.pending) return pollEvery * 1000
  return paceOf(certificate, interval)
}

function itemOf(
  network: Network,
  desired: Desired,
  actual: Actual,
  now: number,
  settings: QueueSettings,
): Item[] {
  const state = actual.credentials[network.id]
  const { scep } = network.profile
  const current = state?.current
  const valid = credentialStatus(network, state, now).kind === 'valid'
  if (!valid || !scep || !current || !network.profile.enabled) return []
  const { certificate } = current
  const failed = actual.history[network.id]?.failedRenewal
  const changed = failed !== undefined && failed.basis !== basisOf(network, desired, actual)
  const requested = changed || actual.renewals.requested.includes(network.id)
  // A request that may have left is finished before anything else, whoever asked for it.
  const due = earlier(state.open?.preparedAt, dueBy(certificate, scep.renewal, actual, now))
  if (due === undefined && !requested) return []
  // A server that says when to come back is not asked before; where the CA's own window has not opened, the others go first (B-74).
  const { last = now, finding } = failed ?? {}
  const opens = finding?.retryAfter ? Math.min(last, now) + finding.retryAfter * 1000 : 0
  const yields = finding?.code === tooEarly
  const spread = spreadOf(certificate, settings.sensor, network.id, settings.spread)
  // The spread must not push a renewal beyond the point where a second try would be too late.
  const spreadDue = Math.min((due ?? now) + spread, certificate.notAfter - lifetimeOf(certificate) / 10)
  return [
    {
      network,
      certificate,
      due: Math.max(due ?? now, spreadDue, yields ? opens : 0),
      opens,
      requested,
      stuck: opens > now || isStuck(network, desired, actual, now),
      pollEvery: scep.polling.every,
    },
  ]
}

/**
 * While the time is a lower bound, a SCEP server's clock that is ahead of it makes a renewal due earlier: a sensor that lay in a drawer for
 * months must not renew too late. It does nothing else, and nothing at all where it would have the certificate expired that is in use.
 */
function dueBy(
  certificate: CertificateFacts,
  rule: Renewal,
  { clock: { scepDateAhead: ahead = 0 } }: Actual,
  now: number,
): number | undefined {
  const due = dueAt(certificate, rule)
  return due !== undefined && now + ahead <= certificate.notAfter ? due - ahead : due
}

/** Its way there is closed, or a new certificate is there already and waits for its proof. */
function isStuck(network: Network, desired: Desired, actual: Actual, now: number): boolean {
  const { over } = renewalPath(network, desired, actual, now)
  const held = actual.history[over.id]?.setback
  const closed =
    held !== undefined && held.action !== 'enroll' && isHeldBack(held, basisOf(over, desired, actual), now)
  const absent = actual.interfaces[over.interface]?.supplicant !== true
  return closed || absent || awaitsProof(network, actual, now)
}

/** One that has expired untried is of no use to anybody. */
export function candidateOf(network: Network, actual: Actual, now: number): CredentialState['candidate'] {
  const candidate = actual.credentials[network.id]?.candidate
  return candidate && now <= candidate.certificate.notAfter ? candidate : undefined
}

/** There is a new certificate, and nothing is judged of it yet. */
export const awaitsProof = (network: Network, actual: Actual, now: number): boolean =>
  candidateOf(network, actual, now) !== undefined && failedProofOf(network, actual)?.judged !== true

/**
 * S2-51: over the network itself; only the ladder, where the operator switched it on, goes over the enrollment network, when it
 * was too long without the server over the tested network, or without that network. `from` is when it does.
 */
export function renewalPath(
  network: Network,
  desired: Desired,
  actual: Actual,
  now: number,
): { over: Network; from?: number } {
  const hours = network.profile.scep?.ladder?.enrollmentNetworkAfterHours
  const since = unreachableSince(actual.history[network.id])
  if (hours === undefined || since === undefined) return { over: network }
  const from = since + hours * hour
  return { over: (now >= from ? enrollmentNetworkOf(network, desired) : undefined) ?? network, from }
}

/** A server that answered and refused was reached; a network that cannot be joined reaches nobody. */
function unreachableSince({ failedRenewal, setback }: NetworkHistory = {}): number | undefined {
  const ours = setback && setback.action !== 'enroll' ? setback.since : undefined
  const theirs = failedRenewal?.finding.side === 'network' ? failedRenewal.since : undefined
  return earlier(ours, theirs)
}

const tooEarly = 'scep-renewal-too-early'

/** The earlier of two moments, where there are two. */
export const earlier = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined || other === undefined ? (one ?? other) : Math.min(one, other)

const lastTenth = ({ certificate, due }: Item): number =>
  certificate.notAfter - (certificate.notAfter - due) / 10

const inLastTenth = (item: Item, now: number): boolean => now >= lastTenth(item)

/** The first of them that is still to come. */
const firstLastTenth = (items: readonly Item[], now: number): number | undefined =>
  items
    .map(lastTenth)
    .filter(at => at > now)
    .sort((a, b) => a - b)[0]
