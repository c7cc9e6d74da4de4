/** Mutated and truncated replies: a typed error or a success, never anything else, never slow. */
import t from 'tap'
import fc from 'fast-check'
import { createPrivateKey } from 'node:crypto'
import { establishTrust, prepareEnrolment, ScepError } from '../../../agent/scep/index.ts'
import { readCaReply } from '../../../agent/scep/ca-certificates.ts'
import { readCertRep } from '../../../agent/scep/cert-rep.ts'
import { openEnrolment } from '../../../agent/scep/enrolment.ts'
import { issuedCertificate } from '../../../agent/scep/issued.ts'
import { readNextCa } from '../../../agent/scep/next-ca.ts'
import { read, members, octets, text, oidText, BerError } from '../../../agent/scep/ber.ts'
import {
  encode,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
  utf8String,
  type Node,
} from '../../../agent/scep/der.ts'
import { bag, fixtureKey, issuedBy } from '../../scep-server/authority.ts'
import { oid as dotted, tlv } from '../../scep-server/asn1.ts'
import { certRep, envelope } from '../../scep-server/cert-rep.ts'
import { ndesShape } from '../../scep-server/shapes.ts'

/** test/long runs many more. */
const factor = Number(process.env['SONDE_FUZZ'] ?? 1)

const shape = ndesShape()
const key = createPrivateKey(fixtureKey('rsa-2048-d').export({ type: 'pkcs8', format: 'pem' }))
const trust = establishTrust(
  readCaReply({ status: 200, contentType: '', date: undefined, body: shape.caReply.body }),
  { roots: [], fingerprint: null },
  new Date(),
)
const enrolment = openEnrolment(
  await prepareEnrolment({ key, subject: { commonName: 'x' }, names: [], signature: 'SHA-256' }),
  key,
)
const message = {
  type: 'PKCSReq',
  transactionId: enrolment.transactionId,
  senderNonce: Buffer.alloc(16, 3),
  bytes: Buffer.alloc(0),
} as const
const names = tlv(
  0x30,
  tlv(0x82, Buffer.from('pi.example.org')),
  tlv(0xa0, dotted('1.3.6.1.4.1.311.20.2.3'), tlv(0xa0, tlv(0x0c, Buffer.from('pi')))),
)
const mine = issuedBy(shape.ca, 'x', key, {
  names,
  usage: ['digitalSignature'],
  purposes: ['1.3.6.1.5.5.7.3.2'],
}).certificate
const inner = bag([mine])
const reply = (ber: boolean): Buffer =>
  certRep({
    signer: shape.signer,
    messageType: '3',
    pkiStatus: '0',
    transactionID: message.transactionId,
    recipientNonce: message.senderNonce,
    content: envelope(inner, { recipient: enrolment.signer.certificate, ber }),
    ber,
  })
const seeds = [reply(false), reply(true)]

type Mutation = (bytes: Buffer) => Buffer
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })).map(([at, flip]): Mutation => bytes => {
    const copy = Buffer.from(bytes)
    copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ flip
    return copy
  }),
  fc.nat().map(
    (at): Mutation =>
      bytes =>
        bytes.subarray(0, at % bytes.length),
  ),
  fc.tuple(fc.nat(), fc.uint8Array({ maxLength: 40 })).map(
    ([at, more]): Mutation =>
      bytes =>
        Buffer.concat([bytes.subarray(0, at % bytes.length), more, bytes.subarray(at % bytes.length)]),
  ),
  fc.tuple(fc.nat(), fc.nat({ max: 200 })).map(
    ([at, count]): Mutation =>
      bytes =>
        Buffer.concat([bytes.subarray(0, at % bytes.length), bytes.subarray((at % bytes.length) + count)]),
  ),
)

/** Runs the body; only success, a ScepError or (for bare readers) a BerError may come of it, within five seconds (of a busy machine). */
function bounded(body: () => unknown, allowed: typeof ScepError | typeof BerError = ScepError): boolean {
  const began = performance.now()
  try {
    body()
  } catch (error) {
    if (!(error instanceof allowed)) throw error
  }
  return performance.now() - began < 5_000
}

