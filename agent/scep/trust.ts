/**
 * Whom to believe, decided before the challenge password is sent (RFC 8894 §2.2; B-10 … B-15).
 *
 * Whatever GetCACert returned that does not chain to an anchor is not used for anything.
 */
import type { X509Certificate } from 'node:crypto'
import {
  certificatesFromPem,
  findAnchors,
  misconfigured,
  unique,
  type Anchors,
  type Basis,
  type TrustSettings,
} from './anchors.ts'
import { buildPath, dateProblem, issuersAbove, type Path } from './chain.ts'
import type { CaReply } from './ca-certificates.ts'
import { fieldsOf, isCa, isSelfSigned, sameCertificate, subjectText } from './certificate.ts'
import { reading, type Warning } from './errors.ts'
import { sha256Fingerprint } from './fingerprint.ts'
import { isForEnciphering, selectRecipient } from './recipient.ts'

export interface Trust {
  anchors: X509Certificate[]
  /** CA certificates that chain to the anchors, anchors included, lowest first; never RA certificates. */
  chain: X509Certificate[]
  /** Everything verified that came from GetCACert or was uploaded: CAs and RAs; only these may sign a CertRep. */
  certificates: X509Certificate[]
  /** CAs above an anchor that is no root, received or uploaded: trusted for nothing, and needed where RADIUS trusts one of them (S2-44). */
  above: X509Certificate[]
  /** Whom the envelope is for: the RA that enciphers, or the CA. */
  recipient: X509Certificate
  /** The CA that issues: the issuer in a CertPoll. */
  issuer: X509Certificate
  basis: Basis
  /** SHA-256 of the anchor of trust on first use, to be recorded and given back as `pinned`; null for the other bases. */
  pin: string | null
  /** SHA-256 of every anchor. */
  fingerprints: string[]
  /** undefined: the clock was not trusted. */
  now: Date | undefined
  warnings: Warning[]
}

interface Judged {
  certificate: X509Certificate
  path: Path
}

/**
 * Decides anchors, chain, recipient and signers. `now` undefined means that the clock is not trusted and dates are not judged.
 * Throws `fingerprint-mismatch`, `ca-changed`, `ca-untrusted`, `ca-expired`, `recipient-missing`, `root-invalid`, `fingerprint-format`.
 */
export const establishTrust = (
  reply: Pick<CaReply, 'certificates' | 'warnings'>,
  settings: TrustSettings,
  now: Date | undefined,
): Trust => reading("The server's CA certificates", 'ca-reply-malformed', () => decide(reply, settings, now))

function decide(
  reply: Pick<CaReply, 'certificates' | 'warnings'>,
  settings: TrustSettings,
  now: Date | undefined,
): Trust {
  const warnings: Warning[] = [...reply.warnings]
  if (!now)
    warnings.push({
      code: 'clock-untrusted',
      text: 'The clock is not trusted, so the dates of certificates are not judged',
    })
  const uploaded = certificatesFromPem(settings.roots)
  const { anchors, basis } = validAnchors(
    findAnchors(reply.certificates, uploaded, settings, warnings),
    now,
    warnings,
  )
  const known = unique([...uploaded, ...reply.certificates])
  const received = judge(reply.certificates, anchors, known, now)
  refuseUntrusted(received)
  const above = unique(anchors.flatMap(anchor => issuersAbove([anchor], known, now)))
  for (const { certificate, path } of received)
    if (!path.ok && !above.some(each => sameCertificate(each, certificate)))
      warnings.push({
        code: 'unrelated-certificate',
        text: `"${subjectText(certificate)}" is left aside: ${path.reason}`,
      })
  const good = [
    ...received,
    ...judge(uploaded, anchors, known, now),
    ...judge(anchors, anchors, known, now),
  ].filter(({ path }) => path.ok)
  const chain = chainOf(good)
  if (!chain.some(isSelfSigned)) warnings.push(noRoot(above.find(isSelfSigned)))
  const usable = received.filter(({ path }) => path.ok).map(({ certificate }) => certificate)
  const recipient = selectRecipient(usable, warnings)
  refuseWrongRecipient(recipient, received)
  // Of several roots the one that vouches for whom we talk to: the others may be gone, or in another order, the next time.
  const anchor = anchorOf(recipient, received) ?? anchors[0]
  const pin = anchor && (basis === 'first-use' || basis === 'pinned') ? sha256Fingerprint(anchor) : null
  return {
    anchors,
    chain,
    certificates: unique(good.map(({ certificate }) => certificate)),
    above,
    recipient,
    // An RA may come from anywhere under the root; the lowest CA is the one that issues.
    issuer: isCa(recipient) ? recipient : (chain[0] ?? recipient),
    basis,
    pin,
    fingerprints: anchors.map(sha256Fingerprint),
    now,
    warnings,
  }
}

