/** `sonde scep`: the tool of its own. */
import t from 'tap'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { X509Certificate } from 'node:crypto'
import { scepTestServer } from '../../scep-server/server.ts'
import { fixturePath } from '../../scep-server/authority.ts'
import { ndesShape, plainShape } from '../../scep-server/shapes.ts'
import { sonde } from './by-hand.ts'

const key = fixturePath('rsa-2048-d')
const newKey = fixturePath('rsa-3072')

t.test('enroll, poll, renew and inspect, as a person does it', async t => {
  await using server = await scepTestServer({
    shape: ndesShape(),
    challenge: 'open sesame',
    answers: [() => ({ pkiStatus: '3' })],
  })
  const folder = t.testdir()
  const asked = await sonde(
    'enroll',
    server.url,
    '--cn',
    'pi',
    '--name',
    'dns:pi.example.org',
    '--key',
    key,
    '--out',
    folder,
  )
  t.match(asked, { code: 5, out: /has not decided.*poll --from/, err: /✓ PKCSReq .* ms/ })
  t.equal(
    statSync(`${folder}/request.json`).mode & 0o777,
    0o600,
    'the open request is readable by its owner only',
  )
  t.notOk(existsSync(`${folder}/certificate.pem`))
  const polled = await sonde('poll', '--from', folder)
  t.match(polled, { code: 0, out: /subject: CN=pi\n(.*\n)*.*names: dns:pi.example.org/ })
  const first = new X509Certificate(readFileSync(`${folder}/certificate.pem`))
  t.match(await sonde('renew', server.url, '--from', folder, '--key', newKey, '--json'), {
    code: 0,
    out: /"outcome":"issued"/,
    err: '',
  })
  const second = new X509Certificate(readFileSync(`${folder}/certificate.pem`))
  t.not(second.serialNumber, first.serialNumber)
  t.notOk(existsSync(`${folder}/request.json`))
  for (const file of ['certificate.pem', 'chain.pem'])
    t.match(await sonde('inspect', `${folder}/${file}`), { code: 0, out: /subject: / })
  t.match(
    await sonde('inspect', `${folder}/key.pem`),
    { code: 0, out: /^kind: key\nlabel: PRIVATE KEY\n$/ },
    'a key is named, not shown',
  )
})

t.test('--verbose shows both messages decoded, and no password', async t => {
  await using server = await scepTestServer({ challenge: 'open sesame' })
  const { code, out, err } = await sonde(
    'enroll',
    server.url,
    '--cn',
    'pi',
    '--key',
    key,
    '--out',
    t.testdir(),
    '--verbose',
  )
  t.equal(code, 0)
  for (const part of [
    'messageType: PKCSReq (19)',
    'messageType: CertRep (3)',
    'pkiStatus: SUCCESS (0)',
    'challengePassword: present',
    'encryption: AES-128',
    'keyTransport: PKCS1',
    'verified: true',
    'SHA-256',
  ])
    t.ok(err.includes(part), part)
  t.notOk((out + err).includes('open sesame'))
})

