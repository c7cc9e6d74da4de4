/** The fields of a certificate that node:crypto does not give as bytes (RFC 5280 §4.1). Signatures are checked by X509Certificate, never here. */
import type { X509Certificate } from 'node:crypto'
import { bits, date, Fields, members, octets, oidText, read, smallInteger, tag, type Element } from './ber.ts'
import { oids } from './algorithms.ts'
import { nameText } from './names.ts'

export interface CertificateFields {
  /** Contents octets of the serial number, as received. */
  serial: Buffer
  issuer: Buffer
  subject: Buffer
  notBefore: Date
  notAfter: Date
  publicKey: Buffer
  signatureOid: string
  /** undefined: no keyUsage extension, everything is allowed. */
  keyUsage: ReadonlySet<KeyUsage> | undefined
  /** OIDs; undefined: no extendedKeyUsage extension. */
  purposes: readonly string[] | undefined
  /** basicConstraints; undefined: no such extension. */
  ca: boolean | undefined
  /** pathLenConstraint. */
  pathLength: number | undefined
  /** DER of the subjectAltName value. */
  alternativeNames: Buffer | undefined
  subjectKeyIdentifier: Buffer | undefined
  /** OID of a critical extension that nothing here understands. */
  strangeCritical: string | undefined
}

const keyUsages = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
] as const
export type KeyUsage = (typeof keyUsages)[number]

const known = new WeakMap<X509Certificate, CertificateFields>()

/** Reads a certificate once; later calls answer from memory. Throws BerError. */
export function fieldsOf(certificate: X509Certificate): CertificateFields {
  const found = known.get(certificate)
  if (found) return found
  const fields = readFields(certificate.raw)
  known.set(certificate, fields)
  return fields
}

function readFields(der: Buffer): CertificateFields {
  const certificate = new Fields(read(der), 'Certificate')
  const tbs = new Fields(certificate.take('tbsCertificate'), 'TBSCertificate')
  const signatureAlgorithm = new Fields(certificate.take('signatureAlgorithm'), 'signatureAlgorithm')
  tbs.optional(tag.context(0))
  const serial = tbs.take('serialNumber', tag.integer).content
  tbs.take('signature')
  const issuer = tbs.take('issuer', tag.sequence).bytes
  const validity = new Fields(tbs.take('validity'), 'Validity')
  const subject = tbs.take('subject', tag.sequence).bytes
  const publicKey = tbs.take('subjectPublicKeyInfo', tag.sequence).bytes
  tbs.optional(0x81, 0xa1)
  tbs.optional(0x82, 0xa2)
  const listed = listExtensions(tbs.optional(tag.context(3)))
  const extensions = new Map(listed.map(({ id, value }) => [id, value]))
  return {
    serial,
    issuer,
    subject,
    notBefore: date(validity.take('notBefore')),
    notAfter: date(validity.take('notAfter')),
    publicKey,
    signatureOid: oidText(signatureAlgorithm.take('algorithm')),
    keyUsage: readKeyUsage(extensions.get(oids.keyUsage)),
    purposes: mapped(extensions.get(oids.extendedKeyUsage), value => members(value).map(oidText)),
    ...readBasicConstraints(extensions.get(oids.basicConstraints)),
    alternativeNames: extensions.get(oids.subjectAltName),
    subjectKeyIdentifier: mapped(extensions.get(oids.subjectKeyIdentifier), octets),
    strangeCritical: listed.find(({ id, critical }) => critical && !understood.test(id))?.id,
  }
}

/** Those of RFC 5280 §4.2.1; policies and name constraints are passed over, see chain.ts. */
const understood = /^2\.5\.29\.(14|15|17|18|19|30|31|32|33|35|36|37|46|54)$/

const mapped = <T>(value: Buffer | undefined, body: (element: Element) => T): T | undefined =>
  value === undefined ? undefined : body(read(value))

/** The extensions of `[3] EXPLICIT Extensions`, or of an extensionRequest given as a plain SEQUENCE: OID to DER value. */
export const readExtensions = (element: Element | undefined): Map<string, Buffer> =>
  new Map(listExtensions(element).map(({ id, value }) => [id, value]))

function listExtensions(element: Element | undefined): { id: string; critical: boolean; value: Buffer }[] {
  const list = element?.tag === tag.context(3) ? members(element)[0] : element
  return (list ? members(list) : []).map(extension => {
    const fields = new Fields(extension, 'Extension')
    const id = oidText(fields.take('extnID'))
    const critical = (fields.optional(tag.boolean)?.content[0] ?? 0) !== 0
    return { id, critical, value: octets(fields.take('extnValue', tag.octetString)) }
  })
}

function readBasicConstraints(value: Buffer | undefined): Pick<CertificateFields, 'ca' | 'pathLength'> {
  if (!value) return { ca: undefined, pathLength: undefined }
  const fields = new Fields(read(value), 'basicConstraints')
  const ca = (fields.optional(tag.boolean)?.content[0] ?? 0) !== 0
  const pathLength = fields.optional(tag.integer)
  return { ca, pathLength: pathLength && smallInteger(pathLength) }
}

function readKeyUsage(value: Buffer | undefined): ReadonlySet<KeyUsage> | undefined {
  if (!value) return undefined
  const octet = bits(read(value))[0] ?? 0
  return new Set(keyUsages.filter((_, bit) => octet & (0x80 >> bit)))
}

/** Whether the signature holds; a key that OpenSSL cannot use has signed nothing. */
export function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey)
  } catch {
    return false
  }
}

/** Whether a certificate is signed by its own key under its own name. */
export const isSelfSigned = (certificate: X509Certificate): boolean =>
  fieldsOf(certificate).issuer.equals(fieldsOf(certificate).subject) && isSignedBy(certificate, certificate)

/** A CA by basicConstraints; without that extension an old self-signed certificate that is not for other things only. */
export function isCa(certificate: X509Certificate): boolean {
  const { ca, keyUsage } = fieldsOf(certificate)
  return ca ?? ((keyUsage === undefined || keyUsage.has('keyCertSign')) && isSelfSigned(certificate))
}

export const sameCertificate = (a: X509Certificate, b: X509Certificate): boolean => a.raw.equals(b.raw)

export const subjectText = (certificate: X509Certificate): string =>
  nameText(read(fieldsOf(certificate).subject))
export const issuerText = (certificate: X509Certificate): string =>
  nameText(read(fieldsOf(certificate).issuer))

/** PEM with the line ends and the final newline that every other program writes. */
export const pem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${(der.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END ${label}-----\n`

/** The DER of every PEM block with this label, in order; text around the blocks is ignored. */
export const pemBlocks = (text: string, label: string): Buffer[] =>
  [
    ...text.matchAll(new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`, 'g')),
  ].map(match => Buffer.from(match[1] ?? '', 'base64'))