const noRoot = (untrusted: X509Certificate | undefined): Warning => ({
  code: 'no-root',
  text: untrusted
    ? `The root CA certificate "${subjectText(untrusted)}" came from the server, is above what is uploaded, and nobody vouches for it: upload it, EAP-TLS needs it (S2-48)`
    : 'There is no root CA certificate: none is uploaded, and GetCACert returned none. EAP-TLS needs it (S2-48)',
})

const judge = (
  certificates: readonly X509Certificate[],
  anchors: X509Certificate[],
  known: X509Certificate[],
  now: Date | undefined,
): Judged[] =>
  unique(certificates).map(certificate => ({
    certificate,
    path: buildPath(certificate, { anchors, intermediates: known, now }),
  }))

function anchorOf(of: X509Certificate, judged: Judged[]): X509Certificate | undefined {
  const path = judged.find(({ certificate }) => sameCertificate(certificate, of))?.path
  return path?.ok ? path.path.at(-1) : undefined
}

/** The longer the way to the anchor, the lower the CA. */
function chainOf(good: Judged[]): X509Certificate[] {
  const length = ({ path }: Judged): number => (path.ok ? path.path.length : 0)
  return unique(
    good
      .filter(({ certificate }) => isCa(certificate))
      .sort((a, b) => length(b) - length(a))
      .map(({ certificate }) => certificate),
  )
}

/** Nothing trusted came, or the RA that has to open the envelope has expired: then the CA would get what it cannot open. */
function refuseUntrusted(received: Judged[]): void {
  const bad = received.flatMap(({ certificate, path }) => (path.ok ? [] : [{ certificate, ...path }]))
  const [first] = bad
  if (received.every(({ path }) => !path.ok))
    throw misconfigured(
      first?.outdated ? 'ca-expired' : 'ca-untrusted',
      first?.outdated
        ? "The SCEP server's CA certificate is not valid now"
        : "The SCEP server's CA is not trusted",
      first?.reason ?? 'it returned no certificate',
      first?.outdated
        ? 'Renew the CA, or check the clock of the sensor'
        : 'Upload the root CA certificate, and the intermediates that GetCACert does not return',
    )
  const valid = received.flatMap(({ certificate, path }) =>
    path.ok && !isCa(certificate) ? [certificate] : [],
  )
  // NDES has an RA to sign and another to encipher, and one of them may have expired alone.
  const replaced = (ra: X509Certificate): boolean =>
    valid.length > 0 && (!isForEnciphering(ra) || valid.some(isForEnciphering))
  const outdated = bad.find(
    ({ certificate, outdated }) => outdated === true && !isCa(certificate) && !replaced(certificate),
  )
  if (outdated)
    throw misconfigured(
      'ca-expired',
      'The RA certificate of the SCEP server is not valid now',
      outdated.reason,
      'Renew the RA certificates of the SCEP server (NDES: every two years), or check the clock of the sensor',
    )
}

/** The RA that has to open the envelope is there and not trusted, and the CA in its place is not for that: the server could only refuse. */
function refuseWrongRecipient(recipient: X509Certificate, received: Judged[]): void {
  if (!isCa(recipient) || isForEnciphering(recipient)) return
  for (const { certificate, path } of received)
    if (!path.ok && !isCa(certificate) && isForEnciphering(certificate))
      throw misconfigured(
        'ca-untrusted',
        'The RA certificate of the SCEP server is not trusted',
        `"${subjectText(certificate)}": ${path.reason}`,
        'Upload the root CA certificate, and the intermediates that GetCACert does not return',
      )
}

/** Anchors out of date are no anchors; with none left there is nothing to trust. A CA about to expire is said (B-17). */
function validAnchors({ anchors, basis }: Anchors, now: Date | undefined, warnings: Warning[]): Anchors {
  const valid = anchors.filter(anchor => dateProblem(anchor, now) === undefined)
  const [first] = anchors
  if (valid.length === 0 && first)
    throw misconfigured(
      'ca-expired',
      "The SCEP server's CA certificate is not valid now",
      dateProblem(first, now) ?? '',
      'Renew the CA, or check the clock of the sensor',
    )
  for (const anchor of valid) {
    const { notAfter } = fieldsOf(anchor)
    if (now && notAfter.getTime() - now.getTime() < 30 * 86_400_000)
      warnings.push({
        code: 'ca-expires',
        text: `"${subjectText(anchor)}" expires on ${notAfter.toISOString()}`,
      })
  }
  return { anchors: valid, basis }
}

/**
 * Who may sign a CertRep: a certificate of GetCACert (or an uploaded one), or a CA that chains to the anchors. An ordinary
 * certificate of the same CA may not, or any other client could answer in place of the server.
 */
export function isTrustedSigner(trust: Trust, signer: X509Certificate): boolean {
  if (trust.certificates.some(each => sameCertificate(each, signer))) return true
  return (
    isCa(signer) &&
    buildPath(signer, { anchors: trust.anchors, intermediates: trust.certificates, now: trust.now }).ok
  )
}
