/** New private keys: the numbers by OpenSSL, off the event loop. */
import {
  createPrivateKey,
  generateKeyPair,
  generatePrime,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'
import { promisify } from 'node:util'

const keyPair = promisify(generateKeyPair)

export const keyKinds = ['rsa-1024', 'rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-p256', 'ec-p384'] as const
export type KeyKind = (typeof keyKinds)[number]

/**
 * A new key of the kind. `searches`: how many threads look for the primes of an RSA key; one takes some 0.07 s for RSA-2048 and 1.3 s
 * for RSA-4096 of a desktop's processor, several times that and up to ten times as long by bad luck on a Raspberry Pi.
 */
export async function generateKey(kind: KeyKind, searches = 1): Promise<KeyObject> {
  if (kind === 'ec-p256') return (await keyPair('ec', { namedCurve: 'P-256' })).privateKey
  if (kind === 'ec-p384') return (await keyPair('ec', { namedCurve: 'P-384' })).privateKey
  return generateRsaKey(Number(kind.slice('rsa-'.length)), searches)
}

/**
 * Two primes of half the bits each, found by OpenSSL's BN_generate_prime_ex (both highest bits set, 64 rounds of Miller-Rabin, 128 above
 * 2048 bits; its RSA keys were made so up to 1.1.1). `generateKeyPair` of OpenSSL 3 proves auxiliary primes first, which takes 2.5 times
 * as long, and looks for both with one thread. A thread that has found looks for the next while another is missing.
 */
async function generateRsaKey(bits: number, searches: number): Promise<KeyObject> {
  const found: bigint[] = []
  let key: JsonWebKey | undefined
  const search = async (): Promise<JsonWebKey> => {
    while (!key) {
      const prime = await newPrime(bits / 2)
      key ??= found.map(other => rsaKeyOf(other, prime)).find(Boolean)
      found.push(prime)
    }
    return key
  }
  // One whose prime is not needed any more ends by itself: nothing waits for it.
  return createPrivateKey({
    key: await Promise.any(Array.from({ length: searches }, search)),
    format: 'jwk',
  })
}

const newPrime = (bits: number): Promise<bigint> =>
  new Promise((resolve, reject) => {
    generatePrime(bits, { bigint: true }, (error, prime) => {
      if (error) reject(error)
      else resolve(prime)
    })
  })

const publicExponent = 65_537n

/**
 * The RSA key of two primes of the same length (RFC 8017 §3.2; FIPS 186-5 A.1.1, A.1.3): undefined for two of which
 * the exponent divides one less than one, or which are nearer to each other than 2^(length - 100).
 */
export function rsaKeyOf(one: bigint, other: bigint): JsonWebKey | undefined {
  const [p, q] = one > other ? [one, other] : [other, one]
  const n = p * q
  const apart = 1n << (BigInt(p.toString(2).length) - 100n)
  if ((p - 1n) % publicExponent === 0n || (q - 1n) % publicExponent === 0n || p - q <= apart) return undefined
  const lambda = ((p - 1n) * (q - 1n)) / greatestDivisor(p - 1n, q - 1n)
  const d = inverse(publicExponent, lambda)
  const numbers = { n, e: publicExponent, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) }
  return {
    kty: 'RSA',
    ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, base64Url(value)])),
  }
}

function greatestDivisor(a: bigint, b: bigint): bigint {
  while (b) [a, b] = [b, a % b]
  return a
}

/** x with a·x = 1 (mod m), by Euclid; a and m have no common divisor. */
function inverse(a: bigint, m: bigint): bigint {
  let [r0, r1, x0, x1] = [m, a % m, 0n, 1n]
  while (r1) {
    const quotient = r0 / r1
    ;[r0, r1, x0, x1] = [r1, r0 - quotient * r1, x1, x0 - quotient * x1]
  }
  return x0 < 0n ? x0 + m : x0
}

function base64Url(value: bigint): string {
  const hex = value.toString(16)
  return Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex').toString('base64url')
}
