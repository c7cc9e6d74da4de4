/** CRLs made by openssl, and by the tests' own writer; distribution points of certificates. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { distributionPoints, readCrl, revokedAt } from '../../../agent/scep/index.ts'
import { crl, fixtureKey, issuedBy, rootCa } from '../../scep-server/authority.ts'
import { opensslEach } from './openssl.ts'

const root = rootCa('CRL Root', fixtureKey('rsa-2048-a'))
const other = rootCa('CRL Root', fixtureKey('rsa-2048-b'))
const leaf = (name: string, url?: string) =>
  issuedBy(root, name, fixtureKey('rsa-2048-c'), url === undefined ? {} : { crl: url }).certificate
const good = leaf('good')
const bad = leaf('bad', 'http://crl.example.org/root.crl')

t.test('the distribution points of a certificate are read, http alone', async t => {
  t.strictSame(distributionPoints(bad), ['http://crl.example.org/root.crl'])
  t.strictSame(distributionPoints(good), [])
  t.strictSame(distributionPoints(leaf('directory', 'ldap://x/y')), [])
})

t.test('what is on a CRL is revoked, and nothing else', async t => {
  const list = readCrl(crl({ issuer: root, revoked: [bad] }), root.certificate)
  t.type(revokedAt(list, bad), Date)
  t.equal(revokedAt(list, good), undefined)
  t.equal(readCrl(crl({ issuer: root, revoked: [] }), root.certificate).revoked.size, 0)
})

t.test("openssl's CRL is read the same", async t => {
  const folder = t.testdir({
    ca: root.certificate.toString(),
    key: root.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    bad: bad.toString(),
    index: '',
    cnf: '[ca]\ndefault_ca=d\n[d]\ndatabase=index\ncertificate=ca\nprivate_key=key\ndefault_md=sha384\ndefault_crl_days=9\n',
    ours: crl({ issuer: root, revoked: [bad] }),
  })
  const said = opensslEach(folder, [
    'ca -config cnf -revoke bad',
    'ca -config cnf -gencrl -out pem',
    'crl -in pem -outform DER -out der',
    'crl -inform DER -in ours -CAfile ca -noout -text -out text',
  ])
  const list = readCrl(readFileSync(`${folder}/der`), root.certificate)
  t.type(revokedAt(list, bad), Date)
  t.equal(revokedAt(list, good), undefined)
  t.equal(Math.round(((list.nextUpdate?.getTime() ?? 0) - list.thisUpdate.getTime()) / 86_400_000), 9)
  t.match(readFileSync(`${folder}/text`, 'utf8'), /Serial Number: /, "and openssl reads the tests' own")
  t.match(said, /^verify OK$/m, 'and verifies it')
})

t.test('a CRL of somebody else, a changed or a cut one is refused', async t => {
  const der = crl({ issuer: root, revoked: [bad] })
  t.throws(() => readCrl(der, other.certificate), /signature of the CRL is wrong/)
  const changed = Buffer.from(der)
  changed[60] = (changed[60] ?? 0) ^ 1
  t.throws(() => readCrl(changed, root.certificate))
  t.throws(() => readCrl(der.subarray(0, 100), root.certificate))
  const stranger = rootCa('Stranger', fixtureKey('rsa-2048-d'))
  t.throws(() => readCrl(crl({ issuer: stranger, revoked: [] }), root.certificate), /another issuer/)
  t.ok(new X509Certificate(bad.raw))
})
