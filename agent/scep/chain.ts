/** Building and verifying a certification path (RFC 5280 §6, without policies and name constraints). */
import type { X509Certificate } from 'node:crypto'
import { oids } from './algorithms.ts'
import {
  fieldsOf,
  isCa,
  isSelfSigned,
  isSignedBy,
  issuerText,
  sameCertificate,
  subjectText,
} from './certificate.ts'

export interface PathOptions {
  anchors: readonly X509Certificate[]
  /** Certificates that may stand between. */
  intermediates: readonly X509Certificate[]
  /** undefined: the clock is not trusted, dates are not judged. */
  now: Date | undefined
  /** The certificate is our own: its critical extensions are for those to understand who verify it. */
  own?: boolean
}

/** A TLS server's certificate, the first of `chain`, without its dates; its name is for the caller to compare. */
export function verifyServer(chain: readonly X509Certificate[], anchors: readonly X509Certificate[]): Path {
  const [own] = chain
  if (!own) return { ok: false, reason: 'there is no certificate' }
  const { purposes } = fieldsOf(own)
  if (purposes && !purposes.includes(oids.serverAuth) && !purposes.includes(oids.anyExtendedKeyUsage))
    return { ok: false, reason: `"${subjectText(own)}" is not for a server (extendedKeyUsage)` }
  return buildPath(own, { anchors, intermediates: chain.slice(1), now: undefined })
}

/** `outdated`: nothing but a date is wrong. */
export type Path = { ok: true; path: X509Certificate[] } | { ok: false; reason: string; outdated?: boolean }

/**
 * The path from `certificate` (first) to an anchor (last), each signed by the next. An anchor need not be self-signed and is
 * trusted as it is, whatever its dates. Every certificate is looked at once, so that a reply full of look-alikes costs no more.
 */
export function buildPath(certificate: X509Certificate, options: PathOptions): Path {
  return extend([certificate], options, new Set())
}

function extend(path: X509Certificate[], options: PathOptions, seen: Set<string>): Path {
  const last = path.at(-1)
  if (!last) return { ok: false, reason: 'there is no certificate' }
  if (options.anchors.some(anchor => sameCertificate(anchor, last))) return { ok: true, path }
  seen.add(last.fingerprint256)
  const wrong = dateProblem(last, options.now)
  if (wrong !== undefined) return { ok: false, reason: wrong, outdated: true }
  const { strangeCritical } = fieldsOf(last)
  if (strangeCritical !== undefined && !(options.own && path.length === 1))
    return {
      ok: false,
      reason: `"${subjectText(last)}" has a critical extension that is not understood (${strangeCritical})`,
    }
  const candidates = [...options.anchors, ...options.intermediates]
  const namesake = candidates.some(each => fieldsOf(each).subject.equals(fieldsOf(last).issuer))
  const missing = isSelfSigned(last)
    ? `"${subjectText(last)}" is self-signed and not trusted`
    : `the certificate of its issuer "${issuerText(last)}" is missing${namesake ? ': one of that name is there and has not issued it' : ''}`
  let failure: Path = { ok: false, reason: missing }
  for (const candidate of candidates) {
    if (seen.has(candidate.fingerprint256) || !hasIssued(candidate, last, path.length - 1)) continue
    const longer = extend([...path, candidate], options, seen)
    if (longer.ok) return longer
    failure = longer
  }
  return failure
}

/**
 * Whether `issuer`, with `below` CA certificates between it and the end of the path, may have signed `subject` and did.
 * OpenSSL's checkIssued compares names, key identifiers and keyUsage.
 */
function hasIssued(issuer: X509Certificate, subject: X509Certificate, below: number): boolean {
  const { subject: name, pathLength } = fieldsOf(issuer)
  if (
    !name.equals(fieldsOf(subject).issuer) ||
    !isCa(issuer) ||
    (pathLength !== undefined && pathLength < below)
  )
    return false
  return subject.checkIssued(issuer) && isSignedBy(subject, issuer)
}

/**
 * The CAs above the end of a path, as far as they are among `known` and valid. Nothing is trusted for being there: they are for whoever trusts
 * one of them instead of our anchor.
 */
export function issuersAbove(
  path: readonly X509Certificate[],
  known: readonly X509Certificate[],
  now: Date | undefined,
): X509Certificate[] {
  const whole = [...path]
  for (let last = whole.at(-1); last && !isSelfSigned(last);) {
    const subject: X509Certificate = last
    last = known.find(
      each =>
        !whole.some(other => sameCertificate(each, other)) &&
        hasIssued(each, subject, whole.length - 1) &&
        dateProblem(each, now) === undefined,
    )
    if (last) whole.push(last)
  }
  return whole.slice(path.length)
}

/** Why a certificate is not valid at this moment, or undefined. */
export function dateProblem(certificate: X509Certificate, now: Date | undefined): string | undefined {
  if (!now) return undefined
  const { notBefore, notAfter } = fieldsOf(certificate)
  if (now < notBefore) return `"${subjectText(certificate)}" is not valid before ${notBefore.toISOString()}`
  if (now > notAfter) return `"${subjectText(certificate)}" expired on ${notAfter.toISOString()}`
  return undefined
}
