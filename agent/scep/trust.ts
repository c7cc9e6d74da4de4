/**
 * Whom to believe, decided before the challenge password is sent (RFC 8894 §2.2; S2-42 … S2-49, B-10 … B-15).
 *
 * Anchors are the uploaded roots and the certificate that the fingerprint names; with neither, what GetCACert returned is
 * trusted on first use. Whatever of the reply does not chain to an anchor is not used.
 */
import { X509Certificate } from 'node:crypto'
import { buildPath, dateProblem } from './chain.ts'
import type { CaReply } from './ca-certificates.ts'
import { fieldsOf, isCa, isSelfSigned, pemBlocks, sameCertificate, subjectText } from './certificate.ts'
import { reading, ScepError, type ScepCode, type Warning } from './errors.ts'
import { fingerprintMatches, parseFingerprint, sha256Fingerprint } from './fingerprint.ts'
import { selectRecipient } from './recipient.ts'
import { certificateOf } from './signed-data.ts'

export interface TrustSettings {
  /** Uploaded CA certificates, PEM; each may hold several blocks. */
  roots: readonly string[]
  /** Root CA fingerprint as the operator wrote it. */
  fingerprint: string | null
  /** What an earlier trust on first use recorded (`Trust.pin`); a different CA is an alarm. */
  pinned?: string | undefined
}

export interface Trust {
  anchors: X509Certificate[]
  /** CA certificates that chain to the anchors, anchors included, lowest first; never RA certificates. */
  chain: X509Certificate[]
  /** Everything verified that came from GetCACert or was uploaded: CAs and RAs; only these may sign a CertRep. */
  certificates: X509Certificate[]
  /** Whom the envelope is for: the RA that enciphers, or the CA. */
  recipient: X509Certificate
  /** The CA that issues: the issuer in a CertPoll. */
  issuer: X509Certificate
  /** How the anchors came to be trusted. */
  basis: 'uploaded' | 'fingerprint' | 'first-use' | 'pinned'
  /** SHA-256 of the anchor of trust on first use, to be recorded and given back as `pinned`; null for the other bases. */
  pin: string | null
  /** SHA-256 of every anchor. */
  fingerprints: string[]
  now: Date | undefined
  warnings: Warning[]
}

const refuse = (code: ScepCode, title: string, detail: string, hint: string): ScepError =>
  new ScepError({ code, kind: 'misconfigured', title, detail, hint })

/** The certificates in PEM texts. Throws `root-invalid`. */
export function certificatesFromPem(
  texts: readonly string[],
  what = 'An uploaded CA certificate',
): X509Certificate[] {
  return texts.flatMap(text => {
    const blocks = pemBlocks(text, 'CERTIFICATE')
    if (blocks.length === 0)
      throw refuse(
        'root-invalid',
        `${what} cannot be read`,
        'the text holds no PEM certificate',
        'Give the certificate as PEM, with its BEGIN and END lines',
      )
    return blocks.map(der => reading(what, 'root-invalid', () => certificateOf(der)))
  })
}

/**
 * Decides anchors, chain, recipient and signers. `now` undefined means that the clock is not trusted and dates are not judged.
 * Throws `fingerprint-mismatch`, `ca-changed`, `ca-untrusted`, `ca-expired`, `recipient-missing`, `root-invalid`, `fingerprint-format`.
 */
export function establishTrust(reply: CaReply, settings: TrustSettings, now: Date | undefined): Trust {
  const warnings: Warning[] = [...reply.warnings]
  const uploaded = certificatesFromPem(settings.roots)
  const { anchors, basis } = findAnchors(reply.certificates, uploaded, settings, warnings)
  checkAnchorDates(anchors, now)
  const known = unique([...uploaded, ...reply.certificates])
  const verified = known.map(certificate => ({
    certificate,
    path: buildPath(certificate, { anchors, intermediates: known, now }),
  }))
  const certificates = verified.filter(({ path }) => path.ok).map(({ certificate }) => certificate)
  if (!reply.certificates.some(each => certificates.some(good => sameCertificate(each, good)))) {
    const [first] = verified
      .filter(({ certificate }) => reply.certificates.includes(certificate))
      .flatMap(({ path }) => (path.ok ? [] : [path.reason]))
    throw refuse(
      'ca-untrusted',
      "The SCEP server's CA is not trusted",
      first ?? 'its certificates do not chain to the uploaded ones',
      'Upload the root CA certificate and the intermediates that GetCACert does not return',
    )
  }
  for (const { certificate, path } of verified)
    if (!path.ok)
      warnings.push({
        code: 'unrelated-certificate',
        text: `"${subjectText(certificate)}" is left aside: ${path.reason}`,
      })
  const chain = unique([...certificates, ...anchors])
    .filter(isCa)
    .sort((a, b) => depth(b, anchors, known) - depth(a, anchors, known))
  if (!chain.some(isSelfSigned))
    warnings.push({
      code: 'no-root',
      text: 'There is no root CA certificate: neither uploaded nor returned by GetCACert. EAP-TLS needs it',
    })
  const selected = selectRecipient(
    certificates.filter(each => reply.certificates.some(one => sameCertificate(one, each))),
    warnings,
  )
  const pin =
    basis === 'first-use' || basis === 'pinned' ? sha256Fingerprint(anchors[0] ?? selected.recipient) : null
  return {
    anchors,
    chain,
    certificates: unique([...certificates, ...anchors]),
    ...selected,
    basis,
    pin,
    fingerprints: anchors.map(sha256Fingerprint),
    now,
    warnings,
  }
}

