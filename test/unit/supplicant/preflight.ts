import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { type Credential, preflight } from '../../../supplicant/preflight.ts'

const openssl = promisify(execFile)

t.test('a credential is looked at before the supplicant, which would keep silent', async t => {
  const folder = t.testdir()
  const file = (name: string) => join(folder, name)
  const run = (...args: string[]) => openssl('openssl', args, { cwd: folder })
  const ec = (name: string, curve = 'P-256') =>
    run('genpkey', '-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${curve}`, '-out', name)
  const self = (key: string, out: string, ...more: string[]) =>
    run(
      'req',
      '-x509',
      '-new',
      '-key',
      key,
      '-subj',
      '/O=Lab/CN=sensor1',
      '-days',
      '30',
      '-out',
      out,
      ...more,
    )
  await Promise.all([
    ec('key.pem'),
    ec('other.pem'),
    ec('p384.pem', 'P-384'),
    run('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024', '-out', 'weak.pem'),
  ])
  await Promise.all([
    self(
      'key.pem',
      'cert.pem',
      '-addext',
      'extendedKeyUsage=clientAuth',
      '-addext',
      'basicConstraints=CA:FALSE',
    ),
    self('key.pem', 'sha1.pem', '-sha1'),
    self('key.pem', 'server.pem', '-addext', 'extendedKeyUsage=serverAuth'),
    self('other.pem', 'ca.pem'),
    self('p384.pem', 'p384-cert.pem'),
    self('weak.pem', 'weak-cert.pem'),
    run('pkcs8', '-topk8', '-in', 'key.pem', '-out', 'encrypted.pem', '-passout', 'pass:secret'),
    run(
      'pkcs8',
      '-topk8',
      '-in',
      'key.pem',
      '-outform',
      'DER',
      '-out',
      'encrypted.der',
      '-passout',
      'pass:secret',
    ),
    run('pkey', '-in', 'key.pem', '-outform', 'DER', '-out', 'key.der'),
    run('x509', '-in', 'ca.pem', '-outform', 'DER', '-out', 'ca.der'),
  ])
  // A leaf that outlives its issuer by twenty days.
  await self('p384.pem', 'issuer.pem', '-subj', '/CN=issuer', '-days', '10')
  await self(
    'key.pem',
    'leaf.pem',
    '-CA',
    'issuer.pem',
    '-CAkey',
    'p384.pem',
    '-addext',
    'basicConstraints=CA:FALSE',
  )
  const read = (name: string) => readFile(file(name))
  const [certificate, key, ca] = await Promise.all([read('cert.pem'), read('key.pem'), read('ca.pem')])
  const chain = async () => Buffer.concat([await read('leaf.pem'), await read('issuer.pem')])
  const good: Credential = { certificate, key, serverCa: ca }
  const now = Date.now()
  const day = 86_400_000

  const cases: [string, Credential, number, string[]][] = [
    ['a good one', good, now, []],
    ['a key in DER', { ...good, key: await read('key.der') }, now, []],
    [
      'an encrypted key with its passphrase',
      { ...good, key: await read('encrypted.pem'), passphrase: 'secret' },
      now,
      [],
    ],
    ['an encrypted key without', { ...good, key: await read('encrypted.pem') }, now, ['key-unreadable']],
    [
      'with a wrong passphrase',
      { ...good, key: await read('encrypted.pem'), passphrase: 'wrong' },
      now,
      ['key-unreadable'],
    ],
    [
      'an encrypted key in DER',
      { ...good, key: await read('encrypted.der'), passphrase: 'secret' },
      now,
      ['key-unreadable'],
    ],
    ['no key', { ...good, key: Buffer.from('junk') }, now, ['key-unreadable']],
    ['the key of another', { ...good, key: await read('other.pem') }, now, ['key-mismatch']],
    ['no certificate', { ...good, certificate: Buffer.from('junk') }, now, ['certificate-unreadable']],
    ['expired', good, now + 40 * day, ['certificate-expired', 'ca-expired']],
    ['not yet valid', good, now - day, ['certificate-not-yet-valid']],
    ['signed with SHA-1', { ...good, certificate: await read('sha1.pem') }, now, ['certificate-weak']],
    ['for a server', { ...good, certificate: await read('server.pem') }, now, ['certificate-purpose']],
    [
      'a chain that is none',
      { ...good, certificate: Buffer.concat([certificate, ca]) },
      now,
      ['chain-broken'],
    ],
    ['a chain', { ...good, certificate: await chain() }, now, []],
    [
      'a chain of which a part has expired',
      { ...good, certificate: await chain() },
      now + 20 * day,
      ['chain-broken'],
    ],
    [
      'RSA of 1024 bits',
      { ...good, certificate: await read('weak-cert.pem'), key: await read('weak.pem') },
      now,
      ['key-weak'],
    ],
    ['P-256 for 192-bit security', { ...good, suiteB192: true }, now, ['key-weak']],
    [
      'P-384 for it',
      { ...good, certificate: await read('p384-cert.pem'), key: await read('p384.pem'), suiteB192: true },
      now,
      [],
    ],
    ['no CA', { ...good, serverCa: Buffer.from('junk') }, now, ['ca-unreadable']],
    ['a CA in DER', { ...good, serverCa: await read('ca.der') }, now, []],
    ['a CA that is none', { ...good, serverCa: certificate }, now, ['ca-not-a-ca']],
    [
      'S2-48: nothing that is a root',
      { ...good, serverCa: await read('leaf.pem') },
      now,
      ['ca-not-a-ca', 'ca-without-root'],
    ],
    ['two CAs in a file', { ...good, serverCa: Buffer.concat([ca, ca]) }, now, []],
    [
      'two CAs in a blob',
      { ...good, serverCa: Buffer.concat([ca, ca]), serverCaAsBlob: true },
      now,
      ['ca-several-in-blob'],
    ],
  ]
  for (const [name, credential, at, codes] of cases)
    t.same(
      preflight(credential, at).problems.map(({ code }) => code),
      codes,
      name,
    )
  t.same(
    preflight(good, now - day, false).problems,
    [],
    'an untrusted clock does not judge what is not yet valid',
  )
  const { facts } = preflight({ ...good, key: await read('other.pem') }, now)
  t.match(facts, { certificate: { issuers: ['O=Lab\nCN=sensor1'] }, problems: [/does not belong/] })
  t.notMatch(
    JSON.stringify(preflight({ ...good, key: await read('encrypted.pem'), passphrase: 'wr0ng' }, now)),
    /wr0ng/,
  )
})
