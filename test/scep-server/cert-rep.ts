/** CertReps as servers make them, and as no server should: every part can be set. */
import {
  constants,
  createCipheriv,
  createHash,
  publicEncrypt,
  randomBytes,
  sign,
  type KeyObject,
  type X509Certificate,
} from 'node:crypto'
import {
  context,
  indefinite,
  integer,
  nothing,
  octets,
  oid,
  printable,
  sequence,
  set,
  tlv,
  utf8,
} from './asn1.ts'
import { issuerAndSerial, type Holder } from './authority.ts'

const digestOids = {
  md5: '1.2.840.113549.2.5',
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
} as const
export type DigestName = keyof typeof digestOids

const rsaWith = {
  md5: '1.2.840.113549.1.1.4',
  sha1: '1.2.840.113549.1.1.5',
  sha256: '1.2.840.113549.1.1.11',
  sha384: '1.2.840.113549.1.1.12',
  sha512: '1.2.840.113549.1.1.13',
} as const

const cipherTable = {
  'aes-128-cbc': { oid: '2.16.840.1.101.3.4.1.2', key: 16, iv: 16 },
  'aes-192-cbc': { oid: '2.16.840.1.101.3.4.1.22', key: 24, iv: 16 },
  'aes-256-cbc': { oid: '2.16.840.1.101.3.4.1.42', key: 32, iv: 16 },
  'des-ede3-cbc': { oid: '1.2.840.113549.3.7', key: 24, iv: 8 },
  /** As Go's pkcs7 has it (step-ca): the tag behind the content. */
  'aes-128-gcm': { oid: '2.16.840.1.101.3.4.1.6', key: 16, iv: 12 },
  'aes-256-gcm': { oid: '2.16.840.1.101.3.4.1.46', key: 32, iv: 12 },
  /** OpenSSL 3 has no DES: the key is taken three times over. */
  des: { oid: '1.3.14.3.2.7', key: 8, iv: 8 },
} as const
export type CipherName = keyof typeof cipherTable

export interface EnvelopeOptions {
  recipient: X509Certificate
  cipher?: CipherName
  oaep?: DigestName
  /** MGF1's digest, where it is not the same. */
  mask?: DigestName
  /** BER: indefinite lengths and the content in chunks. */
  ber?: boolean
  /** Instead of the real one. */
  contentOid?: string
  /** Of the nonce of GCM: Go's pkcs7 writes [4], RFC 5084 an OCTET STRING. */
  nonceTag?: number
  /** Puts the bytes of this instead of the wrapped key. */
  wrapped?: Buffer
}

/** An EnvelopedData. */
export function envelope(content: Buffer, options: EnvelopeOptions): Buffer {
  const { key: keyLength, iv: ivLength, oid: cipherOid } = cipherTable[options.cipher ?? 'aes-128-cbc']
  const single = randomBytes(keyLength)
  const iv = randomBytes(ivLength)
  const encrypted = encipher(content, options.cipher ?? 'aes-128-cbc', single, iv)
  const { issuer, serial } = issuerAndSerial(options.recipient)
  const { algorithm, wrapped } = wrap(single, options.recipient.publicKey, options)
  const recipientInfo = sequence(
    integer(0),
    sequence(issuer, serial),
    algorithm,
    octets(options.wrapped ?? wrapped),
  )
  const type = oid('1.2.840.113549.1.7.1')
  const contentAlgorithm = sequence(
    oid(options.contentOid ?? cipherOid),
    options.cipher?.endsWith('gcm') ? sequence(tlv(options.nonceTag ?? 0x84, iv), integer(16)) : octets(iv),
  )
  if (!options.ber)
    return contentInfo(
      '1.2.840.113549.1.7.3',
      sequence(integer(0), set(recipientInfo), sequence(type, contentAlgorithm, tlv(0x80, encrypted))),
    )
  const half = Math.ceil(encrypted.length / 2)
  const chunks = indefinite(
    0xa0,
    octets(encrypted.subarray(0, half)),
    indefinite(0x24, octets(encrypted.subarray(half))),
  )
  return indefinite(
    0x30,
    oid('1.2.840.113549.1.7.3'),
    indefinite(
      0xa0,
      indefinite(0x30, integer(0), set(recipientInfo), indefinite(0x30, type, contentAlgorithm, chunks)),
    ),
  )
}

