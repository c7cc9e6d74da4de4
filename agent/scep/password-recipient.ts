/** Reading a PasswordRecipientInfo (RFC 3211, RFC 8894 §3.1): the reply's key under the challenge password. */
import { createDecipheriv, pbkdf2Sync, randomBytes } from 'node:crypto'
import { BerError, Fields, members, octets, oidText, smallInteger, tag, type Element } from './ber.ts'
import { cipherByOid, ciphers, oids, prfs } from './algorithms.ts'

/** More rounds than this would block a sensor for seconds; the number comes from the network. */
const mostIterations = 1_000_000

/** The content key of `length` bytes, or as many random bytes if the password is wrong. Throws BerError when it is malformed. */
export function unwrapKeyByPassword(recipient: Element, password: string, length: number): Buffer {
  const fields = new Fields(recipient, 'PasswordRecipientInfo', tag.context(3))
  fields.take('version', tag.integer)
  const derivation = fields.optional(tag.context(0))
  const wrapping = new Fields(fields.take('keyEncryptionAlgorithm'), 'keyEncryptionAlgorithm')
  const encrypted = octets(fields.take('encryptedKey', tag.octetString, 0x24))
  if (!derivation || oidText(wrapping.take('algorithm')) !== oids.pwriKek)
    throw new BerError('a PasswordRecipientInfo without PBKDF2 and id-alg-PWRI-KEK')
  const inner = new Fields(wrapping.take('parameters'), 'PWRI-KEK parameters')
  const cipher = cipherByOid(oidText(inner.take('algorithm')))
  if (!cipher || !ciphers[cipher].request)
    throw new BerError('a PasswordRecipientInfo with a cipher that is refused')
  const iv = octets(inner.take('initialization vector', tag.octetString))
  const { node, keyBytes, ivBytes } = ciphers[cipher]
  if (iv.length !== ivBytes || encrypted.length < 2 * ivBytes || encrypted.length % ivBytes)
    throw new BerError('a wrapped key of impossible length')
  return unwrap(encrypted, node, derive(derivation, password, keyBytes), iv, length)
}

function derive(derivation: Element, password: string, keyBytes: number): Buffer {
  const [id, parameters] = members(derivation)
  if (!id || !parameters || oidText(id) !== oids.pbkdf2)
    throw new BerError('a PasswordRecipientInfo without PBKDF2')
  const fields = new Fields(parameters, 'PBKDF2-params')
  const salt = octets(fields.take('salt', tag.octetString))
  const iterations = smallInteger(fields.take('iterationCount', tag.integer))
  fields.optional(tag.integer)
  const prf = fields.optional(tag.sequence)
  const hash = prfs[prf ? oidText(new Fields(prf, 'prf').take('algorithm')) : oids.hmacSha1]
  if (hash === undefined || iterations < 1 || iterations > mostIterations)
    throw new BerError('PBKDF2 parameters that are refused')
  return pbkdf2Sync(password, salt, iterations, keyBytes, hash)
}

/** RFC 3211 §2.3.2: the last block gives the first one its vector, then the whole is decrypted once more. */
function unwrap(encrypted: Buffer, node: string, key: Buffer, iv: Buffer, length: number): Buffer {
  const block = iv.length
  const cbc = (data: Buffer, vector: Buffer): Buffer => {
    const decipher = createDecipheriv(node, key, vector).setAutoPadding(false)
    return Buffer.concat([decipher.update(data), decipher.final()])
  }
  const last = cbc(encrypted.subarray(-block), encrypted.subarray(-2 * block, -block))
  const outer = cbc(encrypted, last)
  const plain = cbc(outer, iv)
  const check = [1, 2, 3].every(i => ((plain[i] ?? 0) ^ (plain[i + 3] ?? 0)) === 0xff)
  return check && plain[0] === length && plain.length >= 4 + length
    ? plain.subarray(4, 4 + length)
    : randomBytes(length)
}
