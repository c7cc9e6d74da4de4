/** Trust anchors: uploaded, named by a fingerprint, or trusted on first use (S2-42 … S2-49, B-12, B-14, B-15, B-17). */
import type { X509Certificate } from 'node:crypto'
import { buildPath, issuersAbove } from './chain.ts'
import { fieldsOf, isCa, isSelfSigned, pem, pemBlocks, sameCertificate, subjectText } from './certificate.ts'
import { reading, ScepError, type ScepCode, type Warning } from './errors.ts'
import { fingerprintMatches, parseFingerprint, sha256Fingerprint } from './fingerprint.ts'
import { certificateOf } from './signed-data.ts'

export interface TrustSettings {
  /** Uploaded CA certificates, PEM; each may hold several blocks. */
  roots: readonly string[]
  /** Root CA fingerprint as the operator wrote it. */
  fingerprint: string | null
  /** What an earlier trust on first use recorded (`Trust.pin`); a different CA is an alarm. */
  pinned?: string | undefined
  /** CA certificates (PEM) that getNextCaCertificates returned and verified: trusted beside the present ones. */
  next?: readonly string[] | undefined
}

/** How the anchors came to be trusted. */
export type Basis = 'uploaded' | 'fingerprint' | 'first-use' | 'pinned' | 'next-ca'

export interface Anchors {
  anchors: X509Certificate[]
  basis: Basis
}

export const misconfigured = (code: ScepCode, title: string, detail: string, hint: string): ScepError =>
  new ScepError({ code, kind: 'misconfigured', title, detail, hint })

/** The certificates in PEM texts. Throws `root-invalid`. */
export function certificatesFromPem(
  texts: readonly string[],
  what = 'An uploaded CA certificate',
): X509Certificate[] {
  return texts.flatMap(text => {
    const blocks = pemBlocks(text, 'CERTIFICATE')
    if (blocks.length === 0)
      throw misconfigured(
        'root-invalid',
        `${what} cannot be read`,
        'the text holds no PEM certificate',
        'Give the certificate as PEM, with its BEGIN and END lines',
      )
    return blocks.map(der => reading(what, 'root-invalid', () => certificateOf(der)))
  })
}

/** PEM of the CAs among `given` that continue `chain`, a PEM text with the issuer after what it has issued. Throws `root-invalid`. */
export const issuersAboveChain = (chain: string, given: readonly string[], now?: Date): string[] =>
  issuersAbove(certificatesFromPem([chain], 'The chain'), certificatesFromPem(given), now).map(each =>
    pem('CERTIFICATE', each.raw),
  )

export const unique = (certificates: readonly X509Certificate[]): X509Certificate[] =>
  certificates.filter((each, at) => certificates.findIndex(other => sameCertificate(each, other)) === at)

/** Decides whom to start from. Throws `fingerprint-mismatch`, `fingerprint-format`, `ca-changed`, `ca-untrusted`, `root-invalid`. */
export function findAnchors(
  received: readonly X509Certificate[],
  uploaded: readonly X509Certificate[],
  settings: TrustSettings,
  warnings: Warning[],
): Anchors {
  const next = certificatesFromPem(settings.next ?? [], 'The next CA certificate')
  const present = presentAnchors(received, uploaded, settings, warnings)
  if ('anchors' in present) return { anchors: unique([...present.anchors, ...next]), basis: present.basis }
  // After the switch-over neither fingerprint nor pin can match; the CA of today was vouched for by the one of yesterday.
  if (received.some(each => next.some(known => sameCertificate(each, known))))
    return { anchors: next, basis: 'next-ca' }
  throw present.problem
}

