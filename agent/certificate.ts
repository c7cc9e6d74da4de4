import { X509Certificate } from 'node:crypto'
import type { CertificateFacts } from './types.ts'

/** What documents say of a certificate. `pem` must hold one certificate; throws what node:crypto throws. */
export function certificateFacts(pem: string): CertificateFacts {
  const certificate = new X509Certificate(pem)
  return {
    fingerprint: plainFingerprint(certificate.fingerprint256),
    sha1: plainFingerprint(certificate.fingerprint),
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    serial: certificate.serialNumber.toLowerCase(),
    names: splitNames(certificate.subjectAltName),
    notBefore: Date.parse(certificate.validFrom),
    notAfter: Date.parse(certificate.validTo),
    key: describeKey(certificate),
  }
}

/** Certificates of a text, PEM. */
export const pemBlocks = (text: string): string[] => text.match(block) ?? []

/** A root in the client's chain is dead weight in every EAP exchange; a CA that its own older key has signed is none. */
export const withoutRoots = (text: string): string[] =>
  pemBlocks(text).filter(pem => {
    const certificate = new X509Certificate(pem)
    return certificate.subject !== certificate.issuer || !certificate.verify(certificate.publicKey)
  })

const block = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----\n?/g

/** Whether there are certificates, or nothing at all, and no remains of any. */
export function isWholePem(text: string): boolean {
  try {
    for (const pem of pemBlocks(text)) new X509Certificate(pem)
    return text.replace(block, '').trim() === ''
  } catch {
    return false
  }
}

/** `AB:CD:…` → `abcd…` */
const plainFingerprint = (text: string): string => text.replaceAll(':', '').toLowerCase()

const oneLine = (name: string): string => name.split('\n').join(', ')

/** `DNS:a, IP Address:b` → [`DNS:a`, `IP Address:b`]; a quoted value keeps its commas (Node's own quoting). */
const splitNames = (names: string | undefined): string[] =>
  names === undefined ? [] : (names.match(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g) ?? []).map(name => name.trim())

function describeKey({ publicKey }: X509Certificate): string {
  const details = publicKey.asymmetricKeyDetails
  return publicKey.asymmetricKeyType === 'rsa'
    ? `RSA-${String(details?.modulusLength)}`
    : `EC ${details?.namedCurve ?? publicKey.asymmetricKeyType ?? 'unknown'}`
}

/** Undefined for what is no certificate. */
export function factsOf(pem: string): CertificateFacts | undefined {
  try {
    return certificateFacts(pem)
  } catch {
    return undefined
  }
}
