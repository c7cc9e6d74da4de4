/**
 * The content-encryption key under RSA (RFC 3370 §4.2.1, RFC 3560).
 *
 * Node refuses to undo PKCS#1 v1.5 padding itself (CVE-2023-46809), so the bare RSA operation is native and the padding
 * is taken off here, in one shape: whatever is wrong with it, the caller gets a random key of the right length, decrypts
 * with that, and fails like any other wrong key (RFC 8017 §7.2.2, Bleichenbacher).
 */
import {
  constants,
  createHash,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  type KeyObject,
} from 'node:crypto'
import { BerError, Fields, members, oidText, tag, type Element } from './ber.ts'
import { context, nothing, oid, sequence, type Node } from './der.ts'
import {
  algorithmName,
  digestByOid,
  digests,
  keyTransports,
  oids,
  type Digest,
  type KeyTransport,
} from './algorithms.ts'

/** How a reply's key is padded; `hash` and `mask` differ with some Java servers. */
export type Padding = { scheme: 'PKCS1' } | { scheme: 'OAEP'; hash: Digest; mask: Digest; label: Buffer }

/** The keyEncryptionAlgorithm and the encrypted key. */
export function wrapKey(
  contentKey: Buffer,
  recipient: KeyObject,
  transport: KeyTransport,
): { algorithm: Node; encrypted: Buffer } {
  const { oaep } = keyTransports[transport]
  if (oaep === undefined)
    return {
      algorithm: sequence(oid(oids.rsaEncryption), nothing()),
      encrypted: publicEncrypt({ key: recipient, padding: constants.RSA_PKCS1_PADDING }, contentKey),
    }
  return {
    algorithm: sequence(oid(oids.rsaesOaep), oaepParameters(oaep)),
    encrypted: publicEncrypt(
      { key: recipient, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: digests[oaep].node },
      contentKey,
    ),
  }
}

/** SHA-1 is the default of both fields, and DER leaves defaults out (RFC 4055 §4.1). */
function oaepParameters(digest: Digest): Node {
  if (digest === 'SHA-1') return sequence()
  const hash = (): Node => sequence(oid(digests[digest].oid), nothing())
  return sequence(context(0, hash()), context(1, sequence(oid(oids.mgf1), hash())))
}

/** Reads a keyEncryptionAlgorithm; the name of one that is not supported. Throws BerError. */
export function readPadding(algorithm: Element): Padding | string {
  const fields = new Fields(algorithm, 'keyEncryptionAlgorithm')
  const type = oidText(fields.take('algorithm'))
  if (type === oids.rsaEncryption) return { scheme: 'PKCS1' }
  if (type !== oids.rsaesOaep) return algorithmName(type)
  const parameters = fields.optional(tag.sequence)
  const padding: Padding = { scheme: 'OAEP', hash: 'SHA-1', mask: 'SHA-1', label: Buffer.alloc(0) }
  for (const parameter of parameters ? members(parameters) : []) {
    const [value] = members(parameter)
    if (!value) throw new BerError('an empty RSAES-OAEP parameter')
    const inner = new Fields(value, 'RSAES-OAEP parameter')
    const id = inner.take('algorithm')
    if (parameter.tag === tag.context(2)) padding.label = inner.take('label', tag.octetString).content
    if (parameter.tag !== tag.context(0) && parameter.tag !== tag.context(1)) continue
    const mask = parameter.tag === tag.context(1)
    const hash = oidText(mask ? new Fields(inner.take('hash'), 'MGF1').take('algorithm') : id)
    const digest = digestByOid(hash)
    if (!digest) return `RSAES-OAEP with ${algorithmName(hash)}`
    padding[mask ? 'mask' : 'hash'] = digest
  }
  return padding
}

/** The content key of `length` bytes, or as many random bytes if anything at all is wrong. Never throws. */
export function unwrapKey(encrypted: Buffer, key: KeyObject, padding: Padding, length: number): Buffer {
  const substitute = randomBytes(length)
  const block = rawDecrypt(encrypted, key)
  const { good, start } =
    padding.scheme === 'PKCS1' ? pkcs1Message(block, length) : oaepMessage(block, padding)
  const candidate = Buffer.alloc(length)
  block.copy(candidate, 0, Math.min(start, block.length), block.length)
  const take = good & equalMask(block.length - start, length)
  for (let i = 0; i < length; i += 1)
    candidate[i] = ((candidate[i] ?? 0) & take) | ((substitute[i] ?? 0) & ~take)
  return candidate
}

/** A number that is no valid block of this key (too long, too large) counts as a block of zeros, which has no valid padding. */
function rawDecrypt(encrypted: Buffer, key: KeyObject): Buffer {
  const bytes = (key.asymmetricKeyDetails?.modulusLength ?? 2048) / 8
  try {
    return privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, encrypted)
  } catch {
    return Buffer.alloc(bytes)
  }
}

/** 0xff when equal, else 0. */
const equalMask = (a: number, b: number): number => zeroMask(a ^ b)
const zeroMask = (value: number): number => ((value | -value) >> 31) ^ -1

/** 00 02 (≥ 8 nonzero octets) 00 key: the key length is known, so every octet's place is (RFC 8017 §7.2.2). */
function pkcs1Message(block: Buffer, length: number): { good: number; start: number } {
  const start = block.length - length
  if (start < 11) return { good: 0, start: 0 }
  let bad = (block[0] ?? 1) | ((block[1] ?? 0) ^ 2) | (block[start - 1] ?? 1)
  for (let i = 2; i < start - 1; i += 1) bad |= zeroMask(block[i] ?? 0) & 1
  return { good: zeroMask(bad), start }
}

/** RFC 8017 §7.1.2 step 3; unmasks in place. */
function oaepMessage(block: Buffer, padding: Padding & { scheme: 'OAEP' }): { good: number; start: number } {
  const { bytes, node } = digests[padding.hash]
  if (block.length < 2 * bytes + 2) return { good: 0, start: 0 }
  const seed = block.subarray(1, 1 + bytes)
  const data = block.subarray(1 + bytes)
  xor(seed, mgf1(data, bytes, padding.mask))
  xor(data, mgf1(seed, data.length, padding.mask))
  const label = createHash(node).update(padding.label).digest()
  let bad = block[0] ?? 1
  for (let i = 0; i < bytes; i += 1) bad |= (data[i] ?? 0) ^ (label[i] ?? 0)
  let seen = 0
  let start = 0
  for (let i = bytes; i < data.length; i += 1) {
    const octet = data[i] ?? 0
    const one = equalMask(octet, 1) & ~seen
    start |= (i + 1) & one
    bad |= ~seen & ~one & octet
    seen |= one
  }
  return { good: zeroMask(bad) & seen, start: 1 + bytes + start }
}

function xor(target: Buffer, mask: Buffer): void {
  for (let i = 0; i < target.length; i += 1) target[i] = (target[i] ?? 0) ^ (mask[i] ?? 0)
}

function mgf1(seed: Buffer, length: number, digest: Digest): Buffer {
  const { node, bytes } = digests[digest]
  const parts: Buffer[] = []
  for (let counter = 0; counter * bytes < length; counter += 1) {
    const octets = Buffer.alloc(4)
    octets.writeUInt32BE(counter)
    parts.push(createHash(node).update(seed).update(octets).digest())
  }
  return Buffer.concat(parts).subarray(0, length)
}
