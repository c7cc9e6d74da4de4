/** What openssl makes, and what is asked of a server beside certificates of our own. */
import t from 'tap'
import { createPrivateKey } from 'node:crypto'
import { openEnvelope } from '../../../agent/scep/enveloped-data.ts'
import { readSignedData, verifies } from '../../../agent/scep/signed-data.ts'
import { getCertificate, getCrl, ScepError } from '../../../agent/scep/index.ts'
import { bag, fixtureKey, issuedBy, rootCa, type Holder } from '../../scep-server/authority.ts'
import { envelope } from '../../scep-server/cert-rep.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { ndesShape } from '../../scep-server/shapes.ts'
import { plainSettings, prepared, scepErrorOf } from './enrolling.ts'
import { openssl } from './openssl.ts'

const reader = rootCa('Reader', fixtureKey('rsa-2048-a'), { keyIdentifier: Buffer.from('reader') })

/** A random key leaves a valid CBC padding once in 256 times: then there is content, but not the right one. */
function contentOrCode(open: () => { content: Buffer }): string {
  try {
    return open().content.toString()
  } catch (error) {
    if (error instanceof ScepError && error.code === 'reply-unreadable') return error.code
    throw error
  }
}

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
    t.throws(() => openEnvelope(byPassword, reader), { code: 'reply-algorithm' }, 'and there is none')
    t.not(
      contentOrCode(() => openEnvelope(byPassword, { ...reader, password: 'wrong' })),
      'hello, sensor',
    )
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
