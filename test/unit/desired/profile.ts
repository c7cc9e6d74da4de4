import t from 'tap'
import { parseNetworkProfile, sizeLimits } from '../../../agent/desired/parse.ts'
import { Wireless } from '../../../agent/desired/profile.ts'
import { but, bytes, corp, onboarding, pem, plain } from './documents.ts'

const problems = (document: unknown) => {
  const result = parseNetworkProfile(bytes(document), 'corp')
  return result.ok
    ? []
    : result.problems.map(({ path, message, hint }) => [path, message, ...(hint ? [hint] : [])])
}
const wifi = (security: string, more: object = {}) => ({
  ...plain,
  interface: 'wireless',
  wireless: { ssid: 'corp', security },
  ...more,
})
const tls = { eap: corp.eap, scep: corp.scep }

t.test('profiles that can be used (S2-03, S2-15, S2-21, S2-42..44, S2-74)', t => {
  const cases: [string, unknown][] = [
    ['EAP-TLS with SCEP on a wire', corp],
    ['PEAP with the CA of its server', onboarding],
    [
      'PEAP that says it trusts any server',
      but(but(onboarding, 'eap.serverCa', []), 'eap.acceptAnyServer', true),
    ],
    ['a plain wire', plain],
    ['an open radio network', wifi('open')],
    [
      'a radio network with a passphrase',
      wifi('wpa2-psk', { wireless: { ssid: 'x', security: 'wpa2-psk', passphrase: 'welcome-in' } }),
    ],
    ['WPA2-Enterprise by EAP-TLS', wifi('wpa2-enterprise', tls)],
    [
      'WPA3-Enterprise 192-bit with EC keys',
      wifi('wpa3-enterprise-192', { ...tls, scep: { ...corp.scep, key: 'ec-p384' } }),
    ],
    ['one interface by name', but(plain, 'interface', 'eth1')],
    [
      'a ClearPass URL (S2-23)',
      but(corp, 'scep.url', 'http://clearpass.example.org/onboard/mdps_scep.php/1'),
    ],
    ['root and intermediate uploaded (S2-45)', but(corp, 'scep.caCertificates', [pem, pem])],
    ['nothing uploaded (S2-47)', but(corp, 'eap.serverCa', undefined)],
    ['a fingerprint with colons (S2-49)', but(corp, 'scep.rootFingerprint', Array(20).fill('aB').join(':'))],
    [
      'an MD5 fingerprint as old NDES shows it (B-12)',
      but(corp, 'scep.rootFingerprint', '79A20876 E3E90AA3 01722AE2 DFA3FDD1'),
    ],
    [
      'an SHA-1 thumbprint as the Windows dialog copies it (B-12)',
      but(corp, 'scep.rootFingerprint', `\u200e${Array(20).fill('ab').join(' ')} `),
    ],
    [
      'a SHA-256 fingerprint with dashes (B-12)',
      but(corp, 'scep.rootFingerprint', Array(32).fill('aB').join('-')),
    ],
    ['the cipher that the server can (B-30)', but(corp, 'scep.encryption', 'automatic')],
    ['the digest that the server can (B-31)', but(corp, 'scep.digest', 'automatic')],
    [
      'names of every kind (S2-30)',
      but(corp, 'scep.alternativeNames', [
        ...['mac', 'dns:{name}.example.org', 'upn:{serial}', 'email:{serial}@example.org'],
        ...['uri:urn:dev:{serial}', 'ip:192.0.2.7', 'ip:2001:db8::7', 'ip:::ffff:192.0.2.7'],
      ]),
    ],
    ['renewal 30 days before expiry (S2-55)', but(corp, 'scep.renewal', { daysBeforeExpiry: 30 })],
  ]
  for (const [name, document] of cases) t.same(problems(document), [], name)
  t.end()
})

t.test('every security of a radio network has a profile that can be used (S2-17)', t => {
  for (const security of Wireless.shape.security.options) {
    const passphrase = /psk|sae/.test(security) ? { passphrase: 'welcome-in' } : {}
    const eap = security.includes('enterprise') ? { ...tls, scep: { ...corp.scep, key: 'rsa-3072' } } : {}
    const whole = wifi(security, { wireless: { ssid: 'x', security, ...passphrase }, ...eap })
    t.same(problems(whole), [], security)
    if ('passphrase' in passphrase)
      t.match(problems(wifi(security)), [['wireless.passphrase', 'is missing', /needs one/]], security)
  }
  t.end()
})