function encipher(content: Buffer, name: CipherName, key: Buffer, iv: Buffer): Buffer {
  if (name === 'aes-128-gcm' || name === 'aes-256-gcm') {
    const cipher = createCipheriv(name, key, iv)
    return Buffer.concat([cipher.update(content), cipher.final(), cipher.getAuthTag()])
  }
  const des = name === 'des'
  const cipher = createCipheriv(des ? 'des-ede3-cbc' : name, des ? Buffer.concat([key, key, key]) : key, iv)
  return Buffer.concat([cipher.update(content), cipher.final()])
}

function wrap(
  key: Buffer,
  recipient: KeyObject,
  { oaep, mask }: EnvelopeOptions,
): { algorithm: Buffer; wrapped: Buffer } {
  if (!oaep)
    return {
      algorithm: sequence(oid('1.2.840.113549.1.1.1'), nothing),
      wrapped: publicEncrypt({ key: recipient, padding: constants.RSA_PKCS1_PADDING }, key),
    }
  const hash = (digest: DigestName): Buffer => sequence(oid(digestOids[digest]), nothing)
  const parameters = sequence(
    context(0, hash(oaep)),
    context(1, sequence(oid('1.2.840.113549.1.1.8'), hash(mask ?? oaep))),
  )
  const wrapped =
    mask === undefined || mask === oaep
      ? publicEncrypt({ key: recipient, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: oaep }, key)
      : publicEncrypt(
          { key: recipient, padding: constants.RSA_NO_PADDING },
          oaepBlock(key, recipient, oaep, mask),
        )
  return { algorithm: sequence(oid('1.2.840.113549.1.1.7'), parameters), wrapped }
}

/** EME-OAEP with two digests, as Java's default makes it: Node encrypts with one only. */
function oaepBlock(message: Buffer, key: KeyObject, digest: DigestName, mask: DigestName): Buffer {
  const size = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8
  const label = createHash(digest).digest()
  const block = Buffer.concat([
    label,
    Buffer.alloc(size - message.length - 2 * label.length - 2),
    Buffer.from([1]),
    message,
  ])
  const seed = randomBytes(label.length)
  const mgf = (from: Buffer, length: number): Buffer => {
    let out = Buffer.alloc(0)
    for (let i = 0; out.length < length; i += 1)
      out = Buffer.concat([
        out,
        createHash(mask)
          .update(from)
          .update(Buffer.from([0, 0, 0, i]))
          .digest(),
      ])
    return out.subarray(0, length)
  }
  const xor = (a: Buffer, b: Buffer): Buffer => Buffer.from(a.map((octet, i) => octet ^ (b[i] ?? 0)))
  const maskedBlock = xor(block, mgf(seed, block.length))
  return Buffer.concat([Buffer.alloc(1), xor(seed, mgf(maskedBlock, seed.length)), maskedBlock])
}

const contentInfo = (type: string, content: Buffer): Buffer => sequence(oid(type), context(0, content))

const attributeOids = {
  messageType: '2.16.840.1.113733.1.9.2',
  pkiStatus: '2.16.840.1.113733.1.9.3',
  failInfo: '2.16.840.1.113733.1.9.4',
  senderNonce: '2.16.840.1.113733.1.9.5',
  recipientNonce: '2.16.840.1.113733.1.9.6',
  transactionID: '2.16.840.1.113733.1.9.7',
  failInfoText: '1.3.6.1.5.5.7.24.1',
  serverError: '1.3.6.1.4.1.311.21.33',
} as const

