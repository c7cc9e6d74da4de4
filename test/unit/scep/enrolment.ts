/** Whole transactions against the strict server of the tests. */
import t from 'tap'
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import {
  pollCertificate,
  prepareRenewal,
  renewalMethod,
  requestCertificate,
  type Enrolment,
} from '../../../agent/scep/index.ts'
import { alternativeNameTexts } from '../../../agent/scep/names.ts'
import { ia5, oid, sequence, set, tlv, utf8 } from '../../scep-server/asn1.ts'
import { fixtureKey } from '../../scep-server/authority.ts'
import { clearPassShape, ejbcaShape, ndesShape, openXpkiShape, plainShape } from '../../scep-server/shapes.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { enrol, plainSettings, prepared, scepErrorOf } from './enrolling.ts'

const permutations = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
]

t.test(
  'S2-85, B-11: NDES, ClearPass, EJBCA and OpenXPKI, each in its own shape, issue to a strict reader of our requests',
  async t => {
    const ejbca = ejbcaShape()
    const shapes = [
      ...permutations.map(order => ({
        name: `NDES with certificates in the order ${order.join()}`,
        shape: ndesShape(all => order.flatMap(at => all[at] ?? [])),
        trust: {},
      })),
      { name: 'ClearPass', shape: clearPassShape(), trust: {} },
      {
        name: 'EJBCA without its root',
        shape: ejbca.shape,
        trust: { roots: [ejbca.root.certificate.toString()] },
      },
      { name: 'OpenXPKI', shape: openXpkiShape(), trust: {} },
      { name: 'a server without capabilities', shape: { ...plainShape(), caps: undefined }, trust: {} },
    ]
    for (const { name, shape, trust } of shapes) {
      await using server = await scepTestServer({ shape, challenge: 'open sesame' })
      const outcome = await enrol(server.url, {
        challengePassword: 'open sesame',
        names: ['dns:pi.example.org', 'upn:pi@corp'],
        trust,
      })
      t.equal(outcome.status, 'issued', name)
      t.strictSame(server.violations, [], `${name}: nothing to object to`)
      t.equal(
        server.messages[0]?.csr?.challengeTag,
        0x13,
        'B-40: the challenge password is a PrintableString',
      )
      t.match(
        server.requests.find(each => each.url.includes('PKIOperation')),
        { method: shape.caps === undefined ? 'GET' : 'POST' },
        'B-01',
      )
    }
  },
)

t.test('B-28, B-40, B-43: what is asked for', async t => {
  await using server = await scepTestServer()
  await enrol(server.url, {
    challengePassword: 'pässword',
    commonName: 'sensor-7',
    names: ['dns:a.example'],
    settings: { digest: 'SHA-512', encryption: 'AES-256', keyTransport: 'OAEP-SHA-256' },
  })
  const [message] = server.messages
  t.match(message, {
    messageType: '19',
    digest: 'sha512',
    encryption: 'AES-256',
    keyTransport: 'OAEP-sha256',
    transactionID: /^[0-9a-f]{64}$/,
  })
  t.match(
    message?.csr,
    { challengePassword: 'pässword', challengeTag: 0x0c },
    'UTF8String only for other characters',
  )
  t.match([...(message?.csr?.extensions.keys() ?? [])].sort(), ['2.5.29.15', '2.5.29.17', '2.5.29.37'])
  t.ok(
    (message?.signer.validTo ? new Date(message.signer.validFrom).getTime() : Infinity) <
      Date.now() - 80_000_000,
    'the signer certificate began a day ago',
  )
  t.equal(message?.signer.verify(message.signer.publicKey), true, 'and is self-signed')
})

t.test(
  'S1-36: an EC key is certified with the help of a short-lived RSA key of the same subject',
  async t => {
    await using server = await scepTestServer()
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const outcome = await enrol(server.url, { key: privateKey })
    t.match(outcome, { status: 'issued', enrolment: { signerKey: /PRIVATE KEY/ } })
    t.ok(
      outcome.status === 'issued' && new X509Certificate(outcome.certificate).checkPrivateKey(privateKey),
      'the certificate is for the EC key',
    )
    t.equal(createPrivateKey(outcome.enrolment.signerKey ?? '').asymmetricKeyType, 'rsa')
    t.strictSame(server.violations, [])
  },
)

t.test('S2-87: a server that issues RSA only is told apart', async t => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  await using server = await scepTestServer({
    answers: [
      () => ({ pkiStatus: '2', failInfo: '2' }),
      () => ({ pkiStatus: '2', failInfo: '2', failInfoText: 'failed validating challenge password' }),
    ],
  })
  const error = await scepErrorOf(
    enrol(server.url, { key: privateKey, transportKey: fixtureKey('rsa-2048-b') }),
  )
  t.equal(`${error.kind}: ${error.problem.detail}`, 'misconfigured: the CA does not issue EC certificates')
  t.match(await scepErrorOf(enrol(server.url, { key: privateKey, transportKey: fixtureKey('rsa-2048-b') })), {
    kind: 'rejected',
    problem: { detail: 'password might be incorrect', serverText: 'failed validating challenge password' },
  })
})

