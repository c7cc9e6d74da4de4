/** The SCEP client beside Debian's: against its server, and the tests' own server against its client. */
import t from 'tap'
import { readFileSync, writeFileSync } from 'node:fs'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import {
  establishTrust,
  getCaCaps,
  getCaCertificates,
  openTransport,
  pollCertificate,
  pollingUnsupported,
  prepareRenewal,
  ScepError,
} from '../../agent/scep/index.ts'
import { runScepCommand } from '../../agent/scep-cli/command.ts'
import { fixtureKey } from '../scep-server/authority.ts'
import { scepTestServer } from '../scep-server/server.ts'
import { enrol, plainSettings, prepared, scepErrorOf } from '../unit/scep/enrolling.ts'
import { openssl } from '../unit/scep/openssl.ts'
import { debianServer, scepClient } from './scep/debian.ts'
import { longestTurn } from './scep/standstill.ts'
import './scep/person.ts'

const challenge = 'lab secret'

t.test(
  "S1-34: Debian's scepserver issues without TLS for every RSA key of the menu, in every algorithm it reads",
  async t => {
    const folder = t.testdir()
    await using server = await debianServer({ folder, challenge })
    t.match(server.url, /^http:/)
    const settings = [
      plainSettings,
      { ...plainSettings, encryption: '3DES', digest: 'SHA-1' },
      { ...plainSettings, encryption: 'AES-256', signature: 'SHA-512' },
      { ...plainSettings, encryption: 'automatic' },
    ] as const
    for (const key of ['rsa-1024', 'rsa-2048-a', 'rsa-3072', 'rsa-4096'] as const)
      for (const [at, setting] of settings.entries()) {
        const commonName = `${key}-${at}`
        const outcome = await enrol(server.url, {
          key: fixtureKey(key),
          commonName,
          challengePassword: challenge,
          names: ['dns:pi.example.org'],
          settings: setting,
        })
        if (outcome.status !== 'issued') throw new Error('it is pending')
        writeFileSync(`${folder}/mine.pem`, outcome.certificate)
        t.match(openssl(['verify', '-CAfile', server.ca, `${folder}/mine.pem`]).toString(), 'OK', commonName)
        t.equal(new X509Certificate(outcome.certificate).checkPrivateKey(fixtureKey(key)), true)
        t.strictSame(outcome.replyAlgorithms, { encryption: 'DES', keyTransport: 'PKCS1', digest: 'SHA-1' })
        t.strictSame(
          outcome.warnings
            .filter(each => each.text.startsWith('The SCEP server'))
            .map(each => each.code)
            .slice(-2),
          ['weak-digest', 'weak-encryption'],
          'B-30: accepted as a reported weakness',
        )
      }
  },
)

t.test(
  'what it refuses is told: the password, the name that has a certificate, an EC key, polling',
  async t => {
    await using server = await debianServer({ folder: t.testdir(), challenge, allowRenew: 14 })
    t.match(await scepErrorOf(enrol(server.url, { challengePassword: 'wrong' })), {
      kind: 'rejected',
      problem: { failInfo: 'badRequest', detail: 'password might be incorrect' },
    })
    t.match(await scepErrorOf(enrol(server.url)), { kind: 'rejected' }, 'no password at all')
    const first = await enrol(server.url, { commonName: 'twice', challengePassword: challenge })
    t.equal(first.status, 'issued')
    t.match(await scepErrorOf(enrol(server.url, { commonName: 'twice', challengePassword: challenge })), {
      kind: 'rejected',
      problem: { hint: /already has a certificate/ },
    })
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const error = await scepErrorOf(
      enrol(server.url, {
        key: privateKey,
        transportKey: fixtureKey('rsa-2048-b'),
        challengePassword: challenge,
      }),
    )
    t.equal(`${error.kind}: ${error.problem.detail}`, 'misconfigured: the CA does not issue EC certificates')
    const { transport, caps, trust, enrolment, key, signal } = await prepared(server.url)
    const polled = await scepErrorOf(
      pollCertificate(transport, caps, trust, enrolment, key, plainSettings, signal),
    )
    transport.close()
    t.match(polled, { code: 'http-status', problem: { httpStatus: 500 } })
    t.ok(pollingUnsupported(polled), 'so the same request is sent again')
  },
)

