/** CMS SignedData (RFC 5652 §5): built as DER, read as DER or BER, verified over the bytes received. */
import {
  constants,
  createHash,
  verify as verifySignature,
  X509Certificate,
  type KeyObject,
} from 'node:crypto'
import { BerError, definite, Fields, members, octets, oidText, readFirst, tag, type Element } from './ber.ts'
import {
  context,
  encode,
  integer,
  nothing,
  octetString,
  oid,
  raw,
  sequence,
  setOf,
  type Node,
} from './der.ts'
import { algorithmName, digestByOid, digests, oids, signatures, type Digest } from './algorithms.ts'
import { fieldsOf } from './certificate.ts'
import { signBytes } from './certification-request.ts'
import { ScepError } from './errors.ts'

export interface SignerInfo {
  /** issuerAndSerialNumber, or the subjectKeyIdentifier. */
  issuer: Buffer | undefined
  serial: Buffer | undefined
  keyIdentifier: Buffer | undefined
  digestOid: string
  signatureOid: string
  /** signedAttrs with the tag of a SET, which is what the signature covers (RFC 5652 §5.4). */
  signedBytes: Buffer | undefined
  /** The signed attributes: OID to first value. */
  attributes: ReadonlyMap<string, Element>
  signature: Buffer
}

export interface SignedData {
  /** What is signed; undefined when there is none (FAILURE and PENDING, degenerate bags). */
  content: Buffer | undefined
  contentType: string
  certificates: X509Certificate[]
  /** DER of each CertificateList. */
  crls: Buffer[]
  signers: SignerInfo[]
  /** Bytes after the end, which some servers send. */
  padded: boolean
  /** Why each certificate that is left aside cannot be read. */
  unreadable: string[]
}

/** The content of a ContentInfo of the given type. Throws BerError. */
export function contentInfo(
  bytes: Buffer,
  expected: string,
  what: string,
): { content: Element; padded: boolean } {
  const outer = readFirst(bytes)
  const info = new Fields(outer, what)
  const type = oidText(info.take('contentType', tag.oid))
  if (type !== expected) throw new BerError(`${what} is of type ${type}`)
  const [content] = members(info.take('content', tag.context(0)))
  if (!content) throw new BerError(`${what} is empty`)
  return { content, padded: outer.bytes.length !== bytes.length }
}

/** No CA has so many; each costs time to read and to verify. */
const mostCertificates = 64

/**
 * Reads a ContentInfo with SignedData. Verifies nothing. Certificates that are among `known` are not read again, which is most
 * of the time it takes. Throws BerError.
 */
export function readSignedData(bytes: Buffer, known: readonly X509Certificate[] = []): SignedData {
  const { content: element, padded } = contentInfo(bytes, oids.signedData, 'SignedData')
  const fields = new Fields(element, 'SignedData')
  fields.take('version', tag.integer)
  fields.take('digestAlgorithms', tag.set)
  const encapsulated = new Fields(fields.take('encapContentInfo'), 'encapContentInfo')
  const contentType = oidText(encapsulated.take('eContentType', tag.oid))
  const [content] = mapDefined(encapsulated.optional(tag.context(0)), members) ?? []
  const certificates = mapDefined(fields.optional(tag.context(0)), members) ?? []
  const crls = mapDefined(fields.optional(tag.context(1)), members) ?? []
  const signers = members(fields.take('signerInfos', tag.set))
  if (certificates.length > mostCertificates)
    throw new BerError(`${String(certificates.length)} certificates`)
  return {
    content: mapDefined(content, octets),
    contentType,
    ...readable(
      certificates.filter(each => each.tag === tag.sequence),
      known,
    ),
    crls: crls.filter(each => each.tag === tag.sequence).map(each => each.bytes),
    signers: signers.map(readSigner),
    padded,
  }
}

/** One with a key or an encoding that OpenSSL does not know must not cost the others: it proves nothing, so nothing is lost. */
function readable(
  elements: Element[],
  known: readonly X509Certificate[],
): Pick<SignedData, 'certificates' | 'unreadable'> {
  const certificates: X509Certificate[] = []
  const unreadable: string[] = []
  for (const { bytes } of elements)
    try {
      certificates.push(known.find(one => one.raw.equals(bytes)) ?? certificateOf(bytes))
    } catch (error) {
      if (!(error instanceof BerError)) throw error
      unreadable.push(error.message)
    }
  return { certificates, unreadable }
}

const mapDefined = <A, B>(value: A | undefined, body: (value: A) => B): B | undefined =>
  value === undefined ? undefined : body(value)

