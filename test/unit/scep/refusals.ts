/** How a server says no, and what is made of it. */
import t from 'tap'
import { prepareRenewal, requestCertificate } from '../../../agent/scep/index.ts'
import { integer, tlv, utf8 } from '../../scep-server/asn1.ts'
import { fixtureKey } from '../../scep-server/authority.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { enrol, plainSettings, prepared, scepErrorOf } from './enrolling.ts'

const failures = [
  ['0', 'badAlg', 'rejected', 'unrecognized or unsupported algorithm'],
  ['1', 'badMessageCheck', 'rejected', 'password might be incorrect'],
  ['2', 'badRequest', 'rejected', 'password might be incorrect'],
  ['3', 'badTime', 'rejected', 'the signing time is not close enough to the clock of the server'],
  ['4', 'badCertId', 'rejected', 'no certificate could be found that matches the request'],
  ['9', undefined, 'rejected', 'failInfo 9 has no meaning in RFC 8894'],
] as const

t.test('S2-11, S2-57, B-26: every failInfo has its name and its words, letter for letter', async t => {
  for (const [failInfo, name, kind, detail] of failures) {
    await using server = await scepTestServer({
      answers: [() => ({ pkiStatus: '2', failInfo, failInfoText: 'no, thank\nyou' })],
    })
    t.match(await scepErrorOf(enrol(server.url)), {
      code: 'rejected',
      kind,
      problem: {
        title: 'SCEP server refused the request',
        detail,
        failInfo: name,
        pkiStatus: 'FAILURE',
        serverText: 'no, thank you',
      },
    })
  }
})

t.test(
  'B-20, B-25: failInfoText may be any string, and one that cannot be read hides no failInfo',
  async t => {
    const words = 'bad challenge'
    const latin1 = Buffer.from(words)
    const wide = (octets: 2 | 4): Buffer => {
      const units = Buffer.alloc(octets * words.length)
      for (const [at, code] of latin1.entries()) units.writeUIntBE(code, at * octets, octets)
      return units
    }
    const cases = [
      ...[0x0c, 0x13, 0x14, 0x16, 0x1a, 0x1b].map(tag => ({ text: tlv(tag, latin1), shown: words })),
      { text: tlv(0x1e, wide(2)), shown: words },
      { text: tlv(0x1c, wide(4)), shown: words },
      { text: tlv(0x2c, utf8('bad '), utf8('challenge')), shown: words },
      ...[tlv(0x1e, Buffer.alloc(3)), integer(7), tlv(0x30, utf8(words))].map(text => ({
        text,
        shown: undefined,
      })),
    ]
    await using server = await scepTestServer({
      answers: cases.map(({ text }) => () => ({ pkiStatus: '2', failInfo: '1', failInfoText: text })),
    })
    const { transport, caps, trust, enrolment, key, settings, signal } = await prepared(server.url)
    using _ = transport
    for (const { text, shown } of cases) {
      const { problem } = await scepErrorOf(
        requestCertificate(transport, caps, trust, enrolment, key, settings, signal),
      )
      t.match(problem, { code: 'rejected', failInfo: 'badMessageCheck' }, text.toString('hex'))
      t.equal(problem.serverText, shown)
    }
  },
)

t.test('S2-56, S2-57, B-74: a refused renewal has its own title, and too early is told apart', async t => {
  const cases = [
    [{ failInfo: '2' }, { kind: 'rejected', problem: { detail: 'password might be incorrect' } }],
    [{ failInfo: '1' }, { kind: 'rejected', problem: { detail: 'password might be incorrect' } }],
    [
      { failInfo: '2', failInfoText: 'certificate is not within the renewal window' },
      { kind: 'too-early', code: 'renewal-too-early' },
    ],
  ] as const
  const methods = ['RenewalReq', 'PKCSReq', 're-enrol'] as const
  const refused = cases.flatMap(([answer]) => methods.map(() => () => ({ pkiStatus: '2', ...answer })))
  await using server = await scepTestServer({ answers: [() => ({}), ...refused] })
  const first = await enrol(server.url)
  if (first.status !== 'issued') throw new Error('not issued')
  const key = fixtureKey('rsa-2048-b')
  for (const [, expected] of cases)
    for (const method of methods) {
      const enrolment = await prepareRenewal({
        key,
        currentCertificate: first.certificate,
        method,
        signature: 'SHA-256',
      })
      const error = await scepErrorOf(
        enrol(server.url, { enrolment, ...(method === 're-enrol' ? { key } : {}) }),
      )
      t.match(error, expected)
      t.equal(error.problem.title, 'Transaction either not permitted or supported during SCEP renewal')
    }
})

t.test(
  'S1-40 … S1-42, B-30: what is not understood is tried once more with the other settings, and said',
  async t => {
    const settings = {
      encryption: 'AES-256',
      digest: 'SHA-384',
      keyTransport: 'OAEP-SHA-256',
      fallback: plainSettings,
    } as const
    const first = [
      () => ({ pkiStatus: '2', failInfo: '0' }),
      () => ({ pkiStatus: '2', failInfo: '1' }),
      () => ({ envelope: { wrapped: Buffer.alloc(256, 7) } }),
      () => ({ envelope: { contentOid: '1.2.840.113549.3.2' } }),
    ]
    for (const answer of first) {
      await using server = await scepTestServer({ answers: [answer] })
      const outcome = await enrol(server.url, { settings })
      t.match(
        outcome.warnings.find(each => each.code === 'fallback-used'),
        { text: /AES-128 and PKCS1/ },
      )
      t.strictSame(
        server.messages.map(each => each.encryption),
        ['AES-256', 'AES-128'],
      )
    }
    await using server = await scepTestServer({ answers: [() => ({ pkiStatus: '2', failInfo: '2' })] })
    t.match(await scepErrorOf(enrol(server.url, { settings })), { code: 'rejected' })
    t.equal(server.messages.length, 1, 'a refused password is not sent twice')
  },
)
