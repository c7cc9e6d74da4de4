/** `sonde scep`: what is kept in the folder, and what is told before a server is asked. */
import t from 'tap'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { X509Certificate } from 'node:crypto'
import { fixturePath } from '../../scep-server/authority.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { ejbcaShape, ndesShape, plainShape } from '../../scep-server/shapes.ts'
import { sonde } from './by-hand.ts'

const key = fixturePath('rsa-2048-d')
const newKey = fixturePath('rsa-3072')
const sha256 = (certificate: X509Certificate): string =>
  certificate.fingerprint256.replaceAll(':', '').toLowerCase()

t.test('an open request is not written over silently; a refusal leaves none open', async t => {
  const folder = t.testdir()
  await using server = await scepTestServer({
    challenge: 'open sesame',
    answers: [() => ({ pkiStatus: '3' }), () => ({ pkiStatus: '2', failInfo: '2' })],
  })
  const enroll = (...more: string[]) =>
    sonde('enroll', server.url, '--cn', 'pi', '--key', key, '--out', folder, ...more)
  t.equal((await enroll()).code, 5)
  const open = readFileSync(`${folder}/request.json`, 'utf8')
  t.match(await enroll(), { code: 4, err: /outcome is not known.*\n.*poll --from .*\n.*--afresh/ })
  t.equal(readFileSync(`${folder}/request.json`, 'utf8'), open, 'it is as it was')
  t.equal(server.messages.length, 1, 'and nothing was sent')
  t.equal((await enroll('--afresh')).code, 2)
  for (const file of ['request.json', 'key.new.pem']) t.notOk(existsSync(`${folder}/${file}`), `no ${file}`)
  t.equal((await enroll()).code, 0, 'so that the next one needs no word')
})

t.test('B-60: what stands before the server may forbid a poll, and the request stays open', async t => {
  const folder = t.testdir()
  await using server = await scepTestServer({
    answers: [() => ({ pkiStatus: '3' }), () => ({ http: r => r.writeHead(403).end('blocked') })],
  })
  t.equal((await sonde('enroll', server.url, '--cn', 'pi', '--key', key, '--out', folder)).code, 5)
  t.match(await sonde('poll', '--from', folder), { code: 2, err: /HTTP 403/ })
  t.equal((await sonde('poll', '--from', folder)).code, 0, 'the CA had not decided')
})

t.test('B-15: a renewal believes only the CA that was trusted on first use', async t => {
  const folder = t.testdir()
  await using server = await scepTestServer({ shape: plainShape() })
  t.match(await sonde('enroll', server.url, '--cn', 'pi', '--key', key, '--out', folder), { code: 0 })
  const { shape } = server
  t.equal(readFileSync(`${folder}/ca-pin`, 'utf8'), `${sha256(shape.ca.certificate)}\n`)
  await using other = await scepTestServer({ shape: ndesShape() })
  const renew = (url: string, ...more: string[]) =>
    sonde('renew', url, '--from', folder, '--key', newKey, ...more)
  t.match(await renew(other.url), { code: 4, err: /another CA than before/ })
  t.strictSame(other.messages, [], 'nothing was sent to it')
  const { code, err } = await renew(server.url)
  t.equal(code, 0)
  t.notMatch(err, /answered first/, 'the one it knows is no matter of luck any more')
  const upper = sha256(shape.ca.certificate).toUpperCase()
  t.equal((await renew(server.url, '--pinned', upper)).code, 0, 'in any case')
})

t.test(
  'B-15: a renewal believes no other CA than the one that the person named for the first certificate',
  async t => {
    const folder = t.testdir()
    const { shape, root } = ejbcaShape()
    await using server = await scepTestServer({ shape })
    writeFileSync(`${folder}/root.pem`, root.certificate.toString())
    const enrolled = await sonde(
      ...['enroll', server.url, '--cn', 'pi', '--key', key, '--out', folder, '--ca', `${folder}/root.pem`],
    )
    t.equal(enrolled.code, 0)
    const renew = (url: string, ...more: string[]) =>
      sonde('renew', url, '--from', folder, '--key', newKey, ...more)
    await using other = await scepTestServer({ shape: ndesShape() })
    t.match(await renew(other.url), { code: 4, err: /CA is not trusted/ })
    t.strictSame(other.messages, [], 'nothing was sent to it')
    const { code, err } = await renew(server.url)
    t.equal(code, 0)
    t.notMatch(err, /answered first|no root/)
    t.equal((await renew(other.url, '--pinned', sha256(other.shape.ca.certificate))).code, 0)
    t.equal(readFileSync(`${folder}/ca-pin`, 'utf8'), `${sha256(other.shape.ca.certificate)}\n`)
    t.equal((await renew(server.url, '--ca', `${folder}/root.pem`)).code, 0)
    t.notOk(existsSync(`${folder}/ca-pin`), 'what was named last is what counts')
  },
)

t.test('a slip in --fingerprint, --pinned or --key is told before a server is asked', async t => {
  const cases: [string, string, RegExp][] = [
    ['--fingerprint', 'zz', /--fingerprint: it has 2 characters.*Give 64 hexadecimal digits/],
    ['--pinned', 'ab'.repeat(20), /--pinned is a SHA-256, 64 hexadecimal digits, not SHA-1/],
    ['--key', 'rsa-2000', /--key is one of rsa-1024, .*, or a PEM file: rsa-2000 cannot be read/],
    ['--key', 'constructor', /--key is one of rsa-1024/],
    ['--key', fixturePath('rsa-2048-d').replace(/[^/]*$/, ''), /--key is one of/],
  ]
  for (const [option, value, said] of cases)
    for (const command of [['enroll', '--cn', 'pi', '--out', t.testdir()], ['preflight']])
      t.match(
        await sonde(...command, 'http://127.0.0.1:9/', option, value),
        { code: 4, out: '', err: said },
        `${command[0] ?? ''} ${option} ${value}`,
      )
})

t.test('ca --json prints one document, trusted or not', async t => {
  await using server = await scepTestServer({ shape: plainShape() })
  const good = await sonde('ca', server.url, '--json')
  t.match(
    [good.code, JSON.parse(good.out)],
    [0, { outcome: 'trusted', basis: 'first-use', certificates: [{ kind: 'root CA certificate' }] }],
  )
  const bad = await sonde('ca', server.url, '--json', '--fingerprint', 'ab'.repeat(32))
  t.match(
    [bad.code, JSON.parse(bad.out)],
    [4, { outcome: 'failed', code: 'fingerprint-mismatch', certificates: [{ kind: 'root CA certificate' }] }],
  )
})
