/** What openssl makes, and what is asked of a server beside certificates of our own. */
import t from 'tap'
import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { openEnvelope } from '../../../agent/scep/enveloped-data.ts'
import { readSignedData, verifies } from '../../../agent/scep/signed-data.ts'
import { getCertificate, getCrl, ScepError } from '../../../agent/scep/index.ts'
import { bag, fixtureKey, issuedBy, rootCa, type Holder } from '../../scep-server/authority.ts'
import { envelope } from '../../scep-server/cert-rep.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { ndesShape } from '../../scep-server/shapes.ts'
import { plainSettings, prepared, scepErrorOf } from './enrolling.ts'
import { opensslEach } from './openssl.ts'

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
      '[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=1\n',
  })
  opensslEach(folder, [
    'ca -config ca.cnf -gencrl -cert ca.pem -keyfile ca.key -out crl.pem',
    'crl -in crl.pem -outform DER -out crl.der',
  ])
  const crl = readFileSync(`${folder}/crl.der`)
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
    // What stands before the recipient, and what is said of the key that it gets.
    const envelopes = [
      ['-aes128'],
      ['-des3 -stream'],
      ['-aes256 -stream', '-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha512'],
      ['-aes192 -keyid'],
    ] as const
    const signatures = ['-md sha512', '-md sha256 -keyopt rsa_padding_mode:pss', '-md sha1 -noattr -stream']
    const encrypt = 'cms -encrypt -binary -in content -outform DER'
    const sign = 'cms -sign -binary -nodetach -in content -signer reader.pem -inkey reader.key -outform DER'
    opensslEach(folder, [
      ...envelopes.map(
        ([cipher, ofKey = ''], place) =>
          `${encrypt} -out ${place}.envelope ${cipher} -recip reader.pem ${ofKey}`,
      ),
      `${encrypt} -out password.envelope -aes128 -pwri_password secret`,
      ...signatures.map((options, place) => `${sign} -out ${place}.signed ${options}`),
    ])
    const made = (name: string): Buffer => readFileSync(`${folder}/${name}`)
    for (const [place, options] of envelopes.entries())
      t.equal(
        openEnvelope(made(`${place}.envelope`), {
          ...reader,
          key: createPrivateKey(reader.key.export({ type: 'pkcs8', format: 'pem' })),
        }).content.toString(),
        'hello, sensor',
        options.join(' '),
      )
    const byPassword = made('password.envelope')
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
    for (const [place, options] of signatures.entries()) {
      const signed = readSignedData(made(`${place}.signed`))
      const [signer] = signed.signers
      t.ok(signer && verifies(signer, signed.content, reader.certificate.publicKey), options)
      t.notOk(
        signer && verifies(signer, Buffer.from('hello, Sensor'), reader.certificate.publicKey),
        'and not over something else',
      )
    }
  },
)
