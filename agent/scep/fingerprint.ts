/** Fingerprints as operators write them (B-12): any punctuation and case, the digest told by the length. */
import { createHash, timingSafeEqual, type X509Certificate } from 'node:crypto'
import { ScepError } from './errors.ts'

export interface Fingerprint {
  digest: 'MD5' | 'SHA-1' | 'SHA-256'
  value: Buffer
}

const byLength: Record<number, Fingerprint['digest']> = { 32: 'MD5', 40: 'SHA-1', 64: 'SHA-256' }
const nodeNames = { MD5: 'md5', 'SHA-1': 'sha1', 'SHA-256': 'sha256' } as const

/**
 * Reads a fingerprint; a leading `SHA256:`, `sha1 Fingerprint=` or `Thumbprint (SHA-1):` is allowed, and so is the invisible mark that
 * Windows puts before a copied thumbprint. Throws `fingerprint-format`.
 */
export function parseFingerprint(written: string): Fingerprint {
  const hex = written
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .replace(/^ ?(((finger|thumb)print|md5|sha ?1|sha ?256) )+/i, '')
    .replaceAll(' ', '')
    .toLowerCase()
  const digest = byLength[hex.length]
  if (!digest || !/^[0-9a-f]+$/.test(hex))
    throw new ScepError({
      code: 'fingerprint-format',
      kind: 'misconfigured',
      title: 'The root CA fingerprint cannot be read',
      detail: `it has ${String(hex.length)} characters beside punctuation`,
      hint: 'Give 64 hexadecimal digits (SHA-256), 40 (SHA-1) or 32 (MD5)',
    })
  return { digest, value: Buffer.from(hex, 'hex') }
}

export const fingerprintMatches = (fingerprint: Fingerprint, certificate: X509Certificate): boolean =>
  timingSafeEqual(
    createHash(nodeNames[fingerprint.digest]).update(certificate.raw).digest(),
    fingerprint.value,
  )

/** SHA-256 of the whole certificate, 64 lower-case hexadecimal digits. */
export const sha256Fingerprint = (certificate: X509Certificate): string =>
  createHash('sha256').update(certificate.raw).digest('hex')
