/** Replies that are wrong in one way each; every one has its own typed error. */
import t from 'tap'
import { randomBytes } from 'node:crypto'
import { bag, fixtureKey, issuedBy, rootCa } from '../../scep-server/authority.ts'
import { indefinite, octets, oid, sequence, tlv } from '../../scep-server/asn1.ts'
import { envelope } from '../../scep-server/cert-rep.ts'
import type { ReceivedRequest } from '../../scep-server/read-request.ts'
import { scepTestServer, type Answer } from '../../scep-server/server.ts'
import { ndesShape } from '../../scep-server/shapes.ts'
import { requestCertificate } from '../../../agent/scep/index.ts'
import { prepared, scepErrorOf } from './enrolling.ts'

const shape = ndesShape()
const stranger = rootCa('Stranger', fixtureKey('rsa-2048-a'))
const otherClient = issuedBy(shape.ca, 'another client', fixtureKey('rsa-2048-a'), {
  usage: ['digitalSignature'],
})
const samePlace = { key: fixtureKey('rsa-2048-a'), certificate: shape.signer.certificate }
const day = 86_400_000

const nested = (depth: number): Buffer => {
  const half = Buffer.alloc(2 * depth)
  for (let i = 0; i < depth; i += 1) half.set([0x30, 0x80], 2 * i)
  return Buffer.concat([half, Buffer.alloc(2 * depth)])
}
const forKey =
  (key: Parameters<typeof fixtureKey>[0], options: object = {}) =>
  (request: ReceivedRequest): Answer => ({
    content: envelope(bag([issuedBy(shape.ca, 'sensor-1', fixtureKey(key), options).certificate]), {
      recipient: request.signer,
    }),
  })