t.test('a certificate is renewed by RenewalReq with a new key', async t => {
  await using server = await debianServer({ folder: t.testdir(), challenge })
  const first = await enrol(server.url, {
    commonName: 'renewed',
    names: ['dns:pi.example.org'],
    challengePassword: challenge,
  })
  if (first.status !== 'issued') throw new Error('it is pending')
  for (const method of ['RenewalReq', 'PKCSReq', 're-enrol'] as const) {
    const key = fixtureKey('rsa-2048-b')
    const enrolment = await prepareRenewal({
      key,
      currentCertificate: first.certificate,
      method,
      challengePassword: challenge,
      signature: 'SHA-256',
    })
    const outcome = await enrol(server.url, { enrolment, ...(method === 're-enrol' ? { key } : {}) })
    if (outcome.status !== 'issued') throw new Error('it is pending')
    const [before, after] = [first, outcome].map(each => new X509Certificate(each.certificate))
    t.match(after, { subject: before?.subject, subjectAltName: before?.subjectAltName }, method)
    t.ok(after?.checkPrivateKey(key))
  }
})

t.test(
  "Debian's scepclient enrols with the tests' own server, so that it is no mirror of our client",
  async t => {
    await using server = await scepTestServer({ challenge })
    const folder = t.testdir()
    writeFileSync(`${folder}/key.pem`, fixtureKey('rsa-2048-d').export({ type: 'pkcs1', format: 'pem' }))
    const { code, said, certificate } = await scepClient({
      url: server.url,
      challenge,
      commonName: 'foreign',
      key: `${folder}/key.pem`,
      folder,
    })
    t.equal(code, 0, said)
    t.ok(new X509Certificate(readFileSync(certificate)).checkPrivateKey(fixtureKey('rsa-2048-d')))
    t.strictSame(
      new Set(server.violations),
      new Set([
        'Content-Type is application/octet-stream',
        'the envelope is encrypted with single DES',
        "the signer's subject is not that of the CSR",
      ]),
      'and what the server objects to are its known ways',
    )
  },
)

t.test('an RSA-4096 enrolment never blocks the event loop for more than 20 ms', async t => {
  await using server = await debianServer({ folder: t.testdir(), challenge })
  const key = fixtureKey('rsa-4096')
  await enrol(server.url, { key, commonName: 'warm', challengePassword: challenge })
  for (let i = 0; i < 5; i += 1) {
    const longest = await longestTurn(() =>
      enrol(server.url, { key, commonName: `block-${i}`, challengePassword: challenge }),
    )
    t.ok(longest < 20, `${longest.toFixed(1)} ms`)
  }
})

t.test('`sonde scep` against it', async t => {
  const folder = t.testdir({ server: {}, out: {} })
  await using server = await debianServer({ folder: `${folder}/server`, challenge })
  let said = ''
  const io = {
    out: (text: string) => void (said += text),
    err: (text: string) => void (said += text),
    input: () => Promise.resolve(Buffer.alloc(0)),
    env: { SONDE_SCEP_PASSWORD: challenge },
    signal: AbortSignal.timeout(20_000),
  }
  t.equal(await runScepCommand(['preflight', server.url, '--ca', server.ca], io), 0, said)
  t.equal(
    await runScepCommand(
      ['enroll', server.url, '--ca', server.ca, '--cn', 'by hand', '--out', `${folder}/out`],
      io,
    ),
    0,
    said,
  )
  t.equal(
    await runScepCommand(
      ['renew', server.url, '--ca', server.ca, '--from', `${folder}/out`, '--key', 'ec-p256'],
      io,
    ),
    4,
    'it issues no EC certificates',
  )
  t.equal(
    await runScepCommand(['renew', server.url, '--ca', server.ca, '--from', `${folder}/out`], io),
    0,
    said,
  )
  t.match(openssl(['verify', '-CAfile', server.ca, `${folder}/out/certificate.pem`]).toString(), 'OK')
})

t.test('GetNextCACert is not offered, and asking gives a typed error', async t => {
  await using server = await debianServer({ folder: t.testdir() })
  using transport = openTransport({ url: server.url, caIdentifier: '' })
  const signal = AbortSignal.timeout(10_000)
  const caps = await getCaCaps(transport, signal)
  t.notOk(caps.keywords.includes('GetNextCACert'))
  const trust = establishTrust(
    await getCaCertificates(transport, signal),
    { roots: [readFileSync(server.ca, 'utf8')], fingerprint: null },
    new Date(),
  )
  t.equal(trust.basis, 'uploaded')
  t.ok((await scepErrorOf(transport.get('GetNextCACert', signal))) instanceof ScepError)
})
