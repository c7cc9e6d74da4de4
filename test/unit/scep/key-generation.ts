/** Keys of two primes: what OpenSSL says of them, and what it made of the same primes. */
import type { JsonWebKey } from 'node:crypto'
import t from 'tap'
import { generateKey, rsaKeyOf, type KeyKind } from '../../../agent/scep/key-generation.ts'
import { fixtureKey } from '../../scep-server/authority.ts'
import { openssl } from './openssl.ts'

const number = (text = '') => BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`)
const openssls = (name: Parameters<typeof fixtureKey>[0]): JsonWebKey =>
  fixtureKey(name).export({ format: 'jwk' })

t.test('OpenSSL finds a new key of every kind of the menus valid, and as large as was asked for', async t => {
  const details: Partial<Record<KeyKind, object>> = {
    'rsa-1024': { modulusLength: 1024, publicExponent: 65_537n },
    'rsa-2048': { modulusLength: 2048, publicExponent: 65_537n },
    'ec-p256': { namedCurve: 'prime256v1' },
    'ec-p384': { namedCurve: 'secp384r1' },
    // The larger ones would take seconds: the next test has their arithmetic.
  }
  for (const [kind, wanted] of Object.entries(details)) {
    const key = await generateKey(kind as KeyKind, 2)
    const pem = Buffer.from(key.export({ type: 'pkcs8', format: 'pem' }))
    t.match(openssl(['pkey', '-check', '-noout'], pem).toString(), /Key is valid/, kind)
    t.same(key.asymmetricKeyDetails, wanted)
  }
  const [one, other] = await Promise.all([generateKey('rsa-1024'), generateKey('rsa-1024', 3)])
  t.notOk(one.equals(other), 'and no two are the same')
})

t.test('OpenSSL makes the same key of the same two primes, whichever comes first', t => {
  for (const name of ['rsa-1024', 'rsa-2048-a', 'rsa-3072', 'rsa-4096'] as const) {
    const { p, q, ...all } = openssls(name)
    for (const key of [rsaKeyOf(number(p), number(q)), rsaKeyOf(number(q), number(p))])
      t.same(key, { ...all, p, q })
  }
  t.end()
})

t.test('two primes that make no safe key are refused', t => {
  const { p, q } = openssls('rsa-2048-a')
  const [one, other] = [number(p), number(q)]
  t.equal(rsaKeyOf(one, one), undefined, 'the same prime twice')
  t.equal(rsaKeyOf(one, one - (1n << 900n)), undefined, 'too near to each other (FIPS 186-5 A.1.3)')
  const divided = other - ((other - 1n) % 65_537n)
  t.equal(rsaKeyOf(one, divided), undefined, 'the exponent divides one less')
  t.equal(rsaKeyOf(divided, one), undefined)
  t.end()
})
