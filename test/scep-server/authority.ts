/** Keys and certificates for tests: CAs, RAs and what they issue. */
import {
  createPrivateKey,
  createPublicKey,
  randomBytes,
  sign,
  X509Certificate,
  type KeyObject,
} from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bits, context, integer, nothing, octets, oid, sequence, set, time, tlv, utf8, yes } from './asn1.ts'

export interface Holder {
  certificate: X509Certificate
  key: KeyObject
}

/** Keys made once (test/fixtures/scep): RSA keys take a tenth of a second and more to make. */
export type FixtureKey =
  'rsa-1024' | 'rsa-2048-a' | 'rsa-2048-b' | 'rsa-2048-c' | 'rsa-2048-d' | 'rsa-3072' | 'rsa-4096'

export const fixturePath = (name: FixtureKey): string =>
  fileURLToPath(new URL(`../fixtures/scep/${name}.pem`, import.meta.url))

const fixtureKeys = new Map<FixtureKey, KeyObject>()

export function fixtureKey(name: FixtureKey): KeyObject {
  const key = fixtureKeys.get(name) ?? createPrivateKey(readFileSync(fixturePath(name)))
  fixtureKeys.set(name, key)
  return key
}

const usageBits = {
  digitalSignature: 0x80,
  keyEncipherment: 0x20,
  dataEncipherment: 0x10,
  keyCertSign: 0x04,
  cRLSign: 0x02,
} as const
export type Usage = keyof typeof usageBits

export interface CertificateOptions {
  /** Common name, or the DER of a whole Name. */
  subject: string | Buffer
  publicKey: KeyObject
  /** Left out: self-signed with `key`. */
  issuer?: Holder
  key?: KeyObject
  ca?: boolean
  pathLength?: number
  usage?: Usage[]
  purposes?: string[]
  /** DER of the subjectAltName value. */
  names?: Buffer
  notBefore?: Date
  notAfter?: Date
  digest?: 'sha1' | 'sha256'
  serial?: Buffer
  /** subjectKeyIdentifier. */
  keyIdentifier?: Buffer
  /** Where its CRL is (RFC 5280 section 4.2.1.13). */
  crl?: string
  /** OID of a critical extension that nobody knows. */
  critical?: string
}

export const name = (commonName: string): Buffer => sequence(set(sequence(oid('2.5.4.3'), utf8(commonName))))

const year = 365 * 86_400_000
const extension = (id: string, value: Buffer, critical = false): Buffer =>
  sequence(oid(id), ...(critical ? [yes] : []), octets(value))

const algorithmOf = (key: KeyObject, digest: 'sha1' | 'sha256'): Buffer =>
  key.asymmetricKeyType === 'ec'
    ? sequence(oid(digest === 'sha1' ? '1.2.840.10045.4.1' : '1.2.840.10045.4.3.2'))
    : sequence(oid(digest === 'sha1' ? '1.2.840.113549.1.1.5' : '1.2.840.113549.1.1.11'), nothing)

/** Makes one certificate. */
export function certificate(options: CertificateOptions): X509Certificate {
  const { issuer, digest = 'sha256', usage = [], purposes = [] } = options
  const key = issuer?.key ?? options.key
  if (!key) throw new Error('a certificate needs an issuer or its own key')
  const subject = typeof options.subject === 'string' ? name(options.subject) : options.subject
  const algorithm = algorithmOf(key, digest)
  const spki = options.publicKey.export({ type: 'spki', format: 'der' })
  const extensions = [
    ...(options.ca === undefined
      ? []
      : [
          extension(
            '2.5.29.19',
            sequence(
              ...(options.ca ? [yes] : []),
              ...(options.pathLength === undefined ? [] : [integer(options.pathLength)]),
            ),
            true,
          ),
        ]),
    ...(usage.length === 0
      ? []
      : [
          extension(
            '2.5.29.15',
            bits(Buffer.from([usage.reduce((octet, each) => octet | usageBits[each], 0)]), 1),
            true,
          ),
        ]),
    ...(purposes.length === 0 ? [] : [extension('2.5.29.37', sequence(...purposes.map(oid)))]),
    ...(options.keyIdentifier ? [extension('2.5.29.14', octets(options.keyIdentifier))] : []),
    ...(options.names ? [extension('2.5.29.17', options.names)] : []),
    ...(options.crl === undefined ? [] : [extension('2.5.29.31', distributionPoint(options.crl))]),
    ...(options.critical === undefined ? [] : [extension(options.critical, nothing, true)]),
  ]
  const body = sequence(
    context(0, integer(2)),
    integer(options.serial ?? Buffer.concat([Buffer.from([1]), randomBytes(7)])),
    algorithm,
    issuer ? subjectName(issuer.certificate) : subject,
    sequence(
      time(options.notBefore ?? new Date(Date.now() - 3_600_000)),
      time(options.notAfter ?? new Date(Date.now() + year)),
    ),
    subject,
    spki,
    ...(extensions.length === 0 ? [] : [context(3, sequence(...extensions))]),
  )
  return new X509Certificate(sequence(body, algorithm, bits(sign(digest, body, key))))
}