export interface CertRepOptions {
  signer: Holder
  transactionID?: string | undefined
  recipientNonce?: Buffer | undefined
  /** Random by default. */
  senderNonce?: Buffer | undefined
  messageType?: string | undefined
  pkiStatus?: string | undefined
  failInfo?: string | undefined
  /** A UTF8String, or the DER of another value. */
  failInfoText?: string | Buffer | undefined
  /** The number that NDES adds. */
  serverError?: string | undefined
  /** The envelope; left out for FAILURE and PENDING. */
  content?: Buffer | undefined
  /** What stands in the outer bag; the signer alone by default. */
  certificates?: readonly X509Certificate[] | undefined
  digest?: DigestName | undefined
  /** rsaEncryption by default. */
  signatureOid?: 'named' | undefined
  ber?: boolean | undefined
  /** Changes the signature. */
  broken?: boolean | undefined
}

/** A CertRep; what is undefined in `options` is left out of the message. */
export function certRep(options: CertRepOptions): Buffer {
  const { digest = 'sha256', content } = options
  const text: [string, string | undefined][] = [
    [attributeOids.messageType, options.messageType],
    [attributeOids.pkiStatus, options.pkiStatus],
    [attributeOids.failInfo, options.failInfo],
    [attributeOids.transactionID, options.transactionID],
    [attributeOids.serverError, options.serverError],
  ]
  const attribute = (type: string, value: Buffer): Buffer => sequence(oid(type), set(value))
  const attributes = [
    attribute('1.2.840.113549.1.9.3', oid('1.2.840.113549.1.7.1')),
    attribute(
      '1.2.840.113549.1.9.4',
      octets(
        createHash(digest)
          .update(content ?? Buffer.alloc(0))
          .digest(),
      ),
    ),
    ...text.flatMap(([type, value]) => (value === undefined ? [] : [attribute(type, printable(value))])),
    ...(options.failInfoText === undefined
      ? []
      : [
          attribute(
            attributeOids.failInfoText,
            typeof options.failInfoText === 'string' ? utf8(options.failInfoText) : options.failInfoText,
          ),
        ]),
    ...(options.recipientNonce
      ? [attribute(attributeOids.recipientNonce, octets(options.recipientNonce))]
      : []),
    attribute(attributeOids.senderNonce, octets(options.senderNonce ?? randomBytes(16))),
  ]
  return signedData(content, attributes, options)
}

/** A SignedData over `content` with these signed attributes (none: the content itself is signed). */
export function signedData(
  content: Buffer | undefined,
  attributes: Buffer[],
  options: Pick<CertRepOptions, 'signer' | 'certificates' | 'digest' | 'signatureOid' | 'ber' | 'broken'>,
): Buffer {
  const { signer, certificates = [signer.certificate], digest = 'sha256' } = options
  const sorted = set(...attributes)
  const signed = attributes.length > 0 ? sorted : (content ?? Buffer.alloc(0))
  const signature = sign(digest, signed, signer.key)
  if (options.broken) signature[10] = (signature[10] ?? 0) ^ 1
  const { issuer, serial } = issuerAndSerial(signer.certificate)
  const retagged = Buffer.from(sorted)
  retagged[0] = 0xa0
  const signerInfo = sequence(
    integer(1),
    sequence(issuer, serial),
    sequence(oid(digestOids[digest]), nothing),
    ...(attributes.length > 0 ? [retagged] : []),
    signatureAlgorithm(signer.key, digest, options.signatureOid),
    octets(signature),
  )
  const constructed = options.ber ? indefinite : tlv
  const held =
    content === undefined
      ? []
      : [
          constructed(
            0xa0,
            options.ber
              ? indefinite(0x24, octets(content.subarray(0, 100)), octets(content.subarray(100)))
              : octets(content),
          ),
        ]
  const data = constructed(
    0x30,
    integer(1),
    set(sequence(oid(digestOids[digest]), nothing)),
    constructed(0x30, oid('1.2.840.113549.1.7.1'), ...held),
    constructed(0xa0, ...certificates.map(each => each.raw)),
    set(signerInfo),
  )
  return constructed(0x30, oid('1.2.840.113549.1.7.2'), constructed(0xa0, data))
}

function signatureAlgorithm(key: KeyObject, digest: DigestName, named: 'named' | undefined): Buffer {
  if (key.asymmetricKeyType === 'ec') return sequence(oid('1.2.840.10045.4.3.2'))
  return sequence(oid(named === 'named' ? rsaWith[digest] : '1.2.840.113549.1.1.1'), nothing)
}
