/** PKCS#10 requests and the self-signed certificate that signs the first pkiMessage (RFC 8894 §2.3, §3.3.1; RFC 2986). */
import { createPublicKey, randomBytes, sign as signWithCallback, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { bits, Fields, members, oidText, read, tag, text } from './ber.ts'
import {
  bitString,
  boolean,
  context,
  directoryString,
  encode,
  integer,
  nothing,
  octetString,
  oid,
  raw,
  sequence,
  setOf,
  time,
  type Node,
} from './der.ts'
import { digests, oids, signatureOids, type Digest } from './algorithms.ts'
import { readExtensions } from './certificate.ts'

const sign = promisify(signWithCallback)

/** Signs off the event loop: an RSA-4096 signature takes 8 ms and more on a sensor. */
export const signBytes = (bytes: Buffer, key: KeyObject, digest: Digest): Promise<Buffer> =>
  sign(digests[digest].node, bytes, key)

export const keyKind = (key: KeyObject): 'rsa' | 'ec' => (key.asymmetricKeyType === 'ec' ? 'ec' : 'rsa')

const publicKeyInfos = new WeakMap<KeyObject, Buffer>()

/** The SubjectPublicKeyInfo of a private or public key; Node takes a tenth of a millisecond and more each time. */
export function publicKeyInfo(key: KeyObject): Buffer {
  const known = publicKeyInfos.get(key)
  if (known) return known
  const info = (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' })
  publicKeyInfos.set(key, info)
  return info
}

async function signed(body: Buffer, key: KeyObject, digest: Digest): Promise<Buffer> {
  const kind = keyKind(key)
  const algorithm =
    kind === 'rsa'
      ? sequence(oid(signatureOids.rsa[digest]), nothing())
      : sequence(oid(signatureOids.ec[digest]))
  return encode(sequence(raw(body), algorithm, bitString(await signBytes(body, key, digest))))
}

export interface RequestContent {
  /** DER of the subject. */
  subject: Buffer
  /** DER of the subjectAltName value. */
  alternativeNames?: Buffer | undefined
  challengePassword?: string | undefined
  /** certificateTemplateName of Microsoft's CA, and what OpenXPKI maps to a profile. */
  template?: string | undefined
  /** OIDs for extendedKeyUsage. */
  purposes: readonly string[]
  /** EC keys cannot encipher. */
  keyEncipherment: boolean
}

const extension = (id: string, value: Node, critical = false): Node =>
  sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(encode(value)))

const usageBits = (keyEncipherment: boolean): Node =>
  keyEncipherment ? bitString(Buffer.from([0xa0]), 5) : bitString(Buffer.from([0x80]), 7)

/** A CertificationRequest signed with `key`. */
export async function certificationRequest(
  content: RequestContent,
  key: KeyObject,
  digest: Digest,
): Promise<Buffer> {
  const extensions = [
    extension(oids.keyUsage, usageBits(content.keyEncipherment), true),
    ...(content.purposes.length > 0
      ? [extension(oids.extendedKeyUsage, sequence(...content.purposes.map(oid)))]
      : []),
    ...(content.alternativeNames ? [extension(oids.subjectAltName, raw(content.alternativeNames))] : []),
    ...(content.template === undefined
      ? []
      : [extension(oids.certificateTemplateName, directoryString(content.template))]),
  ]
  const attributes = [
    ...(content.challengePassword === undefined
      ? []
      : [sequence(oid(oids.challengePassword), setOf(directoryString(content.challengePassword)))]),
    sequence(oid(oids.extensionRequest), setOf(sequence(...extensions))),
  ]
  const sortedAttributes = setOf(...attributes).value as Node[]
  const info = sequence(
    integer(0),
    raw(content.subject),
    raw(publicKeyInfo(key)),
    context(0, ...sortedAttributes),
  )
  return signed(encode(info), key, digest)
}

const day = 86_400_000

/** Same subject and key as the request, for signing and for the server to encrypt to (B-28). Valid from a day before `validFrom`, since clocks differ. */
export async function signerCertificate(
  subject: Buffer,
  key: KeyObject,
  digest: Digest,
  validFrom: Date,
): Promise<Buffer> {
  const serial = randomBytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  const algorithm = sequence(oid(signatureOids.rsa[digest]), nothing())
  const body = sequence(
    context(0, integer(2)),
    integer(serial),
    algorithm,
    raw(subject),
    sequence(time(new Date(validFrom.getTime() - day)), time(new Date(validFrom.getTime() + 3653 * day))),
    raw(subject),
    raw(publicKeyInfo(key)),
    context(3, sequence(extension(oids.keyUsage, usageBits(true), true))),
  )
  return signed(encode(body), key, digest)
}

export interface RequestFields {
  subject: Buffer
  publicKey: Buffer
  challengePassword: string | undefined
  alternativeNames: Buffer | undefined
  /** All requested extensions, OID to DER value. */
  extensions: ReadonlyMap<string, Buffer>
  signatureOid: string
  /** The signed part, its signature, for whoever verifies it. */
  info: Buffer
  signature: Buffer
}

/** Reads a CertificationRequest. Throws BerError. */
export function readRequest(der: Buffer): RequestFields {
  const request = new Fields(read(der), 'CertificationRequest')
  const info = request.take('certificationRequestInfo')
  const algorithm = new Fields(request.take('signatureAlgorithm'), 'signatureAlgorithm')
  const fields = new Fields(info, 'CertificationRequestInfo')
  fields.take('version', tag.integer)
  const subject = fields.take('subject', tag.sequence).bytes
  const publicKey = fields.take('subjectPKInfo', tag.sequence).bytes
  let challengePassword: string | undefined
  let extensions = new Map<string, Buffer>()
  const attributes = fields.optional(tag.context(0))
  for (const attribute of attributes ? members(attributes) : []) {
    const parts = new Fields(attribute, 'Attribute')
    const id = oidText(parts.take('type'))
    const [value] = members(parts.take('values', tag.set))
    if (value && id === oids.challengePassword) challengePassword = text(value)
    if (value && id === oids.extensionRequest) extensions = readExtensions(value)
  }
  return {
    subject,
    publicKey,
    challengePassword,
    alternativeNames: extensions.get(oids.subjectAltName),
    extensions,
    signatureOid: oidText(algorithm.take('algorithm')),
    info: info.bytes,
    signature: bits(request.take('signature', tag.bitString)),
  }
}
