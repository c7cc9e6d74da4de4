/** A wrong padding of the content key must look like any other wrong key (Bleichenbacher; RFC 8017 §7.2.2). */
import t from 'tap'
import crypto, { constants, publicEncrypt } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import type { CertRep } from '../../../agent/scep/cert-rep.ts'
import { openEnrolment } from '../../../agent/scep/enrolment.ts'
import { establishTrust, prepareEnrolment } from '../../../agent/scep/index.ts'
import { issuedCertificate } from '../../../agent/scep/issued.ts'
import { unwrapKey } from '../../../agent/scep/key-transport.ts'
import { fixtureKey, rootCa } from '../../scep-server/authority.ts'
import { envelope } from '../../scep-server/cert-rep.ts'
import { thrownBy } from './enrolling.ts'

const reader = rootCa('Reader', fixtureKey('rsa-2048-a'))
const publicKey = reader.certificate.publicKey

/** A block as RSA carries it, encrypted without any padding of its own. */
const encrypted = (block: Buffer): Buffer =>
  publicEncrypt({ key: publicKey, padding: constants.RSA_NO_PADDING }, block)
const padded = (head: number[], filler: number, zero: number, key: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from(head),
    Buffer.alloc(256 - head.length - 1 - key.length, filler),
    Buffer.from([zero]),
    key,
  ])

const key = Buffer.alloc(16, 0xaa)
const wrong: [string, Buffer][] = [
  ['the first octet is not 0', encrypted(padded([1, 2], 7, 0, key).fill(0, 0, 1).fill(0x01, 1, 2))],
  ['the block type is 1', encrypted(padded([0, 1], 7, 0, key))],
  ['no zero before the key', encrypted(padded([0, 2], 7, 9, key))],
  ['a zero within the filler', encrypted(padded([0, 2, 7, 7, 0], 7, 0, key))],
  ['a zero among the first eight', encrypted(padded([0, 2, 0], 7, 0, key))],
  ['a key that is too short', encrypted(padded([0, 2], 7, 0, key.subarray(1)))],
  ['a key that is too long', encrypted(padded([0, 2], 7, 0, Buffer.alloc(24, 1)))],
  ['all zeros', encrypted(Buffer.alloc(256))],
  ['a number larger than the modulus', Buffer.alloc(256, 0xff)],
  ['too many octets', Buffer.alloc(300, 1)],
  ['no octets', Buffer.alloc(0)],
]

t.test('a good padding gives the key, any other a random key of the same length', async t => {
  t.ok(unwrapKey(encrypted(padded([0, 2], 7, 0, key)), reader.key, { scheme: 'PKCS1' }, 16).equals(key))
  for (const [name, block] of wrong) {
    const [one, two] = [0, 1].map(() => unwrapKey(block, reader.key, { scheme: 'PKCS1' }, 16))
    t.ok(one?.length === 16 && two?.length === 16 && !one.equals(two) && !one.equals(key), name)
  }
  const oaep = { scheme: 'OAEP', hash: 'SHA-256', mask: 'SHA-256', label: Buffer.alloc(0) } as const
  for (const [name, block] of wrong)
    t.equal(unwrapKey(block, reader.key, oaep, 16).length, 16, `OAEP: ${name}`)
})

/** The calls of node:crypto during `body`, with the size of what they were given. */
function calls(body: () => void): string[] {
  const seen: string[] = []
  const { privateDecrypt, createDecipheriv, randomBytes } = crypto
  const spied = {
    privateDecrypt: (...args: Parameters<typeof privateDecrypt>) => {
      seen.push('privateDecrypt')
      return privateDecrypt(...args)
    },
    createDecipheriv: (...args: Parameters<typeof createDecipheriv>) => {
      seen.push(`createDecipheriv ${args[0]} ${(args[1] as Buffer).length}`)
      return createDecipheriv(...args)
    },
    randomBytes: (size: number) => {
      seen.push(`randomBytes ${size}`)
      return randomBytes(size)
    },
  }
  Object.assign(crypto, spied)
  syncBuiltinESMExports()
  try {
    body()
  } finally {
    Object.assign(crypto, { privateDecrypt, createDecipheriv, randomBytes })
    syncBuiltinESMExports()
  }
  return seen
}

t.test('a padding failure makes the same calls and the same error as a wrong key', async t => {
  const enrolment = openEnrolment(
    await prepareEnrolment({
      key: reader.key,
      subject: { commonName: 'x' },
      names: [],
      signature: 'SHA-256',
    }),
    reader.key,
  )
  const trust = establishTrust(
    { certificates: [reader.certificate], warnings: [] },
    { roots: [], fingerprint: null },
    new Date(),
  )
  const attempt = (wrapped: Buffer) => {
    const made = envelope(Buffer.from('x'.repeat(64)), { recipient: enrolment.signer.certificate, wrapped })
    const certRep: CertRep & { status: 'SUCCESS' } = {
      status: 'SUCCESS',
      envelope: made,
      digest: 'SHA-256',
      certificates: [],
      warnings: [],
    }
    let error
    // As far as the certificate bag: a random key leaves a valid CBC padding once in 256 times.
    const seen = calls(
      () => (error = thrownBy(() => issuedCertificate(certRep, enrolment, trust, [])).problem),
    )
    return { seen, error }
  }
  const wrongKey = encrypted(padded([0, 2], 7, 0, Buffer.alloc(16, 0x55)))
  const expected = attempt(wrongKey)
  t.strictSame(expected.seen, ['randomBytes 16', 'privateDecrypt', 'createDecipheriv aes-128-cbc 16'])
  t.match(expected.error, { code: 'reply-unreadable' })
  for (let round = 0; round < 40; round += 1)
    for (const [name, block] of wrong) {
      const found = attempt(block)
      if (round === 0 || JSON.stringify(found) !== JSON.stringify(expected))
        t.strictSame(found, expected, name)
    }
})