t.test('exit codes: 2 rejected, 3 unreachable, 4 misconfigured', async t => {
  await using server = await scepTestServer({ challenge: 'another' })
  const enroll = (...more: string[]) =>
    sonde('enroll', server.url, '--cn', 'pi', '--key', key, '--out', t.testdir(), ...more)
  t.match(await enroll(), {
    code: 2,
    err: /SCEP server refused the request: password might be incorrect\n +the server answered FAILURE, badRequest/,
  })
  t.match(await enroll('--json'), { code: 2, out: /^{"outcome":"failed",.*"failInfo":"badRequest"/, err: '' })
  t.match(await enroll('--fingerprint', 'ab'.repeat(32)), { code: 4, err: /fingerprint does not match/ })
  t.match(await sonde('caps', 'http://127.0.0.1:9/'), { code: 3, err: /cannot be reached/ })
  const usage: string[][] = [
    [],
    ['sing'],
    ['caps'],
    ['caps', 'nonsense'],
    ['enroll', server.url],
    ['caps', server.url, '--frobnicate'],
    ['enroll', server.url, '--cn', 'x', '--key', '/nowhere'],
    ['enroll', server.url, '--cn', 'x', '--encryption', 'DES'],
    ['inspect', '/nowhere'],
    ['inspect', '/etc/hostname'],
    ['poll', '--from', '/nowhere'],
    ['ca', server.url, '--ca', '/etc/hostname'],
  ]
  for (const words of usage)
    t.match(await sonde(...words), { code: 4, err: /./ }, words.join(' ') || '(nothing)')
  t.match(await sonde('--help'), { code: 0, out: /Usage: sonde scep/ })
})

t.test('what cannot be written or is no request is told in a sentence', async t => {
  await using server = await scepTestServer({ shape: plainShape() })
  t.match(await sonde('enroll', server.url, '--cn', 'pi', '--key', key, '--out', '/dev/null/x'), {
    code: 4,
    err: /\/dev\/null\/x\/key.new.pem cannot be written: ENOTDIR/,
  })
  for (const content of ['{}', 'null', '{"server":', '{"signerKey":7}']) {
    const folder = t.testdir({ 'request.json': content })
    t.match(await sonde('poll', '--from', folder), { code: 4, err: /request.json is no request/ }, content)
  }
})

t.test('B-15: a poll believes only the CA that the request was sent to', async t => {
  const folder = t.testdir()
  await using server = await scepTestServer({ shape: plainShape(), answers: [() => ({ pkiStatus: '3' })] })
  t.match(await sonde('enroll', server.url, '--cn', 'pi', '--key', key, '--out', folder), { code: 5 })
  const file = `${folder}/request.json`
  const request = JSON.parse(readFileSync(file, 'utf8')) as { server: { url: string } }
  await using other = await scepTestServer({ shape: ndesShape() })
  writeFileSync(file, JSON.stringify({ ...request, server: { ...request.server, url: other.url } }))
  t.match(await sonde('poll', '--from', folder), { code: 4, err: /another CA than before/ })
})

t.test('caps and ca say what the server is', async t => {
  await using server = await scepTestServer({ shape: ndesShape() })
  t.match(await sonde('caps', server.url), { code: 0, out: /^POSTPKIOperation\nRenewal\n/ })
  t.match(JSON.parse((await sonde('caps', server.url, '--json')).out), {
    answered: true,
    keywords: ['POSTPKIOperation'],
  })
  t.match(await sonde('ca', server.url), {
    code: 0,
    out: /kind: root CA certificate\n +subject: CN=Corp CA/,
    err: /trusted by first-use, requests are encrypted to CN=NDES-MSCEP-RA/,
  })
})

t.test('preflight checks everything up to the password', async t => {
  const shape = plainShape()
  await using server = await scepTestServer({ shape })
  const good = await sonde('preflight', server.url, '--fingerprint', shape.ca.certificate.fingerprint256)
  t.equal(good.code, 0)
  for (const check of ['tcp', 'caps', 'ca', 'clock', 'chain', 'fingerprint', 'algorithms', 'key'])
    t.match(good.out, new RegExp(`✓ ${check} `), check)
  t.strictSame(server.messages, [], 'no message was sent')
  const doubtful = await sonde('preflight', server.url, '--key', 'rsa-1024', '--digest', 'SHA-384')
  t.match(doubtful, {
    code: 0,
    out: /! chain .*\n! fingerprint .*\n.*Compare.*\n! algorithms .*SHA-384\n! key /,
  })
  const wrong = await sonde('preflight', server.url, '--fingerprint', 'cd'.repeat(20), '--json')
  t.match([wrong.code, JSON.parse(wrong.out)], [4, { outcome: 'fail' }])
  t.match(await sonde('preflight', 'http://127.0.0.1:9/scep'), { code: 3, out: /✗ tcp/ })
})