function whole(bytes: Buffer): void {
  const found = readCertRep(bytes, message, trust)
  if (found.status === 'SUCCESS') issuedCertificate(found, enrolment, trust, [])
}

t.test('an unchanged reply is accepted', async t => {
  for (const seed of seeds) t.doesNotThrow(() => whole(seed))
})

t.test('an OBJECT IDENTIFIER that nobody counts to is refused', async t => {
  const oid = Buffer.from('060a88ffffffffffffffff7f', 'hex')
  t.throws(() => oidText(read(oid)), BerError)
})

t.test('a CertRep changed anywhere gives a typed error', async () => {
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.array(mutation, { minLength: 1, maxLength: 4 }), (seed, all) =>
      bounded(() => whole(all.reduce((bytes, each) => each(bytes), seed))),
    ),
    { numRuns: 200 * factor },
  )
})

t.test('so does a changed envelope and a changed bag behind a valid signature', async () => {
  const resigned = (content: Buffer): Buffer =>
    certRep({
      signer: shape.signer,
      messageType: '3',
      pkiStatus: '0',
      transactionID: message.transactionId,
      recipientNonce: message.senderNonce,
      content,
    })
  const recipient = enrolment.signer.certificate
  fc.assert(
    fc.property(mutation, fc.boolean(), (change, ber) =>
      bounded(() => whole(resigned(change(envelope(inner, { recipient, ber }))))),
    ),
    { numRuns: 30 * factor },
  )
  fc.assert(
    fc.property(mutation, change => bounded(() => whole(resigned(envelope(change(inner), { recipient }))))),
    { numRuns: 30 * factor },
  )
})

t.test('and changed replies to GetCACert and GetNextCACert', async () => {
  const body = (bytes: Buffer) => ({ status: 200, contentType: '', date: undefined, body: bytes })
  fc.assert(
    fc.property(mutation, fc.constantFrom(shape.caReply.body, shape.ca.certificate.raw), (change, bytes) =>
      bounded(() =>
        establishTrust(readCaReply(body(change(bytes))), { roots: [], fingerprint: null }, new Date()),
      ),
    ),
    { numRuns: 200 * factor },
  )
  fc.assert(
    fc.property(fc.constantFrom(...seeds), mutation, (seed, change) =>
      bounded(() => readNextCa(change(seed), trust)),
    ),
    { numRuns: 100 * factor },
  )
})

t.test('arbitrary bytes are read or refused', async () => {
  const walk = (bytes: Buffer, depth = 0): void => {
    const element = read(bytes)
    bounded(() => text(element), BerError)
    bounded(() => oidText(element), BerError)
    bounded(() => octets(element), BerError)
    if (element.tag & 0x20 && depth < 20) for (const member of members(element)) walk(member.bytes, depth + 1)
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), bytes =>
      bounded(() => walk(Buffer.from(bytes)), BerError),
    ),
    { numRuns: 200 * factor },
  )
})

t.test('what is encoded is read again', async () => {
  const tree: fc.Arbitrary<Node> = fc.letrec<{ node: Node }>(tie => ({
    node: fc.oneof(
      { maxDepth: 4 },
      fc.uint8Array({ maxLength: 200 }).map(octetString),
      fc.nat().map(integer),
      fc.string().map(utf8String),
      fc.constantFrom('1.2.840.113549.1.7.2', '2.5.4.3').map(oid),
      fc.array(tie('node'), { maxLength: 4 }).map(all => sequence(...all)),
      fc.array(tie('node'), { maxLength: 4 }).map(all => setOf(...all)),
    ),
  })).node
  fc.assert(
    fc.property(tree, node => {
      const bytes = encode(node)
      const element = read(bytes)
      return (
        element.bytes.equals(bytes) &&
        (!(element.tag & 0x20) ||
          Buffer.concat(members(element).map(each => each.bytes)).equals(element.content))
      )
    }),
    { numRuns: 200 * factor },
  )
})
