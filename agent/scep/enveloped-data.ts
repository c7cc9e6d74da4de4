/** CMS EnvelopedData (RFC 5652 §6): built for one RSA recipient, opened by key transport or by password. */
import {
  createCipheriv,
  createDecipheriv,
  randomBytes,
  type KeyObject,
  type X509Certificate,
} from 'node:crypto'
import { definite, Fields, members, octets, oidText, tag, type Element } from './ber.ts'
import { context, contextPrimitive, encode, integer, octetString, oid, raw, sequence, setOf } from './der.ts'
import {
  algorithmName,
  cipherByOid,
  ciphers,
  oids,
  type AuthenticatedCipher,
  type Cipher,
  type KeyTransport,
  type RequestCipher,
} from './algorithms.ts'
import { fieldsOf } from './certificate.ts'
import { ScepError } from './errors.ts'
import { readPadding, unwrapKey, wrapKey } from './key-transport.ts'
import { unwrapKeyByPassword } from './password-recipient.ts'
import { contentInfo, encodeSerial } from './signed-data.ts'

/** A ContentInfo with EnvelopedData of `content` for one recipient. */
export function buildEnvelope(
  content: Buffer,
  recipient: X509Certificate,
  encryption: RequestCipher,
  transport: KeyTransport,
): Buffer {
  const cipher = ciphers[encryption]
  const contentKey = randomBytes(cipher.keyBytes)
  const iv = randomBytes(cipher.ivBytes)
  const encryptor = createCipheriv(cipher.node, contentKey, iv)
  const encrypted = Buffer.concat([encryptor.update(content), encryptor.final()])
  const wrapped = wrapKey(contentKey, recipient.publicKey, transport)
  const fields = fieldsOf(recipient)
  const recipientInfo = sequence(
    integer(0),
    sequence(raw(fields.issuer), raw(encodeSerial(fields.serial))),
    wrapped.algorithm,
    octetString(wrapped.encrypted),
  )
  const data = sequence(
    integer(0),
    setOf(recipientInfo),
    sequence(oid(oids.data), sequence(oid(cipher.oid), octetString(iv)), contextPrimitive(0, encrypted)),
  )
  return encode(sequence(oid(oids.envelopedData), context(0, data)))
}

export interface Opener {
  certificate: X509Certificate
  key: KeyObject
  /** For a PasswordRecipientInfo (RFC 8894 §3.1): the challenge password. */
  password?: string | undefined
}

export interface Opened {
  content: Buffer
  encryption: Cipher
  /** How the key came: a transport of the menu, another OAEP, or the password. */
  keyTransport: string
}

/**
 * The content of a ContentInfo with EnvelopedData. Throws BerError for a malformed one, `reply-algorithm` for a cipher that
 * is not in the table, and one and the same `reply-unreadable` for every failure to decrypt.
 */
export function openEnvelope(bytes: Buffer, opener: Opener): Opened {
  const fields = new Fields(contentInfo(bytes, oids.envelopedData, 'EnvelopedData').content, 'EnvelopedData')
  fields.take('version', tag.integer)
  fields.optional(tag.context(0))
  const recipients = members(fields.take('recipientInfos', tag.set))
  const encrypted = new Fields(fields.take('encryptedContentInfo'), 'EncryptedContentInfo')
  encrypted.take('contentType', tag.oid)
  const algorithm = new Fields(encrypted.take('contentEncryptionAlgorithm'), 'encryptionAlgorithmIdentifier')
  const id = oidText(algorithm.take('algorithm'))
  const encryption = cipherByOid(id)
  if (!encryption) throw algorithmRefused('encryptionAlgorithmIdentifier', algorithmName(id))
  const iv = isAuthenticated(encryption)
    ? nonceOf(algorithm)
    : octets(algorithm.take('initialization vector', tag.octetString, 0x24))
  const ciphertext = octets(encrypted.take('encryptedContent', tag.contextPrimitive(0), tag.context(0)))
  const { contentKey, keyTransport } = contentKeyFor(recipients, opener, ciphers[encryption].keyBytes)
  return { content: decrypt(encryption, contentKey, iv, ciphertext), encryption, keyTransport }
}

const algorithmRefused = (field: string, name: string): ScepError =>
  new ScepError({
    code: 'reply-algorithm',
    kind: 'misconfigured',
    title: 'The SCEP server answers with an algorithm that is refused',
    detail: `${field} of the reply is ${name}`,
    hint: 'Set the server to answer with AES-128 (or 3DES) and RSA key transport',
  })

