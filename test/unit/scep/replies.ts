/** Replies in every algorithm and encoding: accepted, or refused by a typed error. */
import t from 'tap'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { openEnvelope } from '../../../agent/scep/enveloped-data.ts'
import { readSignedData, verifies } from '../../../agent/scep/signed-data.ts'
import { getCertificate, getCrl } from '../../../agent/scep/index.ts'
import { bag, fixtureKey, issuedBy, rootCa, type Holder } from '../../scep-server/authority.ts'
import { envelope, type CipherName, type DigestName } from '../../scep-server/cert-rep.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { ndesShape } from '../../scep-server/shapes.ts'
import { enrol, plainSettings, prepared, scepErrorOf } from './enrolling.ts'
import { openssl } from './openssl.ts'

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

t.test('B-62: GetCert and GetCRL', async t => {
  const shape = ndesShape()
  const known = issuedBy(shape.ca, 'known', fixtureKey('rsa-2048-d')).certificate
  const folder = t.testdir({
    'ca.pem': shape.ca.certificate.toString(),
    'ca.key': shape.ca.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    'index.txt': '',
    crlnumber: '01\n',
    'ca.cnf':
      '[ca]\ndefault_ca=c\n[c]\ndatabase=$ENV::FOLDER/index.txt\ncrlnumber=$ENV::FOLDER/crlnumber\ndefault_md=sha256\ndefault_crl_days=1\n',
  })
  process.env['FOLDER'] = folder
  const crl = openssl(
    ['crl', '-outform', 'DER'],
    openssl([
      'ca',
      '-config',
      `${folder}/ca.cnf`,
      '-gencrl',
      '-cert',
      `${folder}/ca.pem`,
      '-keyfile',
      `${folder}/ca.key`,
    ]),
  )
  await using server = await scepTestServer({
    shape,
    answers: [
      request => ({ content: envelope(bag([known]), { recipient: request.signer }) }),
      request => ({ content: envelope(bag([], [crl]), { recipient: request.signer }) }),
      () => ({ pkiStatus: '2', failInfo: '4' }),
      request => ({ content: envelope(bag([]), { recipient: request.signer }) }),
    ],
  })
  const { signal, ...peer } = await prepared(server.url)
  const asker: Holder = rootCa('asker', fixtureKey('rsa-2048-d'))
  t.equal(
    (await getCertificate(peer, known.serialNumber, asker, plainSettings, signal)).fingerprint256,
    known.fingerprint256,
  )
  t.ok((await getCrl(peer, known, asker, plainSettings, signal)).equals(crl))
  t.match(await scepErrorOf(getCertificate(peer, '01', asker, plainSettings, signal)), {
    problem: { failInfo: 'badCertId' },
  })
  t.equal((await scepErrorOf(getCrl(peer, known, asker, plainSettings, signal))).code, 'certificate-missing')
  t.equal(
    (await scepErrorOf(getCertificate(peer, 'no number', asker, plainSettings, signal))).code,
    'certificate-missing',
  )
  t.strictSame(
    server.messages.map(each => each.messageType),
    ['21', '22', '21', '22'],
  )
  t.strictSame(server.violations, [])
  peer.transport.close()
})

t.test(
  'what openssl envelopes is opened, by key transport and by password; what it signs verifies, PSS too',
  async t => {
    const folder = t.testdir({
      'reader.pem': reader.certificate.toString(),
      'reader.key': reader.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
      content: 'hello, sensor',
    })
    const encrypt = (...args: string[]): Buffer =>
      openssl(['cms', '-encrypt', '-binary', '-in', `${folder}/content`, '-outform', 'DER', ...args])
    const cases = [
      ['-aes128'],
      ['-des3', '-stream'],
      ['-aes256', '-stream', '-keyopt', 'rsa_padding_mode:oaep', '-keyopt', 'rsa_oaep_md:sha512'],
      ['-aes192', '-keyid'],
    ]
    for (const [cipher = '', ...options] of cases) {
      const made = encrypt(
        cipher,
        ...options.filter(each => each === '-stream' || each === '-keyid'),
        '-recip',
        `${folder}/reader.pem`,
        ...options.filter(each => each !== '-stream' && each !== '-keyid'),
      )
      t.equal(
        openEnvelope(made, {
          ...reader,
          key: createPrivateKey(reader.key.export({ type: 'pkcs8', format: 'pem' })),
        }).content.toString(),
        'hello, sensor',
        [cipher, ...options].join(' '),
      )
    }
    const byPassword = encrypt('-aes128', '-pwri_password', 'secret')
    t.match(
      openEnvelope(byPassword, { ...reader, password: 'secret' }),
      { keyTransport: 'password', content: Buffer.from('hello, sensor') },
      'B-16: PasswordRecipientInfo',
    )
    for (const password of ['wrong', undefined])
      t.throws(() => openEnvelope(byPassword, { ...reader, password }), {
        code: password === undefined ? 'reply-algorithm' : 'reply-unreadable',
      })
    for (const options of [
      ['-md', 'sha512'],
      ['-md', 'sha256', '-keyopt', 'rsa_padding_mode:pss'],
      ['-md', 'sha1', '-noattr', '-stream'],
    ]) {
      const signed = readSignedData(
        openssl([
          'cms',
          '-sign',
          '-binary',
          '-nodetach',
          '-in',
          `${folder}/content`,
          '-signer',
          `${folder}/reader.pem`,
          '-inkey',
          `${folder}/reader.key`,
          '-outform',
          'DER',
          ...options,
        ]),
      )
      const [signer] = signed.signers
      t.ok(signer && verifies(signer, signed.content, reader.certificate.publicKey), options.join(' '))
      t.notOk(
        signer && verifies(signer, Buffer.from('hello, Sensor'), reader.certificate.publicKey),
        'and not over something else',
      )
    }
  },
)