const distributionPoint = (url: string): Buffer =>
  sequence(sequence(context(0, context(0, tlv(0x86, Buffer.from(url, 'latin1'))))))

export interface CrlOptions {
  issuer: Holder
  /** The certificates on it, revoked when it is made. */
  revoked: readonly X509Certificate[]
  thisUpdate?: Date
  nextUpdate?: Date
}

/** A CRL (RFC 5280 section 5.1), DER. */
export function crl({ issuer, revoked, thisUpdate = new Date(), nextUpdate }: CrlOptions): Buffer {
  const algorithm = algorithmOf(issuer.key, 'sha256')
  const entries = revoked.map(each => sequence(issuerAndSerial(each).serial, time(thisUpdate)))
  const body = sequence(
    ...[integer(1), algorithm, subjectName(issuer.certificate), time(thisUpdate)],
    time(nextUpdate ?? new Date(thisUpdate.getTime() + 86_400_000)),
    ...(entries.length > 0 ? [sequence(...entries)] : []),
  )
  return sequence(body, algorithm, bits(sign('sha256', body, issuer.key)))
}

/** DER of a certificate's subject, cut out of the certificate. */
export function subjectName(of: X509Certificate): Buffer {
  const body = inside(inside(of.raw))
  const [, , , , , subject] = split(body)
  if (!subject) throw new Error('a certificate without subject')
  return subject
}

/** DER of a certificate's issuer and of its serial number. */
export function issuerAndSerial(of: X509Certificate): { issuer: Buffer; serial: Buffer } {
  const [, serial, , issuer] = split(inside(inside(of.raw)))
  if (!serial || !issuer) throw new Error('a certificate without issuer')
  return { issuer, serial }
}

const headerLength = (der: Buffer): number => ((der[1] ?? 0) < 0x80 ? 2 : 2 + ((der[1] ?? 0) & 0x7f))
const contentLength = (der: Buffer): number =>
  (der[1] ?? 0) < 0x80 ? (der[1] ?? 0) : der.readUIntBE(2, (der[1] ?? 0) & 0x7f)

/** The contents of the first value, for definite lengths. */
export const inside = (der: Buffer): Buffer =>
  der.subarray(headerLength(der), headerLength(der) + contentLength(der))

/** The values that follow one another, for definite lengths. */
export function split(content: Buffer): Buffer[] {
  const parts: Buffer[] = []
  for (let rest = content; rest.length > 0;) {
    const length = headerLength(rest) + contentLength(rest)
    parts.push(rest.subarray(0, length))
    rest = rest.subarray(length)
  }
  return parts
}

/** A self-signed CA. */
export function rootCa(
  commonName: string,
  key: KeyObject,
  options: Partial<CertificateOptions> = {},
): Holder {
  const own = {
    subject: commonName,
    publicKey: createPublicKey(key),
    key,
    ca: true,
    usage: ['keyCertSign', 'cRLSign', 'digitalSignature', 'keyEncipherment'] as Usage[],
  }
  return { key, certificate: certificate({ ...own, ...options }) }
}

/** A certificate of its own key, issued by a CA. */
export const issuedBy = (
  issuer: Holder,
  commonName: string,
  key: KeyObject,
  options: Partial<CertificateOptions> = {},
): Holder => ({
  key,
  certificate: certificate({ subject: commonName, publicKey: createPublicKey(key), issuer, ...options }),
})

/** A degenerate SignedData. */
export const bag = (certificates: readonly X509Certificate[], crls: readonly Buffer[] = []): Buffer =>
  sequence(
    oid('1.2.840.113549.1.7.2'),
    context(
      0,
      sequence(
        integer(1),
        set(),
        sequence(oid('1.2.840.113549.1.7.1')),
        ...(certificates.length > 0 ? [tlv(0xa0, ...certificates.map(each => each.raw))] : []),
        ...(crls.length > 0 ? [tlv(0xa1, ...crls)] : []),
        set(),
      ),
    ),
  )