function contentKeyFor(
  recipients: Element[],
  opener: Opener,
  length: number,
): { contentKey: Buffer; keyTransport: string } {
  const transported = recipients.filter(each => each.tag === tag.sequence)
  const mine = transported.find(each => isFor(each, opener.certificate)) ?? transported[0]
  if (mine) {
    const fields = new Fields(mine, 'KeyTransRecipientInfo')
    fields.take('version', tag.integer)
    fields.take('rid')
    const padding = readPadding(fields.take('keyEncryptionAlgorithm', tag.sequence))
    if (typeof padding === 'string') throw algorithmRefused('keyEncryptionAlgorithm', padding)
    const contentKey = unwrapKey(
      octets(fields.take('encryptedKey', tag.octetString, 0x24)),
      opener.key,
      padding,
      length,
    )
    return {
      contentKey,
      keyTransport:
        padding.scheme === 'PKCS1'
          ? 'PKCS1'
          : `OAEP-${padding.hash}${padding.mask === padding.hash ? '' : ` with MGF1-${padding.mask}`}`,
    }
  }
  const byPassword = recipients.find(each => each.tag === tag.context(3))
  if (byPassword && opener.password !== undefined)
    return { contentKey: unwrapKeyByPassword(byPassword, opener.password, length), keyTransport: 'password' }
  throw algorithmRefused(
    'recipientInfos',
    byPassword ? 'a PasswordRecipientInfo, and there is no challenge password' : 'for no RSA key',
  )
}

function isFor(recipient: Element, certificate: X509Certificate): boolean {
  const fields = new Fields(recipient, 'KeyTransRecipientInfo')
  fields.take('version', tag.integer)
  const id = fields.take('rid')
  const own = fieldsOf(certificate)
  if (id.tag !== tag.sequence) return own.subjectKeyIdentifier?.equals(octets(id)) ?? false
  const issuerAndSerial = new Fields(id, 'issuerAndSerialNumber')
  return (
    definite(issuerAndSerial.take('issuer')).equals(own.issuer) &&
    issuerAndSerial.take('serialNumber').content.equals(own.serial)
  )
}

function decrypt(encryption: Cipher, contentKey: Buffer, iv: Buffer, ciphertext: Buffer): Buffer {
  const key = encryption === 'DES' ? Buffer.concat([contentKey, contentKey, contentKey]) : contentKey
  try {
    if (isAuthenticated(encryption)) return opened(encryption, key, iv, ciphertext)
    const decipher = createDecipheriv(ciphers[encryption].node, key, iv)
    return Buffer.concat([decipher.update(ciphertext), decipher.final()])
  } catch (cause) {
    throw unreadable(cause)
  }
}

const isAuthenticated = (cipher: Cipher): cipher is AuthenticatedCipher =>
  cipher === 'AES-128-GCM' || cipher === 'AES-256-GCM'

/** GCMParameters (RFC 5084 §3.2); Go's pkcs7, which step-ca answers with, gives the nonce the tag [4]. */
const nonceOf = (algorithm: Fields): Buffer =>
  octets(
    new Fields(algorithm.take('parameters', tag.sequence), 'GCMParameters').take(
      'aes-nonce',
      ...[tag.octetString, tag.contextPrimitive(4)],
    ),
  )

const authenticationTag = 16

/** Such servers put the tag behind the content of an EnvelopedData, not into an AuthEnvelopedData. */
function opened(encryption: AuthenticatedCipher, key: Buffer, nonce: Buffer, ciphertext: Buffer): Buffer {
  const end = Math.max(0, ciphertext.length - authenticationTag)
  const decipher = createDecipheriv(ciphers[encryption].node, key, nonce, {
    authTagLength: authenticationTag,
  })
  decipher.setAuthTag(ciphertext.subarray(end))
  return Buffer.concat([decipher.update(ciphertext.subarray(0, end)), decipher.final()])
}

/** The one error for everything between a wrong key and content that is no certificate bag. */
export const unreadable = (cause?: unknown): ScepError =>
  new ScepError(
    {
      code: 'reply-unreadable',
      kind: 'server-fault',
      title: "The SCEP server's reply cannot be decrypted",
      detail: 'the envelope does not open with the key that signed the request',
      hint: 'Try PKCS#1 key transport with AES-128 or 3DES, or look at which key the server encrypts to',
    },
    { cause },
  )
