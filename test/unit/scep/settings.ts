/** What operators write: URLs, fingerprints, names; and what servers say they can do. */
import t from 'tap'
import { certificationRequest } from '../../../agent/scep/certification-request.ts'
import {
  advertises,
  algorithmWarnings,
  automaticDigest,
  automaticEncryption,
  readCapabilities,
} from '../../../agent/scep/capabilities.ts'
import { fingerprintMatches, parseFingerprint } from '../../../agent/scep/fingerprint.ts'
import {
  alternativeName,
  alternativeNameTexts,
  distinguishedName,
  nameText,
  subjectAltName,
} from '../../../agent/scep/names.ts'
import { capsWeakened, pollDelays, renewalMethod } from '../../../agent/scep/policy.ts'
import { parseServerUrl, requestPath } from '../../../agent/scep/url.ts'
import { read } from '../../../agent/scep/ber.ts'
import { fixtureKey, rootCa } from '../../scep-server/authority.ts'
import { openssl } from './openssl.ts'
import { thrownBy } from './enrolling.ts'

t.test('B-05, S2-21 … S2-23: an operation is joined to every kind of server URL', async t => {
  const cases = [
    ['http://h/scep', '/scep?operation=GetCACert&message=CA'],
    [
      'http://h/certsrv/mscep/mscep.dll/pkiclient.exe?',
      '/certsrv/mscep/mscep.dll/pkiclient.exe?operation=GetCACert&message=CA',
    ],
    ['http://h/certsrv/mscep/mscep.dll', '/certsrv/mscep/mscep.dll?operation=GetCACert&message=CA'],
    ['http://h/onboard/mdps_scep.php/1', '/onboard/mdps_scep.php/1?operation=GetCACert&message=CA'],
    ['http://h/scep?mac=b827', '/scep?mac=b827&operation=GetCACert&message=CA'],
    ['http://h/scep?mac=b827&', '/scep?mac=b827&operation=GetCACert&message=CA'],
    ['http://h/scep??', '/scep?operation=GetCACert&message=CA'],
    ['http://h/scep?operation=GetCACaps&message=x', '/scep?operation=GetCACert&message=CA'],
    ['http://h', '/cgi-bin/pkiclient.exe?operation=GetCACert&message=CA'],
    ['http://h/', '/cgi-bin/pkiclient.exe?operation=GetCACert&message=CA'],
    ['http://[2001:db8::1]:8080/s%20p#part', '/s%20p?operation=GetCACert&message=CA'],
    ['  http://h/scep\n', '/scep?operation=GetCACert&message=CA'],
  ] as const
  for (const [url, path] of cases) t.equal(requestPath(parseServerUrl(url), 'GetCACert', 'CA'), path, url)
  t.equal(
    requestPath(parseServerUrl('http://h/s'), 'GetCACert', 'a b&c=é'),
    '/s?operation=GetCACert&message=a%20b%26c%3D%C3%A9',
    'B-04: the CA identifier is encoded',
  )
  t.equal(
    requestPath(parseServerUrl('http://h/s'), 'PKIOperation', 'a+/='),
    '/s?operation=PKIOperation&message=a%2B%2F%3D',
    'B-02: base64 is percent-encoded',
  )
  for (const url of ['ftp://h/x', 'scep.example.org', '', 'http://', 'http://a%b@h/', 'http://a:%ff@h/'])
    t.equal(thrownBy(() => parseServerUrl(url)).code, 'url-invalid', url)
})

t.test(
  'B-03: capabilities are read in any case, with any line end, and an error page is no list',
  async t => {
    const cases = [
      ['Renewal\nSHA-256\n', ['Renewal', 'SHA-256']],
      ['POSTPKIOperation\r\nSHA-1\r\n\r\n', ['POSTPKIOperation', 'SHA-1']],
      ['aes \n  sha-256\t\nSomethingNew\n', ['aes', 'sha-256', 'SomethingNew']],
      ['\ufeffAES\r\nDES3\0', ['AES', 'DES3']],
      ['', []],
      ['<html><body>AES</body></html>', []],
      ['This is no list of capabilities', []],
    ] as const
    for (const [body, keywords] of cases)
      t.strictSame(readCapabilities(body).keywords, keywords, JSON.stringify(body))
    const standard = readCapabilities('scepstandard')
    t.ok(
      ['AES', 'SHA-256', 'POSTPKIOperation'].every(each => advertises(standard, each)),
      'SCEPStandard implies AES, SHA-256 and POST',
    )
    t.notOk(advertises(standard, 'Renewal'))
  },
)