function presentAnchors(
  received: readonly X509Certificate[],
  uploaded: readonly X509Certificate[],
  settings: TrustSettings,
  warnings: Warning[],
): Anchors | { problem: ScepError } {
  const named =
    settings.fingerprint === null
      ? []
      : namedByFingerprint([...uploaded, ...received], settings.fingerprint, warnings)
  if (named instanceof ScepError) return { problem: named }
  if (uploaded.length > 0) return { anchors: [...uploadedAnchors(uploaded), ...named], basis: 'uploaded' }
  if (named.length > 0) return { anchors: named, basis: 'fingerprint' }
  return firstUse(received, settings.pinned, warnings)
}

/** The roots; and an uploaded intermediate whose own root is not uploaded is an anchor itself. */
function uploadedAnchors(uploaded: readonly X509Certificate[]): X509Certificate[] {
  const roots = uploaded.filter(isSelfSigned)
  const partial = uploaded.filter(
    each => isCa(each) && !buildPath(each, { anchors: roots, intermediates: uploaded, now: undefined }).ok,
  )
  const highest = partial.filter(
    each =>
      !partial.some(
        other => !sameCertificate(each, other) && fieldsOf(other).subject.equals(fieldsOf(each).issuer),
      ),
  )
  return [...roots, ...highest]
}

/** B-12: it may name the root or, where GetCACert returns no root, the CA that it does return; never an RA. */
function namedByFingerprint(
  certificates: readonly X509Certificate[],
  written: string,
  warnings: Warning[],
): X509Certificate[] | ScepError {
  const fingerprint = parseFingerprint(written)
  const cas = certificates.filter(isCa)
  const named = cas.filter(certificate => fingerprintMatches(fingerprint, certificate))
  if (named.length === 0)
    return misconfigured(
      'fingerprint-mismatch',
      'The root CA fingerprint does not match',
      `the ${fingerprint.digest} fingerprint matches none of: ${unique(cas).map(subjectText).join('; ') || 'no CA certificate at all'}`,
      'Compare the fingerprint with the one the CA administrator gives; if it is right, someone may be answering in place of the server',
    )
  if (fingerprint.digest !== 'SHA-256')
    warnings.push({
      code: 'weak-fingerprint',
      text: `The root CA fingerprint is ${fingerprint.digest}; prefer SHA-256`,
    })
  return named
}

/** B-15: nothing uploaded, no fingerprint. The anchor is the root if there is one, else the highest CA there is. */
function firstUse(
  received: readonly X509Certificate[],
  pinned: string | undefined,
  warnings: Warning[],
): Anchors | { problem: ScepError } {
  const cas = received.filter(isCa)
  const roots = cas.filter(isSelfSigned)
  const hasIssuer = (ca: X509Certificate): boolean =>
    cas.some(other => !sameCertificate(other, ca) && fieldsOf(other).subject.equals(fieldsOf(ca).issuer))
  const tops = unique(roots.length > 0 ? roots : cas.filter(ca => !hasIssuer(ca)))
  if (tops.length === 0)
    return {
      problem: misconfigured(
        'ca-untrusted',
        "The SCEP server's CA is not trusted",
        'GetCACert returned no CA certificate, and none is uploaded',
        'Upload the root CA certificate and the intermediates',
      ),
    }
  if (pinned === undefined) {
    const names = tops.map(each => `"${subjectText(each)}" (SHA-256 ${sha256Fingerprint(each)})`).join(', ')
    warnings.push({
      code: 'trust-on-first-use',
      text: `No CA certificate and no fingerprint are set: ${names} is trusted because it answered first`,
    })
    return { anchors: tops, basis: 'first-use' }
  }
  const anchors = tops.filter(each => sha256Fingerprint(each) === pinned)
  if (anchors.length > 0) return { anchors, basis: 'pinned' }
  return {
    problem: misconfigured(
      'ca-changed',
      'The SCEP server answers with another CA than before',
      `its SHA-256 fingerprint was ${pinned}, now it is ${tops.map(sha256Fingerprint).join(', ')}`,
      'If the CA was changed on purpose, upload its certificate or give its fingerprint; if not, someone may be answering in place of the server',
    ),
  }
}
