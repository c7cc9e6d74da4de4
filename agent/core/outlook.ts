/** What the report says of a network's certificate in the years to come: renewal, its obstacles, and what should not stay so. Pure. */
import type { Finding } from '../errors.ts'
import type { Renewal } from '../desired/profile.ts'
import type { Actual, CertificateFacts, Desired, Network, Notice } from '../types.ts'
import { dueAt, failedProofOf, nextRenewal, refusedRule, type QueueSettings } from './renewal.ts'
import { expiryNotice, expiryWarning, forecast, watchedOf } from './validity.ts'

/** ISO 8601 in UTC. */
type Iso = string
export const iso = (time: number): Iso => new Date(time).toISOString()

export type ReportedCertificate = Omit<CertificateFacts, 'notBefore' | 'notAfter'> & {
  notBefore: Iso
  notAfter: Iso
}

export type ReportedFailure = Finding & { since: Iso; last: Iso; count: number }

export interface ReportedRenewal {
  /** The rule in force, e.g. `half-life`, `30 days before expiry`. */
  rule: string
  /** S1-28: the days asked for and the days of validity; half-life applies instead. */
  refusedRule?: { asked: number; validity: number }
  /** When it becomes due; without it, only on request (S1-56). */
  due?: Iso
  /** When it is attempted, where it is the next in the queue of the sensor. */
  next?: Iso
  /** One sentence: what will happen without anybody doing anything. */
  forecast: string
  /** The last attempt, where it failed (S2-66). */
  lastFailure?: ReportedFailure
  /** A new certificate that has not passed its login proof. */
  candidate?: ReportedCertificate & { proof: 'outstanding' | 'refused' | 'undecided'; problem?: Finding }
}

export const reportCertificate = (certificate: CertificateFacts): ReportedCertificate => ({
  ...certificate,
  notBefore: iso(certificate.notBefore),
  notAfter: iso(certificate.notAfter),
})

interface Input {
  desired: Desired
  actual: Actual
  queue: QueueSettings
  now: number
}

export function reportRenewal(
  network: Network,
  { desired, actual, queue, now }: Input,
): ReportedRenewal | undefined {
  const certificate = actual.credentials[network.id]?.current?.certificate
  const rule = network.profile.scep?.renewal
  if (!certificate || !rule) return undefined
  const { failedRenewal } = actual.history[network.id] ?? {}
  const refused = refusedRule(certificate, rule)
  const due = dueAt(certificate, rule)
  const next = nextRenewal(desired, actual, now, queue)
  const candidate = reportCandidate(network, actual)
  return {
    rule: ruleText(refused ? { when: 'half-life' } : rule),
    ...(refused && { refusedRule: refused }),
    ...(due !== undefined && { due: iso(due) }),
    ...(next?.network.id === network.id && { next: iso(next.at) }),
    forecast: forecast(certificate, network.profile.scep, failedRenewal, now),
    ...(failedRenewal && {
      lastFailure: {
        ...failedRenewal.finding,
        since: iso(failedRenewal.since),
        last: iso(failedRenewal.last),
        count: failedRenewal.count,
      },
    }),
    ...(candidate && { candidate }),
  }
}

function reportCandidate(network: Network, actual: Actual): ReportedRenewal['candidate'] {
  const certificate = actual.credentials[network.id]?.candidate?.certificate
  if (!certificate) return undefined
  const failed = failedProofOf(network, actual)
  const proof = !failed ? 'outstanding' : failed.judged ? 'refused' : 'undecided'
  return { ...reportCertificate(certificate), proof, ...(failed && { problem: failed.finding }) }
}

export function ruleText(rule: Renewal): string {
  if ('when' in rule) return rule.when
  if ('percent' in rule) return `${String(rule.percent)} percent of the validity`
  return `${String(rule.daysBeforeExpiry)} days before expiry`
}

/** Expiries that are near, a rule that was refused, and what the last looks at the network found. */
export function noticesOf(network: Network, { actual, now }: Input): Notice[] {
  const credential = actual.credentials[network.id]
  const history = actual.history[network.id]
  const certificate = credential?.current?.certificate
  const rule = network.profile.scep?.renewal ?? { when: 'manual' }
  const outlook = certificate ? forecast(certificate, network.profile.scep, history?.failedRenewal, now) : ''
  const expiries = watchedOf(credential, history).flatMap(watched => {
    const days = expiryWarning(watched, now)
    return days === undefined ? [] : [expiryNotice(watched, days, outlook, now)]
  })
  const refused = certificate && refusedRule(certificate, rule)
  return [
    ...expiries,
    ...(refused ? [ruleRefused(refused)] : []),
    ...Object.values(history?.notices ?? {}).flat(),
  ]
}

/** S1-28 */
const ruleRefused = ({ asked, validity }: { asked: number; validity: number }): Notice => ({
  code: 'renewal-rule-refused',
  severity: 'warning',
  text: `renewal ${String(asked)} days before expiry is not possible, because the certificate is valid for ${String(Math.round(validity * 1000) / 1000)} days: it is renewed at half its validity`,
})
