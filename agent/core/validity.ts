/**
 * Certificates near their end: our own, and those that an authentication or a renewal depends on. Pure.
 * Rows: S1-26, S2-60, S2-61.
 */
import type { Scep } from '../desired/profile.ts'
import type {
  Authority,
  CertificateFacts,
  CredentialState,
  FailedRenewal,
  NetworkHistory,
  Notice,
} from '../types.ts'
import { dueAt } from './renewal.ts'

const day = 86_400_000

/** Days before expiry at which a person is warned, for certificates that live a year or longer; scaled for shorter ones. */
const thresholds = [28, 7, 3, 1, 0]

export type Validity = Pick<CertificateFacts, 'fingerprint' | 'subject' | 'notBefore' | 'notAfter'>
export type Watched = Validity & { role: 'own' | Authority['role'] }

const scaleOf = ({ notBefore, notAfter }: Validity): number =>
  Math.min(1, (notAfter - notBefore) / (365 * day))

/** How near its end a certificate is: the smallest threshold passed, in days of a year's certificate; undefined before all. */
export function expiryWarning(certificate: Validity, now: number): number | undefined {
  const scale = scaleOf(certificate)
  return thresholds.findLast(days => now >= certificate.notAfter - days * day * scale)
}

/** When the next warning begins, so that the loop looks again. */
export function nextWarningAt(certificate: Validity, now: number): number | undefined {
  const scale = scaleOf(certificate)
  return thresholds.map(days => certificate.notAfter - days * day * scale).find(at => at > now)
}

/** Our certificate, and those it depends on: CA, RA and root as the SCEP server showed them last, the RADIUS server at the last login. */
export function watchedOf(
  credential: Pick<CredentialState, 'current' | 'authorities'> = {},
  { server, ca }: NetworkHistory = {},
): Watched[] {
  const { current, authorities = [] } = credential
  return [
    ...(current
      ? [{ role: 'own' as const, ...current.certificate }, ...(ca?.authorities ?? authorities)]
      : []),
    ...(server ? [server] : []),
  ]
}

/** "renewal due on …, last password accepted on …": what will happen without anybody doing anything. Without `scep` nothing does. */
export function forecast(
  certificate: CertificateFacts,
  scep: Pick<Scep, 'renewal' | 'ladder'> | undefined,
  failed: FailedRenewal | undefined,
  now: number,
): string {
  const { notBefore, notAfter } = certificate
  const accepted = `last password accepted on ${minute(notBefore)}`
  if (now > notAfter && scep?.ladder?.reenrollAfterExpiry)
    return `expired on ${minute(notAfter)}: a new one is asked for over the enrollment network, ${accepted}`
  if (now > notAfter)
    return `expired on ${minute(notAfter)}: nothing is renewed any more, ${accepted}; remove the network from the sensor and add it again`
  const due = scep && dueAt(certificate, scep.renewal)
  const plan = due === undefined ? 'renewal only on request' : `renewal due on ${minute(due)}`
  const obstacle = failed
    ? `; the last attempt on ${minute(failed.last)} failed: ${failed.finding.title}`
    : ''
  return `${plan}, ${accepted}${obstacle}`
}

/** `2026-01-10 12:00 UTC` */
export const minute = (time: number): string =>
  new Date(time).toISOString().slice(0, 16).replace('T', ' ') + ' UTC'

const names: Record<Watched['role'], string> = {
  own: 'the certificate',
  root: 'the root CA certificate',
  ca: 'the issuing CA certificate',
  ra: 'the RA certificate of the SCEP server',
  server: 'the certificate of the RADIUS server',
}

const remedies: Record<Watched['role'], string> = {
  own: '',
  root: 'the CA has to be renewed, and its certificate given to RADIUS and to this network',
  ca: 'the CA has to be renewed, and its certificate given to RADIUS and to this network',
  ra: 'the RA certificates of the SCEP server have to be renewed',
  server: 'the RADIUS server needs a new certificate',
}

/** Says which certificate ends when, and what that means; `outlook` is the forecast of our own. */
export function expiryNotice(watched: Watched, days: number, outlook: string, now: number): Notice {
  const { role, subject, notAfter } = watched
  const ended = now > notAfter
  const verb = ended ? 'expired' : 'expires'
  const rest = role === 'own' ? outlook : `"${subject}": ${remedies[role]}`
  return {
    code: `${role === 'own' ? 'certificate' : `${role}-certificate`}-${verb}`,
    severity: days <= 3 ? 'error' : 'warning',
    text: `${names[role]} ${verb} on ${minute(notAfter)}: ${rest}`,
  }
}