t.test(
  'B-30, B-31: automatic takes the best that is advertised, and a choice that is not is warned about',
  async t => {
    const cases = [
      ['AES\nSHA-256', 'AES-128', 'SHA-256'],
      ['DES3\nSHA-1', '3DES', 'SHA-1'],
      ['SHA-512', '3DES', 'SHA-512'],
      ['', 'AES-128', 'SHA-256'],
      ['SCEPStandard', 'AES-128', 'SHA-256'],
    ] as const
    for (const [caps, encryption, digest] of cases) {
      t.equal(automaticEncryption(readCapabilities(caps)), encryption, caps)
      t.equal(automaticDigest(readCapabilities(caps)), digest, caps)
    }
    const codes = (
      caps: string,
      ...chosen: Parameters<typeof algorithmWarnings> extends [unknown, ...infer R] ? R : never
    ) => algorithmWarnings(readCapabilities(caps), ...chosen).map(each => each.code)
    t.strictSame(codes('AES\nSHA-256', 'AES-256', 'SHA-256'), [])
    t.strictSame(codes('AES\nSHA-256', '3DES', 'SHA-512'), [
      'weak-encryption',
      'not-advertised',
      'not-advertised',
    ])
    t.strictSame(codes('', 'AES-128', 'SHA-384'), [], 'nothing is known of a server that did not answer')
  },
)

t.test('B-32: capabilities that were there before and are gone are an alarm', async t => {
  const before = ['SCEPStandard', 'Renewal']
  t.strictSame(capsWeakened(before, readCapabilities('SCEPStandard')), [])
  t.match(capsWeakened(before, readCapabilities('AES\nSHA-256\nPOSTPKIOperation'))[0], {
    code: 'caps-weaker',
    text: /SCEPStandard/,
  })
  t.match(capsWeakened(before, readCapabilities('DES3\nSHA-1')), [{ text: /AES.*SHA-256.*POST/ }])
})

t.test('S2-49, B-12: a fingerprint is read with any punctuation, its digest told by its length', async t => {
  const { certificate } = rootCa('Root', fixtureKey('rsa-2048-a'))
  const hex = (digest: string): string =>
    openssl(['dgst', `-${digest}`, '-r'], certificate.raw)
      .toString()
      .split(' ')[0] ?? ''
  const cases = [
    [certificate.fingerprint256, 'SHA-256'],
    [certificate.fingerprint256.toLowerCase().replaceAll(':', ' '), 'SHA-256'],
    [`sha256 Fingerprint=${certificate.fingerprint256}`, 'SHA-256'],
    [certificate.fingerprint.replaceAll(':', '-'), 'SHA-1'],
    [hex('md5').toUpperCase(), 'MD5'],
    [`  ${hex('sha256')}\n`, 'SHA-256'],
    [`"${certificate.fingerprint256.replaceAll(':', ';')}"`, 'SHA-256'],
    [`Thumbprint (SHA-1): ${certificate.fingerprint}`, 'SHA-1'],
    [`\u200e${certificate.fingerprint.replaceAll(':', '\u2013')}`, 'SHA-1'],
  ] as const
  for (const [written, digest] of cases) {
    const fingerprint = parseFingerprint(written)
    t.equal(fingerprint.digest, digest)
    t.ok(fingerprintMatches(fingerprint, certificate), written)
  }
  for (const wrong of ['', 'abc', 'zz'.repeat(32), hex('sha512'), `sha1 ${hex('sha1')}é`])
    t.equal(thrownBy(() => parseFingerprint(wrong)).code, 'fingerprint-format', wrong)
})