t.test('what is not written takes its default (S1-66, S2-53)', t => {
  const result = parseNetworkProfile(bytes(but(corp, 'scep.subject', undefined)), 'corp')
  t.match(result.ok && result.document.value, {
    enabled: true,
    scep: {
      caIdentifier: 'CAIdentifier',
      subject: { commonName: '{serial}' },
      key: 'rsa-2048',
      signature: 'SHA-256',
      encryption: 'AES-128',
      keyTransport: 'PKCS1',
      renewal: { when: 'half-life' },
    },
  })
  t.end()
})

t.test('profiles that are refused, with the place, the reason and what to write instead', t => {
  const any = /./
  const cases: [string, unknown, (string | RegExp)[][]][] = [
    [
      'a mistyped key',
      but(corp, 'scep.challangePassword', 'x'),
      [['scep.challangePassword', 'unknown key', 'did you mean "challengePassword"?']],
    ],
    ['a key nothing is like', but(plain, 'colour', 1), [['colour', 'unknown key']]],
    [
      'a key of another method',
      but(corp, 'eap.password', 'x'),
      [['eap.password', 'is not used in this form']],
    ],
    ['a URL of another protocol', but(corp, 'scep.url', 'ftp://x/y'), [['scep.url', 'not an http(s) URL']]],
    ['a text that is no URL', but(corp, 'scep.url', 'ndes'), [['scep.url', 'not an http(s) URL']]],
    ['an unknown schema', but(plain, 'schema', 2), [['schema', 'is not 1']]],
    [
      'a schema as text',
      but(plain, 'schema', '1'),
      [['schema', 'is not 1', 'write it without quotation marks']],
    ],
    ['no schema', but(plain, 'schema', undefined), [['schema', 'is missing', 'one of 1']]],
    [
      'a mistyped choice',
      but(corp, 'scep.encryption', 'AES128'),
      [['scep.encryption', any, 'did you mean "AES-128"?']],
    ],
    ['an unknown EAP method', but(corp, 'eap.method', 'TLZ'), [['eap.method', any, 'did you mean "TLS"?']]],
    ['no EAP method', but(corp, 'eap', {}), [['eap.method', 'is missing', 'one of "TLS", "PEAP", "TTLS"']]],
    [
      'a number as text',
      but(corp, 'scep.renewal', { daysBeforeExpiry: '30' }),
      [['scep.renewal.daysBeforeExpiry', 'is not a number']],
    ],
    [
      'days that are no time before expiry',
      but(corp, 'scep.renewal', { daysBeforeExpiry: 0 }),
      [['scep.renewal.daysBeforeExpiry', 'has to be more than 0']],
    ],
    ['an empty alias', but(plain, 'alias', ''), [['alias', 'is empty']]],
    ['a long alias', but(plain, 'alias', 'x'.repeat(65)), [['alias', 'has to have at most 64 characters']]],
    ['a list where an object belongs', [], [['', 'is not an object']]],
    [
      'an alternative name without a kind',
      but(corp, 'scep.alternativeNames', ['mac', 'sensor.example.org']),
      [['scep.alternativeNames[1]', /not an alternative name/]],
    ],
    [
      'alternative names whose values are none of their kind',
      but(corp, 'scep.alternativeNames', [
        'ip:300.1.1.1',
        'ip:fe80::1%eth0',
        'email:sensor',
        'uri:example.org',
        'mac',
      ]),
      [
        ['scep.alternativeNames[0]', 'is no IP address', any],
        ['scep.alternativeNames[1]', 'is no IP address', any],
        ['scep.alternativeNames[2]', 'is no mail address', any],
        ['scep.alternativeNames[3]', 'is no absolute URI', any],
      ],
    ],
    [
      'an unknown variable',
      but(corp, 'scep.subject.commonName', '{seral}'),
      [['scep.subject.commonName', '{seral} is not a variable', 'did you mean {serial}?']],
    ],
    [
      'a certificate that is none',
      but(corp, 'scep.caCertificates', ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----']),
      [['scep.caCertificates[0]', any]],
    ],
    [
      'text where a certificate belongs',
      but(corp, 'scep.caCertificates', ['x']),
      [['scep.caCertificates[0]', 'not a PEM certificate']],
    ],
    ['EAP-TLS without a certificate', but(corp, 'scep', undefined), [['scep', 'is missing', any]]],
    [
      'SCEP without EAP-TLS (S1-03)',
      but(corp, 'eap', undefined),
      [['scep', 'is not used without eap.method "TLS"', any]],
    ],
    [
      'a network that enrols over itself (S2-06)',
      but(corp, 'scep.enrollmentNetwork', 'corp'),
      [['scep.enrollmentNetwork', any, any]],
    ],
    [
      'PEAP that trusts nobody in particular',
      but(onboarding, 'eap.serverCa', []),
      [['eap.serverCa', /^is missing/, any]],
    ],
    [
      'PEAP that trusts any server and one',
      but(onboarding, 'eap.acceptAnyServer', true),
      [['eap.acceptAnyServer', any, any]],
    ],
    ['PEAP with PAP inside', but(onboarding, 'eap.phase2', 'PAP'), [['eap.phase2', any, any]]],
    ['a radio on a wire', but(wifi('open'), 'interface', 'wired'), [['interface', any, any]]],
    ['a radio without an SSID', but(plain, 'interface', 'wireless'), [['wireless', 'is missing', any]]],
    ['an enterprise network without EAP (S2-17)', wifi('wpa2-enterprise'), [['eap', 'is missing', any]]],
    ['EAP on an open network', wifi('open', tls), [['eap', /not used/, any]]],
    ['no passphrase', wifi('wpa3-sae'), [['wireless.passphrase', 'is missing', any]]],
    [
      'an SSID of more than 32 bytes',
      but(wifi('open'), 'wireless.ssid', 'ü'.repeat(20)),
      [['wireless.ssid', any]],
    ],
    ['192-bit with a key that is too short', wifi('wpa3-enterprise-192', tls), [['scep.key', any, any]]],
    [
      'two things at once',
      but(but(corp, 'scep.url', 'x'), 'eap.method', 'X'),
      [
        ['eap.method', any],
        ['scep.url', any],
      ],
    ],
    [
      'the prototype as a key',
      JSON.parse('{"schema":1,"__proto__":{"enabled":false}}'),
      [['__proto__', 'unknown key']],
    ],
  ]
  for (const [name, document, expected] of cases) t.match(problems(document), expected, name)
  for (const [name, document] of cases) t.not(problems(document).length, 0, `${name} is refused`)
  t.end()
})

t.test('a document of nothing but mistakes takes no time worth speaking of', t => {
  const many = Object.fromEntries(Array.from({ length: 12_000 }, (_, i) => [`key${i.toString(36)}`, 0]))
  const before = process.cpuUsage()
  const found = problems(but(corp, 'scep', { ...corp.scep, ...many }))
  const { user } = process.cpuUsage(before)
  t.equal(found.length, 50)
  t.match(found.at(-1), ['', 'and 11951 more problems'])
  t.ok(user < 400_000, `${String(user / 1000)} ms of the processor`)
  t.end()
})

t.test('bytes that are no document', t => {
  const refused = (content: Buffer) => {
    const result = parseNetworkProfile(content, 'corp')
    return result.ok ? undefined : result.problems[0]
  }
  const cut = bytes(corp).subarray(0, -3)
  t.match(refused(cut), { path: '', message: 'is not JSON', hint: /^look at line 1, column \d+$/ })
  t.match(refused(Buffer.from([0x7b, 0xff, 0x7d])), { message: 'is not UTF-8' })
  t.match(refused(Buffer.alloc(sizeLimits.network + 1, 0x20)), { message: /at most 262144 are read/ })
  t.match(refused(Buffer.from('['.repeat(100_000))), { message: 'is not JSON' })
  t.equal(
    problems(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, 0]))).length,
    50,
    'bounded',
  )
  t.end()
})

t.test('the challenge password is in no message, whatever is wrong around it (S2-33)', t => {
  const secret = 'hush-hush'
  const broken = [
    but(corp, 'scep.challengePassword', { secret }),
    but(corp, 'scep.challengePassword', secret.repeat(100)),
    but(corp, 'scep.url', secret),
    but(onboarding, 'eap.password', [secret]),
    wifi('open', { wireless: { ssid: 'x', security: secret } }),
  ]
  for (const document of broken) {
    t.not(problems(document).length, 0)
    t.notMatch(JSON.stringify(problems(document)), secret)
  }
  const cut = parseNetworkProfile(bytes(corp).subarray(0, 500), 'corp')
  t.notMatch(JSON.stringify(cut), secret, 'nor in what is said of broken JSON')
  t.end()
})