t.test(
  'S2-12, B-60, B-61: PENDING is polled under the same transactionID and key, also by another process',
  async t => {
    await using server = await scepTestServer({
      shape: ndesShape(),
      answers: [() => ({ pkiStatus: '3' }), () => ({ pkiStatus: '3' }), () => ({})],
    })
    const first = await enrol(server.url)
    t.equal(first.status, 'pending')
    const onDisk = JSON.parse(JSON.stringify(first.enrolment)) as Enrolment
    const { transport, caps, trust, key, signal } = await prepared(server.url, { enrolment: onDisk })
    t.equal(
      (await pollCertificate(transport, caps, trust, onDisk, key, plainSettings, signal)).status,
      'pending',
    )
    t.equal(
      (await pollCertificate(transport, caps, trust, onDisk, key, plainSettings, signal)).status,
      'issued',
    )
    transport.close()
    t.strictSame(
      server.messages.map(each => each.messageType),
      ['19', '20', '20'],
    )
    t.equal(new Set(server.messages.map(each => each.transactionID)).size, 1)
    t.equal(
      new Set(server.messages.map(each => each.senderNonce.toString('hex'))).size,
      3,
      'with a new nonce each',
    )
    t.strictSame(server.violations, [])
  },
)

t.test(
  'S1-29 … S1-33, B-70 … B-73: renewal asks for the issued subject and names, signed by the current key, and the old key opens the reply',
  async t => {
    for (const [caps, method, type] of [
      ['Renewal\nAES\nSHA-256\nPOSTPKIOperation', 'RenewalReq', '17'],
      ['AES\nSHA-256\nPOSTPKIOperation', 'PKCSReq', '19'],
    ] as const) {
      // S1-31: a template that fills the subject in from the directory, in string types of its own.
      const given = sequence(
        set(sequence(oid('0.9.2342.19200300.100.1.25'), ia5('corp'))),
        set(sequence(oid('2.5.4.11'), tlv(0x1e, Buffer.from('\0S\0e\0n', 'latin1')))),
        set(sequence(oid('2.5.4.3'), utf8('pi'))),
      )
      await using server = await scepTestServer({
        shape: { ...plainShape(), caps },
        issue: () => ({ subject: given }),
      })
      const first = await enrol(server.url, {
        commonName: 'pi',
        names: ['dns:pi.example.org', 'upn:pi@corp'],
      })
      if (first.status !== 'issued') throw new Error('not issued')
      const { transport, caps: found, trust, key, signal } = await prepared(server.url)
      const newKey = fixtureKey('rsa-3072')
      t.equal(renewalMethod(found, 'automatic'), method)
      const enrolment = await prepareRenewal({
        key: newKey,
        currentCertificate: first.certificate,
        method,
        challengePassword: 'x',
        signature: 'SHA-256',
      })
      const outcome = await requestCertificate(transport, found, trust, enrolment, key, plainSettings, signal)
      transport.close()
      if (outcome.status !== 'issued') throw new Error('not issued')
      t.ok(new X509Certificate(outcome.certificate).checkPrivateKey(newKey), 'it is for the new key')
      t.equal(
        new X509Certificate(outcome.certificate).subjectAltName,
        new X509Certificate(first.certificate).subjectAltName,
      )
      const message = server.messages.at(-1)
      t.equal(message?.messageType, type)
      t.strictSame(message?.csr?.subject, given, 'byte for byte')
      t.equal(message?.signer.serialNumber, new X509Certificate(first.certificate).serialNumber)
      t.strictSame(alternativeNameTexts(message?.csr?.extensions.get('2.5.29.17') ?? Buffer.alloc(0)), [
        'dns:pi.example.org',
        'upn:pi@corp',
      ])
      t.strictSame(server.violations, [])
    }
  },
)

t.test('an EC certificate is renewed by a new enrolment of the same subject', async t => {
  await using server = await scepTestServer()
  const key = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
  const first = await enrol(server.url, { key, transportKey: fixtureKey('rsa-2048-b') })
  if (first.status !== 'issued') throw new Error('not issued')
  const enrolment = await prepareRenewal({
    key,
    currentCertificate: first.certificate,
    method: 'RenewalReq',
    signature: 'SHA-256',
    transportKey: fixtureKey('rsa-2048-b'),
  })
  t.match(enrolment, { messageType: 'PKCSReq', renewal: true, signerKey: String })
  t.equal((await enrol(server.url, { key, enrolment })).status, 'issued')
})