const unique = (certificates: X509Certificate[]): X509Certificate[] =>
  certificates.filter((each, at) => certificates.findIndex(other => sameCertificate(each, other)) === at)

const depth = (
  certificate: X509Certificate,
  anchors: X509Certificate[],
  known: X509Certificate[],
): number => {
  const found = buildPath(certificate, {
    anchors: known.filter(isSelfSigned).length > 0 ? known.filter(isSelfSigned) : anchors,
    intermediates: known,
    now: undefined,
  })
  return found.ok ? found.path.length : 0
}

function findAnchors(
  received: X509Certificate[],
  uploaded: X509Certificate[],
  settings: TrustSettings,
  warnings: Warning[],
): Pick<Trust, 'anchors' | 'basis'> {
  const named =
    settings.fingerprint === null
      ? []
      : namedByFingerprint([...uploaded, ...received], settings.fingerprint, warnings)
  if (uploaded.length > 0) {
    const roots = uploaded.filter(isSelfSigned)
    return { anchors: unique([...(roots.length > 0 ? roots : uploaded), ...named]), basis: 'uploaded' }
  }
  if (named.length > 0) return { anchors: named, basis: 'fingerprint' }
  return firstUse(received, settings.pinned, warnings)
}

/** B-12: it may name the root or, where GetCACert returns no root, the CA that it does return. */
function namedByFingerprint(
  certificates: X509Certificate[],
  written: string,
  warnings: Warning[],
): X509Certificate[] {
  const fingerprint = parseFingerprint(written)
  const named = certificates.filter(
    certificate => isCa(certificate) && fingerprintMatches(fingerprint, certificate),
  )
  if (named.length === 0)
    throw refuse(
      'fingerprint-mismatch',
      'The root CA fingerprint does not match',
      certificates.length === 0
        ? 'there is no certificate to compare it with'
        : `the ${fingerprint.digest} fingerprint matches none of: ${certificates.filter(isCa).map(subjectText).join('; ') || 'no CA certificate'}`,
      'Compare the fingerprint with the one the CA administrator gives; if it is right, someone may be answering in place of the server',
    )
  if (fingerprint.digest !== 'SHA-256')
    warnings.push({
      code: 'weak-fingerprint',
      text: `The root CA fingerprint is ${fingerprint.digest}; prefer SHA-256`,
    })
  return unique(named)
}

/** B-15: nothing uploaded, no fingerprint. The anchor is the root if there is one, else the highest CA there is. */
function firstUse(
  received: X509Certificate[],
  pinned: string | undefined,
  warnings: Warning[],
): Pick<Trust, 'anchors' | 'basis'> {
  const cas = received.filter(isCa)
  const roots = cas.filter(isSelfSigned)
  const tops =
    roots.length > 0
      ? roots
      : cas.filter(
          ca =>
            !cas.some(
              other => !sameCertificate(other, ca) && fieldsOf(other).subject.equals(fieldsOf(ca).issuer),
            ),
        )
  const anchors = pinned === undefined ? tops : tops.filter(each => sha256Fingerprint(each) === pinned)
  if (tops.length === 0)
    throw refuse(
      'ca-untrusted',
      "The SCEP server's CA is not trusted",
      'GetCACert returned no CA certificate, and none is uploaded',
      'Upload the root CA certificate and the intermediates',
    )
  if (anchors.length === 0)
    throw refuse(
      'ca-changed',
      'The SCEP server answers with another CA than before',
      `it was ${String(pinned)}, now it is ${tops.map(sha256Fingerprint).join(', ')}`,
      'If the CA was changed on purpose, upload its certificate or give its fingerprint; if not, someone may be answering in place of the server',
    )
  if (pinned !== undefined) return { anchors, basis: 'pinned' }
  warnings.push({
    code: 'trust-on-first-use',
    text: `No CA certificate and no fingerprint are set: ${anchors.map(each => `"${subjectText(each)}" (SHA-256 ${sha256Fingerprint(each)})`).join(', ')} is trusted because it answered first`,
  })
  return { anchors, basis: 'first-use' }
}

function checkAnchorDates(anchors: X509Certificate[], now: Date | undefined): void {
  const problems = anchors.map(anchor => dateProblem(anchor, now))
  if (problems.length > 0 && problems.every(problem => problem !== undefined))
    throw refuse(
      'ca-expired',
      "The SCEP server's CA certificate is not valid now",
      problems[0] ?? '',
      'Renew the CA, or check the clock of the sensor',
    )
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