/** A certificate that OpenSSL and we can both read. Throws BerError. */
export function certificateOf(der: Buffer): X509Certificate {
  try {
    const certificate = new X509Certificate(der)
    fieldsOf(certificate)
    if (certificate.publicKey.asymmetricKeyType === undefined)
      throw new BerError('its key is of an unknown kind')
    return certificate
  } catch (error) {
    throw new BerError(
      `a certificate cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

function readSigner(element: Element): SignerInfo {
  const fields = new Fields(element, 'SignerInfo')
  fields.take('version', tag.integer)
  const sid = fields.take('sid', tag.sequence, tag.contextPrimitive(0), tag.context(0))
  const issuerAndSerial = sid.tag === tag.sequence ? new Fields(sid, 'issuerAndSerialNumber') : undefined
  const digestOid = oidText(new Fields(fields.take('digestAlgorithm'), 'digestAlgorithm').take('algorithm'))
  const attributes = fields.optional(tag.context(0))
  const signatureOid = oidText(
    new Fields(fields.take('signatureAlgorithm'), 'signatureAlgorithm').take('algorithm'),
  )
  return {
    issuer: mapDefined(issuerAndSerial?.take('issuer', tag.sequence), each => definite(each)),
    serial: issuerAndSerial?.take('serialNumber', tag.integer).content,
    keyIdentifier: issuerAndSerial ? undefined : octets(sid),
    digestOid,
    signatureOid,
    signedBytes: attributes && encode(retagged(attributes)),
    attributes: new Map(attributes ? members(attributes).map(readAttribute) : []),
    signature: octets(fields.take('signature', tag.octetString, 0x24)),
  }
}

const retagged = (attributes: Element): Node =>
  raw(Buffer.concat([Buffer.from([0x31, 0x00]), attributes.content]))

function readAttribute(element: Element): [string, Element] {
  const fields = new Fields(element, 'Attribute')
  const type = oidText(fields.take('type', tag.oid))
  const [value] = members(fields.take('values', tag.set))
  if (!value) throw new BerError(`the attribute ${type} has no value`)
  return [type, value]
}

/** The certificate a SignerInfo names, looked for by issuer and serial number or key identifier, never by position (B-24). */
export const signerOf = (
  signer: SignerInfo,
  certificates: readonly X509Certificate[],
): X509Certificate | undefined =>
  certificates.find(certificate => {
    const fields = fieldsOf(certificate)
    if (signer.keyIdentifier) return fields.subjectKeyIdentifier?.equals(signer.keyIdentifier) ?? false
    return (
      signer.issuer !== undefined &&
      signer.serial !== undefined &&
      fields.issuer.equals(signer.issuer) &&
      fields.serial.equals(signer.serial)
    )
  })

/** Which digest a signer used: the signature's OID says it, or leaves it to digestAlgorithm. Throws `reply-algorithm`. */
export function signerDigest(signer: SignerInfo): {
  attributes: Digest
  signature: Digest
  key: 'rsa' | 'rsa-pss' | 'ec'
} {
  const digest = digestByOid(signer.digestOid)
  const scheme = signatures[signer.signatureOid]
  if (!digest) throw refused('digestAlgorithm', signer.digestOid)
  if (!scheme) throw refused('signatureAlgorithm', signer.signatureOid)
  return { attributes: digest, signature: scheme.digest ?? digest, key: scheme.key }
}

const refused = (field: string, found: string): ScepError =>
  new ScepError({
    code: 'reply-algorithm',
    kind: 'misconfigured',
    title: 'The SCEP server answers with an algorithm that is refused',
    detail: `${field} of the reply is ${algorithmName(found)}`,
    hint: 'Set the server to sign with SHA-256 or better',
  })

/** Whether signature and message digest hold for this key. Throws `reply-algorithm` only. */
export function verifies(signer: SignerInfo, content: Buffer | undefined, key: KeyObject): boolean {
  const digest = signerDigest(signer)
  const signed = signer.signedBytes ?? content ?? Buffer.alloc(0)
  if (signer.signedBytes) {
    const expected = signer.attributes.get(oids.messageDigest)
    const actual = createHash(digests[digest.attributes].node)
      .update(content ?? Buffer.alloc(0))
      .digest()
    if (!expected || !octets(expected).equals(actual)) return false
  }
  if ((key.asymmetricKeyType === 'ec') !== (digest.key === 'ec')) return false
  try {
    const scheme =
      digest.key === 'rsa-pss'
        ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO }
        : key
    return verifySignature(digests[digest.signature].node, signed, scheme, signer.signature)
  } catch {
    return false
  }
}

export interface Signing {
  certificate: X509Certificate
  key: KeyObject
  digest: Digest
  /** Attributes beside contentType and messageDigest: OID and value. */
  attributes: readonly (readonly [string, Node])[]
}

/** A ContentInfo with SignedData over `content` by one signer, whose certificate goes along. */
export async function buildSignedData(
  content: Buffer,
  { certificate, key, digest, attributes }: Signing,
): Promise<Buffer> {
  const { node, oid: digestOid } = digests[digest]
  const messageDigest = createHash(node).update(content).digest()
  const all = [
    [oids.contentType, oid(oids.data)] as const,
    [oids.messageDigest, octetString(messageDigest)] as const,
    ...attributes,
  ]
  const signedAttributes = setOf(...all.map(([type, value]) => sequence(oid(type), setOf(value))))
  const signature = await signBytes(encode(signedAttributes), key, digest)
  const fields = fieldsOf(certificate)
  const signer = sequence(
    integer(1),
    sequence(raw(fields.issuer), raw(encodeSerial(fields.serial))),
    sequence(oid(digestOid)),
    context(0, ...(signedAttributes.value as Node[])),
    sequence(oid(oids.rsaEncryption), nothing()),
    octetString(signature),
  )
  const data = sequence(
    integer(1),
    setOf(sequence(oid(digestOid))),
    sequence(oid(oids.data), context(0, octetString(content))),
    context(0, raw(certificate.raw)),
    setOf(signer),
  )
  return encode(sequence(oid(oids.signedData), context(0, data)))
}

/** The serial number as it stands in the certificate: its contents are never made shorter or longer. */
export function encodeSerial(contents: Buffer): Buffer {
  const { length } = contents
  const octets =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag.integer, ...octets]), contents])
}
