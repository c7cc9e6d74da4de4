/** `sonde scep`: what a person may type, and what is printed. */
import t from 'tap'
import { existsSync, readFileSync } from 'node:fs'
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { oid, sequence, set, tlv, utf8 } from '../../scep-server/asn1.ts'
import { crl, fixtureKey, fixturePath, issuedBy, rootCa } from '../../scep-server/authority.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { plainShape } from '../../scep-server/shapes.ts'
import { sonde, typed } from './by-hand.ts'

const key = fixturePath('rsa-2048-d')
const pemOf = (kind: 'ed25519' | 'ec'): string => {
  const { privateKey } =
    kind === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

t.test('with --json what cannot be carried out is one document too', async t => {
  for (const words of [
    ['sing', '--json'],
    ['caps', '--json'],
    ['enroll', 'http://127.0.0.1:9/', '--json'],
    ['caps', 'http://127.0.0.1:9/', '--frobnicate', '--json'],
    ['inspect', '/nowhere', '--json'],
  ]) {
    const { code, out, err } = await sonde(...words)
    t.match(
      [code, JSON.parse(out), err],
      [4, { outcome: 'failed', code: 'usage', detail: /./ }, ''],
      words.join(' '),
    )
  }
  t.match(await sonde('-h'), { code: 0, out: /Usage/ })
  t.match(await sonde('enroll', '-h'), { code: 0, out: /Usage/ })
})

t.test('what no server could be asked with is told before one is asked', async t => {
  const folder = t.testdir({ empty: '\n', 'ed25519.pem': pemOf('ed25519') })
  await using server = await scepTestServer()
  const cases: [string[], RegExp][] = [
    [
      ['caps', '--source-address', 'nonsense'],
      /--source-address is an IP address of this machine, not "nonsense"/,
    ],
    [['preflight', '--source-address', 'nonsense'], /--source-address is an IP address/],
    [['caps', '--timeout', '5000000'], /--timeout is a whole number from 1 to 86400/],
    [['enroll', '--cn', 'pi', '--password-file', `${folder}/empty`], /there is no password in/],
    [
      ['enroll', '--cn', 'pi', '--key', `${folder}/ed25519.pem`],
      /key cannot be used for SCEP: it is ed25519/,
    ],
    [['preflight', '--key', `${folder}/ed25519.pem`], /key cannot be used for SCEP: it is ed25519/],
  ]
  for (const [words, said] of cases)
    t.match(await sonde(...words, server.url), { code: 4, out: '', err: said }, words.slice(0, 2).join(' '))
  t.strictSame(server.requests, [])
})

t.test('preflight judges a key from a file as it judges one that will be made', async t => {
  const folder = t.testdir({ 'ec.pem': pemOf('ec') })
  await using server = await scepTestServer()
  for (const [file, said] of [
    [`${folder}/ec.pem`, /! key +ec-prime256v1: not every CA/],
    [fixturePath('rsa-1024'), /! key +rsa-1024 is refused by most CAs/],
    [key, /✓ key +rsa-2048\n/],
  ] as const)
    t.match(await sonde('preflight', server.url, '--key', file), { code: 0, out: said }, file)
  await using forbidding = await scepTestServer({ get: { GetCACert: r => r.writeHead(403).end() } })
  t.match(
    await sonde('preflight', forbidding.url),
    { code: 2, out: /✗ ca .*HTTP 403/ },
    'as enroll would end',
  )
})

t.test('the challenge password comes from standard input too, and an empty one is none', async t => {
  await using server = await scepTestServer()
  const enroll = (...more: string[]) => [
    'enroll',
    server.url,
    '--cn',
    'pi',
    '--key',
    key,
    '--out',
    t.testdir(),
    ...more,
  ]
  t.equal((await typed('from a pipe\n', enroll('--password-file', '-'))).code, 0)
  t.equal((await typed('', enroll(), '')).code, 0)
  t.strictSame(
    server.messages.map(each => each.csr?.challengePassword),
    ['from a pipe', undefined],
  )
  t.match(await typed('\n', enroll('--password-file', '-')), { code: 4, err: /no password in -/ })
})

t.test('a key and certificate that are there are not written over unasked', async t => {
  await using server = await scepTestServer()
  const theirs = { 'key.pem': readFileSync(fixturePath('rsa-1024'), 'utf8') }
  const folder = t.testdir(theirs)
  const enroll = (...more: string[]) => sonde('enroll', server.url, '--cn', 'pi', '--out', folder, ...more)
  t.match(await enroll('--key', key), { code: 4, err: /key.pem is there already.*\n.*renew.*\n.*--afresh/ })
  t.equal(readFileSync(`${folder}/key.pem`, 'utf8'), theirs['key.pem'])
  t.strictSame(server.messages, [])
  t.equal((await enroll('--key', `${folder}/key.pem`)).code, 0, 'the key that is given may stand there')
  t.equal((await enroll('--key', key)).code, 4)
  t.equal((await enroll('--key', key, '--afresh')).code, 0)
})

t.test('B-75: only a valid certificate with its own key is renewed', async t => {
  const day = 86_400_000
  await using server = await scepTestServer()
  const { ca } = server.shape
  const pem = (own: 'rsa-2048-d' | 'rsa-2048-b', dates = {}): string =>
    issuedBy(ca, 'pi', fixtureKey(own), dates).certificate.toString()
  const old = { notBefore: new Date(Date.now() - 9 * day), notAfter: new Date(Date.now() - day) }
  const renew = (certificate: string, ...more: string[]) => {
    const folder = t.testdir({ 'key.pem': readFileSync(key, 'utf8'), 'certificate.pem': certificate })
    return sonde('renew', server.url, '--from', folder, '--key', fixturePath('rsa-2048-c'), ...more)
  }
  t.match(await renew(pem('rsa-2048-b')), { code: 4, err: /key.pem is not the key of .*certificate.pem/ })
  t.match(await renew('nonsense'), { code: 4, err: /certificate.pem holds no certificate in PEM/ })
  t.match(await renew(pem('rsa-2048-d', old)), {
    code: 4,
    err: /expired on .*only one that is valid.*\n.*re-enrol/,
  })
  t.strictSame(server.requests, [], 'and no server was asked')
  t.equal((await renew(pem('rsa-2048-d', old), '--method', 're-enrol')).code, 0)
  t.equal(existsSync(`${t.testdirName}/request.json`), false)
})

t.test('what a certificate says cannot write on the screen', async t => {
  const name = sequence(set(sequence(oid('2.5.4.3'), utf8('evil\x1b[2J\n✓ trusted'))))
  const names = sequence(tlv(0x82, Buffer.from('a\r\x1b[31m')))
  const ca = rootCa('x', fixtureKey('rsa-2048-a'), { subject: name, names })
  await using server = await scepTestServer({
    shape: { ...plainShape(), caReply: { type: '', body: ca.certificate.raw } },
  })
  for (const command of ['ca', 'preflight']) {
    const { out, err } = await sonde(command, server.url, '--verbose')
    t.match(out, /CN=evil\\1b\[2J\\0a✓ trusted/)
    t.notMatch(out + err, /[\x1b\r]|^✓ trusted\b(?! by)/m, command)
  }
})

t.test('inspect tells a CRL from a certificate of version 1 and from nothing', async t => {
  const root = rootCa('Root', fixtureKey('rsa-2048-a'))
  const { certificate } = issuedBy(root, 'gone', fixtureKey('rsa-2048-b'))
  const folder = t.testdir({
    crl: crl({ issuer: root, revoked: [certificate] }),
    nothing: sequence(sequence(), sequence()),
    pem: '-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n',
  })
  t.match(await sonde('inspect', `${folder}/crl`), {
    code: 0,
    out: /^kind: CRL\nissuer: CN=Root\n.*\n.*\nrevoked: 1\n$/,
  })
  for (const file of ['nothing', 'pem'])
    t.match(await sonde('inspect', `${folder}/${file}`), { code: 4, err: /cannot be decoded/ }, file)
})

t.test('B-08: --ca is for an https server too', async t => {
  const own = fixtureKey('rsa-2048-b')
  const names = sequence(tlv(0x87, Buffer.from([127, 0, 0, 1])))
  const { certificate } = rootCa('https', own, { names })
  const folder = t.testdir({ 'ca.pem': certificate.toString() })
  const server = createServer(
    { key: own.export({ type: 'pkcs8', format: 'pem' }), cert: certificate.toString() },
    (_, response) => response.end('AES\n'),
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/scep`
  t.match(await sonde('caps', url), { code: 4, err: /Give the CA of the https server/ })
  t.match(await sonde('caps', url, '--ca', `${folder}/ca.pem`), { code: 0, out: 'AES\n' })
  server.closeAllConnections()
  server.close()
})
