/** The body of a GetCACert reply, in every form servers send. */
import t from 'tap'
import { generateKeyPairSync, type X509Certificate } from 'node:crypto'
import { readCaReply } from '../../../agent/scep/ca-certificates.ts'
import { bag, fixtureKey, issuedBy, rootCa } from '../../scep-server/authority.ts'
import { thrownBy } from './enrolling.ts'
import { openssl } from './openssl.ts'

const root = rootCa('Root', fixtureKey('rsa-2048-a'))
const sub = issuedBy(root, 'Sub', fixtureKey('rsa-2048-b'), { ca: true })
const ra = issuedBy(sub, 'RA', fixtureKey('rsa-2048-c'))
const pemOf = (...holders: { certificate: X509Certificate }[]): string =>
  holders.map(each => each.certificate.toString()).join('')

t.test('B-10: a certificate of a kind that is not known is left aside, and the others are used', async t => {
  const body = bag([root.certificate, sub.certificate])
  const known = Buffer.from('06092a864886f70d010101', 'hex')
  const strange = Buffer.from('060960864801650304031f', 'hex')
  const at = body.lastIndexOf(known)
  const reply = (bytes: Buffer) => ({ status: 200, contentType: '', body: bytes, date: undefined })
  const postQuantum = Buffer.from(body)
  strange.copy(postQuantum, at)
  t.match(readCaReply(reply(postQuantum)), {
    certificates: [{ subject: 'CN=Root' }],
    warnings: [{ code: 'unrelated-certificate', text: /left aside: a certificate cannot be read/ }],
  })
  strange.copy(postQuantum, body.indexOf(known))
  t.match(
    thrownBy(() => readCaReply(reply(postQuantum))),
    { code: 'ca-reply-malformed' },
    'but not all of them',
  )
})

t.test('B-10: GetCACert is told by its bytes: DER, bag, PEM, BER', async t => {
  const folder = t.testdir({ 'chain.pem': pemOf(root, sub) })
  const toBag = ['crl2pkcs7', '-nocrl', '-certfile', `${folder}/chain.pem`]
  const pem7 = openssl(toBag)
  const der7 = openssl([...toBag, '-outform', 'DER'])
  const cases: [string, Buffer, number][] = [
    ['DER', root.certificate.raw, 1],
    ['a bag made by openssl', der7, 2],
    ['the same as PEM', pem7, 2],
    ['PEM certificates with text before', Buffer.from(`subject=...\n${pemOf(root, sub, ra)}`), 3],
    [
      'an EC certificate',
      rootCa('EC', generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey).certificate.raw,
      1,
    ],
  ]
  const reply = (body: Buffer) => ({
    status: 200,
    contentType: 'application/octet-stream',
    body,
    date: undefined,
  })
  for (const [name, body, count] of cases) t.equal(readCaReply(reply(body)).certificates.length, count, name)
  for (const body of [root.certificate.raw, der7]) {
    const padded = readCaReply(reply(Buffer.concat([body, Buffer.from('\r\n')])))
    t.match(padded.warnings, [{ code: 'reply-padded' }], 'a line end after it')
    t.strictSame(padded.certificates, readCaReply(reply(body)).certificates)
  }
  const wrong: [string, Buffer, string][] = [
    ['nothing', Buffer.alloc(0), 'ca-reply-malformed'],
    ['an empty bag', bag([]), 'ca-reply-malformed'],
    ['a page', Buffer.from('<html>Login</html>'), 'reply-not-scep'],
    ['a cut certificate', root.certificate.raw.subarray(0, 300), 'ca-reply-malformed'],
    ['a bag of 65', bag(Array<X509Certificate>(65).fill(root.certificate)), 'ca-reply-malformed'],
  ]
  for (const [name, body, code] of wrong) t.equal(thrownBy(() => readCaReply(reply(body))).code, code, name)
})
