/** What SUCCESS brought: the envelope opened, our certificate found and checked before anybody installs it (B-50 … B-52). */
import type { X509Certificate } from 'node:crypto'
import { BerError, read } from './ber.ts'
import { ciphers, oids, signatures, type Digest } from './algorithms.ts'
import type { CertRep } from './cert-rep.ts'
import { buildPath, issuersAbove } from './chain.ts'
import { fieldsOf, isCa, isSelfSigned, pem, sameCertificate, subjectText } from './certificate.ts'
import { openEnvelope, unreadable, type Opened } from './enveloped-data.ts'
import type { OpenEnrolment } from './enrolment.ts'
import { reading, ScepError, type ScepCode, type Warning } from './errors.ts'
import { alternativeNameTexts, nameText } from './names.ts'
import { readSignedData, type SignedData } from './signed-data.ts'
import type { Trust } from './trust.ts'

export interface Issued {
  /** PEM. */
  certificate: string
  /** PEM of the CA certificates above it, issuer first, anchor last. */
  chain: string[]
  /** PEM of those above the anchor, where it is no root: to be shown with the chain, never to be trusted. */
  above: string[]
  warnings: Warning[]
  replyAlgorithms: { encryption: string; keyTransport: string; digest: Digest }
}

/** Opens the envelope of a SUCCESS and returns our certificate. Throws `reply-unreadable`, `certificate-missing`, `certificate-untrusted`, `certificate-dates`. */
export const issuedCertificate = (
  certRep: CertRep & { status: 'SUCCESS' },
  open: OpenEnrolment,
  trust: Trust,
  warnings: readonly Warning[],
): Issued =>
  reading("The CertRep's envelope", 'reply-malformed', () =>
    openedCertificate(certRep, open, trust, warnings),
  )

function openedCertificate(
  { envelope, digest, certificates }: CertRep & { status: 'SUCCESS' },
  open: OpenEnrolment,
  trust: Trust,
  warnings: readonly Warning[],
): Issued {
  const opened = openEnvelope(envelope, { ...open.signer, password: open.request.challengePassword })
  const { certificates: bag, unreadable: strange } = readBag(opened.content, [
    ...trust.certificates,
    ...certificates,
  ])
  const certificate = bag.find(each => fieldsOf(each).publicKey.equals(open.request.publicKey))
  if (!certificate)
    throw wrong(
      'certificate-missing',
      'The SCEP server sent no certificate for our key',
      `it sent ${[...bag.map(subjectText), ...strange].join('; ') || 'none'}`,
    )
  const now = issuedBy(certificate, trust.now)
  const others = [...bag, ...certificates].filter(each => !sameCertificate(each, certificate))
  const intermediates = [...trust.certificates, ...trust.above, ...others].filter(isCa)
  const path = buildPath(certificate, { anchors: trust.anchors, intermediates, now, own: true })
  if (!path.ok)
    throw path.outdated
      ? wrong('certificate-dates', 'The issued certificate is not valid now', path.reason)
      : wrong('certificate-untrusted', 'The issued certificate does not chain to a trusted CA', path.reason)
  const texts = (found: X509Certificate[]): string[] => found.map(each => pem('CERTIFICATE', each.raw))
  return {
    certificate: pem('CERTIFICATE', certificate.raw),
    chain: texts(path.path.slice(1)),
    above: texts(issuersAbove(path.path, intermediates, now)),
    warnings: [
      ...warnings,
      ...weaknesses(opened, certificate),
      ...deviations(certificate, open),
      ...narrowCas(path.path.slice(1)),
    ],
    replyAlgorithms: { encryption: opened.encryption, keyTransport: opened.keyTransport, digest },
  }
}

/** Milliseconds by which the CA's clock may be ahead of ours. */
const clockSkew = 300_000

/**
 * The time by which the reply is judged. `now` was read before the request left, and the CA has its own clock: a certificate
 * just made for us proves that its notBefore has come, unless that is further off than clocks differ.
 */
function issuedBy(certificate: X509Certificate, now: Date | undefined): Date | undefined {
  const { notBefore } = fieldsOf(certificate)
  const ahead = now ? notBefore.getTime() - now.getTime() : 0
  return ahead > 0 && ahead <= clockSkew ? notBefore : now
}

/** Content that is no certificate bag is what a wrong key makes, so it is the same error. */
function readBag(content: Buffer, known: readonly X509Certificate[]): SignedData {
  try {
    return readSignedData(content, known)
  } catch (error) {
    if (error instanceof BerError) throw unreadable(error)
    throw error
  }
}

const wrong = (code: ScepCode, title: string, detail: string): ScepError =>
  new ScepError({
    code,
    kind: code === 'certificate-missing' ? 'server-fault' : 'misconfigured',
    title,
    detail,
    hint:
      code === 'certificate-dates'
        ? 'Check the clocks of the sensor and of the CA'
        : code === 'certificate-untrusted'
          ? 'Upload the CA certificates that GetCACert does not return, the issuing one too'
          : 'Look at the log of the SCEP server',
  })

function weaknesses({ encryption }: Opened, certificate: X509Certificate): Warning[] {
  const found: Warning[] = []
  if (ciphers[encryption].weak)
    found.push({
      code: 'weak-encryption',
      text: `The SCEP server encrypts its replies with ${encryption === 'DES' ? 'single DES' : encryption}`,
    })
  const bits = certificate.publicKey.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && bits < 2048)
    found.push({
      code: 'weak-key',
      text: `The certificate's key has ${String(bits)} bits only; OpenSSL and many CAs refuse it`,
    })
  if (signatures[fieldsOf(certificate).signatureOid]?.digest === 'SHA-1')
    found.push({ code: 'weak-digest', text: 'The CA signs certificates with SHA-1' })
  return found
}

/** CAs may rewrite what was asked for; that is said, not refused (B-51). */
function deviations(certificate: X509Certificate, open: OpenEnrolment): Warning[] {
  const { subject, alternativeNames } = fieldsOf(certificate)
  const asked = open.request
  const found: Warning[] = []
  if (nameText(read(subject)) !== nameText(read(asked.subject)))
    found.push({
      code: 'subject-changed',
      text: `The CA changed the subject from "${nameText(read(asked.subject))}" to "${nameText(read(subject))}"`,
    })
  const wanted = asked.alternativeNames ? alternativeNameTexts(asked.alternativeNames) : []
  const got = alternativeNames ? alternativeNameTexts(alternativeNames) : []
  const missing = wanted.filter(name => !got.includes(name))
  if (missing.length > 0) found.push({ code: 'names-changed', text: `The CA left out ${missing.join(', ')}` })
  if (!isForClients(certificate))
    found.push({
      code: 'no-client-auth',
      text: 'The certificate is not for client authentication (extendedKeyUsage), so EAP-TLS will refuse it',
    })
  return found
}

/** OpenSSL and Windows let no certificate be used for what a CA above it is not for. A root may be for anything. */
const narrowCas = (above: readonly X509Certificate[]): Warning[] =>
  above
    .filter(each => !isSelfSigned(each) && !isForClients(each))
    .map(each => ({
      code: 'no-client-auth',
      text: `The CA "${subjectText(each)}" is not for client authentication (extendedKeyUsage), so EAP-TLS will refuse what it issues`,
    }))

function isForClients(certificate: X509Certificate): boolean {
  const { purposes } = fieldsOf(certificate)
  return !purposes || purposes.includes(oids.clientAuth) || purposes.includes(oids.anyExtendedKeyUsage)
}
