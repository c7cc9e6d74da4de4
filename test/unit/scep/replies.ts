/** Replies in every algorithm and encoding: accepted, or refused by a typed error. */
import t from 'tap'
import { X509Certificate } from 'node:crypto'
import { openEnvelope } from '../../../agent/scep/enveloped-data.ts'
import { indefinite, octets } from '../../scep-server/asn1.ts'
import { bag, fixtureKey, inside, issuedBy, rootCa, split } from '../../scep-server/authority.ts'
import { certRep, envelope, type CipherName, type DigestName } from '../../scep-server/cert-rep.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { ndesShape, plainShape } from '../../scep-server/shapes.ts'
import { enrol, scepErrorOf } from './enrolling.ts'

const ciphers: CipherName[] = ['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'des-ede3-cbc', 'des']
const transports: (DigestName | undefined)[] = [undefined, 'sha1', 'sha256', 'sha384', 'sha512']
const digests: DigestName[] = ['sha1', 'sha256', 'sha384', 'sha512']

const reader = rootCa('Reader', fixtureKey('rsa-2048-a'), { keyIdentifier: Buffer.from('reader') })

t.test('B-29, B-30: every content encryption under every key transport, in DER and in BER', async t => {
  const content = Buffer.from('x'.repeat(777))
  for (const cipher of ciphers)
    for (const oaep of transports)
      for (const ber of [false, true]) {
        const made = envelope(content, {
          recipient: reader.certificate,
          cipher,
          ber,
          ...(oaep ? { oaep } : {}),
        })
        const opened = openEnvelope(made, reader)
        t.ok(opened.content.equals(content), `${cipher}, ${oaep ?? 'PKCS#1'}, ${ber ? 'BER' : 'DER'}`)
      }
  const mixed = envelope(content, { recipient: reader.certificate, oaep: 'sha256', mask: 'sha1' })
  t.match(
    openEnvelope(mixed, reader),
    { keyTransport: 'OAEP-SHA-256 with MGF1-SHA-1' },
    "Java's mixture of digests",
  )
})

t.test('every key size opens what is sent to it', async t => {
  for (const size of ['rsa-1024', 'rsa-3072', 'rsa-4096'] as const) {
    const holder = rootCa('Reader', fixtureKey(size))
    for (const oaep of [undefined, 'sha1', 'sha256'] as const) {
      const made = envelope(Buffer.from('hello'), {
        recipient: holder.certificate,
        ...(oaep ? { oaep } : {}),
      })
      t.equal(openEnvelope(made, holder).content.toString(), 'hello', `${size} ${oaep ?? ''}`)
    }
  }
})

t.test('a whole reply in every digest, named or not, in DER and BER; what is weak is said', async t => {
  await using server = await scepTestServer({
    answers: digests.flatMap(digest => [
      () => ({ digest }),
      () => ({ digest, signatureOid: 'named' as const, ber: true, envelope: { ber: true } }),
    ]),
  })
  for (const digest of digests)
    for (const form of ['DER', 'BER']) {
      const outcome = await enrol(server.url)
      t.match(
        outcome,
        { status: 'issued', replyAlgorithms: { digest: digest.replace('sha', 'SHA-') } },
        `${digest} ${form}`,
      )
      t.equal(
        outcome.warnings.some(each => each.code === 'weak-digest'),
        digest === 'sha1',
      )
    }
})

t.test(
  'single DES with SHA-1 is accepted as a reported weakness; MD5 and other ciphers are refused by name',
  async t => {
    const answers = [
      () => ({ digest: 'sha1' as const, envelope: { cipher: 'des' as const } }),
      () => ({ digest: 'md5' as const }),
      () => ({ envelope: { contentOid: '1.2.840.113549.3.2' } }),
      () => ({ envelope: { contentOid: '1.2.3.4' } }),
      () => ({ envelope: { oaep: 'md5' as const } }),
    ]
    await using server = await scepTestServer({ answers })
    t.strictSame(
      (await enrol(server.url)).warnings.map(each => each.text),
      [
        'The SCEP server signs its replies with SHA-1',
        'The SCEP server encrypts its replies with single DES',
      ],
    )
    for (const name of [
      'digestAlgorithm of the reply is MD5',
      'encryptionAlgorithmIdentifier of the reply is RC2-CBC',
      'encryptionAlgorithmIdentifier of the reply is 1.2.3.4',
      'keyEncryptionAlgorithm of the reply is RSAES-OAEP with MD5',
    ])
      t.match(await scepErrorOf(enrol(server.url)), {
        code: 'reply-algorithm',
        kind: 'misconfigured',
        problem: { detail: name },
      })
  },
)

t.test(
  'B-24, B-50: the signer is found by issuer and serial, our certificate by its key, whatever the order',
  async t => {
    const server = await scepTestServer({ shape: ndesShape() })
    await using _ = server
    const other = issuedBy(server.shape.ca, 'somebody else', fixtureKey('rsa-2048-b')).certificate
    const answers = [
      (content: Buffer) => ({
        certificates: [other, server.shape.ca.certificate, server.shape.signer.certificate],
        content,
      }),
      (content: Buffer) => ({ certificates: [], content }),
    ]
    for (const answer of answers) {
      await using second = await scepTestServer({
        shape: server.shape,
        answers: [
          request => {
            const mine = issuedBy(server.shape.ca, 'sensor-1', fixtureKey('rsa-2048-d')).certificate
            return answer(
              envelope(bag([other, server.shape.ca.certificate, mine]), { recipient: request.signer }),
            )
          },
        ],
      })
      const outcome = await enrol(second.url)
      t.ok(
        outcome.status === 'issued' &&
          new X509Certificate(outcome.certificate).checkPrivateKey(fixtureKey('rsa-2048-d')),
      )
      t.strictSame(
        outcome.status === 'issued' && outcome.chain.map(each => new X509Certificate(each).subject),
        ['CN=Corp CA'],
      )
    }
  },
)

/** Every length indefinite and every OCTET STRING in chunks, but for what `keep` says: a signature covers DER. */
function ber(der: Buffer, keep: (at: string) => boolean, at = ''): Buffer {
  const content = inside(der)
  if (keep(at)) return der
  if ((der[0] ?? 0) & 0x20)
    return indefinite(der[0] ?? 0, ...split(content).map((part, i) => ber(part, keep, `${at}/${String(i)}`)))
  if (der[0] !== 0x04) return der
  return indefinite(0x24, octets(content.subarray(0, 5)), indefinite(0x24, octets(content.subarray(5))))
}

t.test('a reply in BER throughout, the names in it too', async t => {
  const shape = ndesShape()
  const certificates = (at: string): boolean => at.startsWith('/1/0/3/')
  const signedAttributes = (at: string): boolean => at === '/1/0/4/0/3'
  await using server = await scepTestServer({
    shape,
    answers: [
      ({ signer, transactionID, senderNonce: recipientNonce }) => {
        const mine = issuedBy(shape.ca, 'sensor-1', fixtureKey('rsa-2048-d')).certificate
        const inner = ber(bag([mine, shape.ca.certificate]), certificates)
        const content = ber(envelope(inner, { recipient: signer }), () => false)
        const common = {
          signer: shape.signer,
          messageType: '3',
          pkiStatus: '0',
          transactionID,
          recipientNonce,
        }
        return { bytes: ber(certRep({ ...common, content }), at => certificates(at) || signedAttributes(at)) }
      },
    ],
  })
  t.equal((await enrol(server.url)).status, 'issued')
})

t.test('a serial number of the CA may have any length', async t => {
  for (const length of [130, 300]) {
    const shape = plainShape()
    const serial = Buffer.alloc(length, 7)
    const ca = rootCa('Long', fixtureKey('rsa-2048-a'), { serial })
    await using server = await scepTestServer({
      shape: { ...shape, ca, decrypter: ca, signer: ca, caReply: { type: '', body: ca.certificate.raw } },
    })
    t.equal((await enrol(server.url)).status, 'issued', `${String(length)} octets`)
    t.strictSame(server.violations, [])
  }
})

t.test('B-25: a FAILURE or PENDING with a byte of content (NDES) is understood', async t => {
  await using server = await scepTestServer({
    answers: [
      () => ({ pkiStatus: '2', failInfo: '1', content: Buffer.alloc(1) }),
      () => ({ pkiStatus: '3', content: Buffer.alloc(0) }),
    ],
  })
  t.match(await scepErrorOf(enrol(server.url)), { problem: { failInfo: 'badMessageCheck' } })
  t.equal((await enrol(server.url)).status, 'pending')
})

t.test('B-23: a senderNonce that repeats ours or is empty is no reason to refuse', async t => {
  await using server = await scepTestServer({
    answers: [request => ({ senderNonce: request.senderNonce }), () => ({ senderNonce: Buffer.alloc(0) })],
  })
  for (const form of ['ours', 'empty']) t.equal((await enrol(server.url)).status, 'issued', form)
})

t.test('B-51: what the CA changed is said, not refused', async t => {
  const shape = ndesShape()
  const changed = issuedBy(shape.ca, 'PI-7 (sensors)', fixtureKey('rsa-2048-d'), {
    critical: '1.2.3.4',
    purposes: ['1.3.6.1.5.5.7.3.1'],
    digest: 'sha1',
  }).certificate
  await using server = await scepTestServer({
    shape,
    answers: [request => ({ content: envelope(bag([changed]), { recipient: request.signer }) })],
  })
  const outcome = await enrol(server.url, { commonName: 'pi-7', names: ['dns:pi-7.example'] })
  t.strictSame(
    outcome.warnings.filter(each => each.code !== 'not-advertised'),
    [
      { code: 'weak-digest', text: 'The CA signs certificates with SHA-1' },
      { code: 'subject-changed', text: 'The CA changed the subject from "CN=pi-7" to "CN=PI-7 (sensors)"' },
      { code: 'names-changed', text: 'The CA left out dns:pi-7.example' },
      {
        code: 'no-client-auth',
        text: 'The certificate is not for client authentication (extendedKeyUsage), so EAP-TLS will refuse it',
      },
    ],
  )
})