t.test('B-41: a subject is structured: , ; + = are ordinary characters, and limits are told', async t => {
  const subject = {
    commonName: 'pi, 1+2=3; "x"',
    organization: 'Müller & Co',
    organizationalUnit: ['A', 'B'],
    country: 'DE',
    domainComponents: ['example', 'org'],
  }
  const text = nameText(read(distinguishedName(subject)))
  t.equal(text, 'CN=pi\\, 1\\+2\\=3\\; \\"x\\", OU=B, OU=A, O=Müller & Co, DC=example, DC=org, C=DE')
  const csr = await certificationRequest(
    { subject: distinguishedName(subject), purposes: [], keyEncipherment: true },
    fixtureKey('rsa-2048-a'),
    'SHA-256',
  )
  const shown = openssl(
    ['req', '-inform', 'DER', '-noout', '-subject', '-nameopt', 'utf8,sep_comma_plus,dn_rev'],
    csr,
  ).toString()
  t.match(
    shown,
    /CN=.*pi, 1\+2=3; .*OU=B,OU=A,O=M.ller & Co,DC=example,DC=org,C=DE/,
    'openssl reads the same',
  )
  const wrong = [
    { commonName: 'x'.repeat(65) },
    { commonName: '' },
    { commonName: 'x', country: 'D1' },
    { commonName: 'x', organization: '' },
  ]
  for (const each of wrong)
    t.match(
      thrownBy(() => distinguishedName(each)),
      { code: 'name-invalid', kind: 'misconfigured' },
    )
})

t.test('B-42, S2-30: every kind of alternative name, as openssl reads it', async t => {
  const forms = [
    'dns:pi.example.org',
    'email:pi@example.org',
    'upn:pi-é@corp.example',
    'uri:urn:x:1',
    'ip:192.0.2.1',
    'ip:2001:db8::1',
    'ip:::ffff:192.0.2.9',
    'mac:b8:27:eb:12:34:56',
    'mac-uri:b827eb123456',
    'dns:münchen.example',
  ]
  const value = subjectAltName(forms.map(alternativeName))
  t.strictSame(alternativeNameTexts(value), [
    ...forms.slice(0, 6),
    'ip:::ffff:c000:209',
    'dns:B8-27-EB-12-34-56',
    'uri:urn:dev:mac:b827ebfffe123456',
    'dns:xn--mnchen-3ya.example',
  ])
  const csr = await certificationRequest(
    {
      subject: distinguishedName({ commonName: 'x' }),
      alternativeNames: value,
      purposes: ['1.3.6.1.5.5.7.3.2'],
      keyEncipherment: true,
      template: 'Sensor',
    },
    fixtureKey('rsa-2048-a'),
    'SHA-256',
  )
  const shown = openssl(['req', '-inform', 'DER', '-noout', '-text'], csr).toString()
  for (const part of [
    'DNS:pi.example.org',
    'email:pi@example.org',
    'othername: UPN',
    'URI:urn:x:1',
    'IP Address:192.0.2.1',
    'IP Address:2001:DB8:0:0:0:0:0:1',
    'TLS Web Client Authentication',
    'Digital Signature, Key Encipherment',
    '1.3.6.1.4.1.311.20.2',
  ])
    t.match(shown, part)
  for (const wrong of [
    'pi',
    'dns:',
    'dns:a b',
    'dns:-a',
    'email:nobody',
    'ip:1.2.3',
    'ip:fe80::1%eth0',
    'mac:1:2',
    'uri:relative',
    'dns:' + 'a'.repeat(64),
  ])
    t.match(
      thrownBy(() => alternativeName(wrong)),
      { code: 'name-invalid', problem: { hint: /\w/ } },
      wrong,
    )
})

t.test('B-60, B-70: how to renew and when to poll', async t => {
  t.equal(renewalMethod(readCapabilities('Renewal'), 'automatic'), 'RenewalReq')
  t.equal(renewalMethod(readCapabilities('AES'), 'automatic'), 'PKCSReq')
  t.equal(renewalMethod(readCapabilities('Renewal'), 're-enrol'), 're-enrol')
  t.strictSame([...pollDelays({ interval: 60, most: 3, giveUpAfter: 0 })], [60_000, 60_000, 60_000])
  t.strictSame([...pollDelays({ interval: 60, most: 0, giveUpAfter: 150 })], [60_000, 60_000])
  t.strictSame(
    [...pollDelays({ interval: 60, most: 3, giveUpAfter: 150 }, 100_000, 1)],
    [],
    'a restart does not start the time anew',
  )
})