const cases: [
  string,
  (request: ReceivedRequest) => Answer,
  { code: string; kind: string; problem?: object },
][] = [
  [
    'wrong nonce',
    () => ({ recipientNonce: randomBytes(16) }),
    { code: 'nonce-mismatch', kind: 'server-fault' },
  ],
  ['no nonce', () => ({ recipientNonce: undefined }), { code: 'nonce-mismatch', kind: 'server-fault' }],
  [
    'wrong transactionID',
    () => ({ transactionID: 'ABC' }),
    { code: 'transaction-mismatch', kind: 'server-fault' },
  ],
  [
    'no transactionID',
    () => ({ transactionID: undefined }),
    { code: 'transaction-mismatch', kind: 'server-fault' },
  ],
  [
    'B-22: our own message type sent back',
    () => ({ messageType: '19' }),
    { code: 'status-invalid', kind: 'server-fault' },
  ],
  ['no messageType', () => ({ messageType: undefined }), { code: 'status-invalid', kind: 'server-fault' }],
  [
    'B-22: an unknown pkiStatus',
    () => ({ pkiStatus: '1', content: Buffer.alloc(1) }),
    { code: 'status-invalid', kind: 'server-fault' },
  ],
  ['no pkiStatus', () => ({ pkiStatus: undefined }), { code: 'status-invalid', kind: 'server-fault' }],
  [
    'SUCCESS without envelope',
    () => ({ pkiStatus: '0', content: undefined }),
    { code: 'status-invalid', kind: 'server-fault' },
  ],
  ['FAILURE without failInfo', () => ({ pkiStatus: '2' }), { code: 'status-invalid', kind: 'server-fault' }],
  ['signed by a stranger', () => ({ signer: stranger }), { code: 'signer-unknown', kind: 'server-fault' }],
  [
    'signed by a stranger who is not in the bag',
    () => ({ signer: stranger, certificates: [] }),
    { code: 'signer-unknown', kind: 'server-fault' },
  ],
  [
    'signed by another client of the same CA',
    () => ({ signer: otherClient }),
    { code: 'signer-unknown', kind: 'server-fault' },
  ],
  [
    "signed by another key under the RA's name",
    () => ({ signer: samePlace }),
    { code: 'signature-invalid', kind: 'server-fault' },
  ],
  ['a changed signature', () => ({ broken: true }), { code: 'signature-invalid', kind: 'server-fault' }],
  ["another key's certificate", forKey('rsa-2048-a'), { code: 'certificate-missing', kind: 'server-fault' }],
  [
    'an expired certificate',
    forKey('rsa-2048-d', { notBefore: new Date(Date.now() - 9 * day), notAfter: new Date(Date.now() - day) }),
    { code: 'certificate-dates', kind: 'misconfigured' },
  ],
  [
    'a certificate of tomorrow',
    forKey('rsa-2048-d', { notBefore: new Date(Date.now() + day) }),
    { code: 'certificate-dates', kind: 'misconfigured' },
  ],
  [
    'a certificate of another CA',
    request => ({
      content: envelope(bag([issuedBy(stranger, 'sensor-1', fixtureKey('rsa-2048-d')).certificate]), {
        recipient: request.signer,
      }),
    }),
    { code: 'certificate-untrusted', kind: 'misconfigured' },
  ],
  [
    'an empty bag',
    request => ({ content: envelope(bag([]), { recipient: request.signer }) }),
    { code: 'certificate-missing', kind: 'server-fault' },
  ],
  [
    'an envelope for another key',
    () => ({ content: envelope(bag([]), { recipient: stranger.certificate }) }),
    { code: 'reply-unreadable', kind: 'server-fault' },
  ],
  [
    'an envelope around no bag',
    request => ({ content: envelope(Buffer.from('certificate'), { recipient: request.signer }) }),
    { code: 'reply-unreadable', kind: 'server-fault' },
  ],
  [
    'an envelope that is none',
    () => ({ content: Buffer.from('envelope') }),
    { code: 'reply-malformed', kind: 'server-fault' },
  ],
  ['no bytes', () => ({ bytes: Buffer.alloc(0) }), { code: 'reply-not-scep', kind: 'misconfigured' }],
  [
    'a page with 200',
    () => ({ bytes: Buffer.from('<html>OK</html>') }),
    { code: 'reply-not-scep', kind: 'misconfigured', problem: { serverText: 'OK' } },
  ],
  ['a bare sequence', () => ({ bytes: sequence() }), { code: 'reply-malformed', kind: 'server-fault' }],
  [
    'another content type',
    () => ({ bytes: sequence(oid('1.2.840.113549.1.7.1'), tlv(0xa0, octets(Buffer.alloc(9)))) }),
    { code: 'reply-malformed', kind: 'server-fault' },
  ],
  ['10,000 levels', () => ({ bytes: nested(10_000) }), { code: 'reply-malformed', kind: 'server-fault' }],
  [
    'a megabyte of empty sequences',
    () => ({ bytes: tlv(0x30, Buffer.alloc(1_000_000, Buffer.from([0x30, 0]))) }),
    { code: 'reply-malformed', kind: 'server-fault' },
  ],
  [
    'a length of more than there is',
    () => ({ bytes: Buffer.from('3084ffffffff0609', 'hex') }),
    { code: 'reply-malformed', kind: 'server-fault' },
  ],
  [
    'a length of five octets',
    () => ({ bytes: Buffer.from('308500000000020500', 'hex') }),
    { code: 'reply-malformed', kind: 'server-fault' },
  ],
  [
    'an indefinite length without end',
    () => ({ bytes: indefinite(0x30, Buffer.from('0500', 'hex')).subarray(0, -2) }),
    { code: 'reply-malformed', kind: 'server-fault' },
  ],
]

t.test('B-22 … B-25, B-50, B-51: what is wrong with a CertRep is told, each in its own way', async t => {
  await using server = await scepTestServer({ shape, answers: cases.map(([, answer]) => answer) })
  const { transport, caps, trust, enrolment, key, settings, signal } = await prepared(server.url)
  for (const [name, , expected] of cases) {
    const began = performance.now()
    const error = await scepErrorOf(
      requestCertificate(transport, caps, trust, enrolment, key, settings, signal),
    )
    t.match(
      error,
      { ...expected, problem: { title: /\w/, detail: /\w/, hint: /\w/, ...expected.problem } },
      name,
    )
    t.ok(performance.now() - began < 5_000, 'in time')
  }
  transport.close()
})
