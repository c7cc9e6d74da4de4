import { X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import t from 'tap'
import {
  connectSupplicant,
  type Eap,
  isSupplicantError,
  join,
  networkBlock,
  preflight,
  scan,
  type ServerTrust,
  type SupplicantInterface,
  triage,
} from '../../../supplicant/index.ts'
import { type Credentials, credentials, tlsBlock } from './credentials.ts'
import { SupplicantLab } from './lab.ts'
import { type Leaf, Pki } from './pki.ts'

/** hostapd's own EAP server: with these lines, and a certificate that has expired where it says so. */
const SERVERS = {
  own: '',
  expired: '',
  /** Its certificate comes from an intermediate CA, which it sends along or not. */
  below: '',
  'below, alone': '',
  'only TLS 1.3': 'tls_flags=[ENABLE-TLSv1.3][DISABLE-TLSv1.2]',
  'only TLS 1.0':
    'openssl_ciphers=DEFAULT@SECLEVEL=0\ntls_flags=[ENABLE-TLSv1.0][DISABLE-TLSv1.1][DISABLE-TLSv1.2]',
}
type Server = keyof typeof SERVERS

/** Who is not anonymous outside is not taken by password. */
const users = `"anonymous" PEAP,TTLS
* TLS
"peap-user" MSCHAPV2 "secret" [2]
"ttls-user" TTLS-MSCHAPV2,TTLS-PAP "secret" [2]
`

const fragmented = 'fragments of 100 bytes'

const sha256 = async (file: string): Promise<string> =>
  new X509Certificate(await readFile(file)).fingerprint256.replaceAll(':', '')

/** A server below an intermediate CA, the same without it in its file, and that CA. */
interface Below {
  below: Leaf
  alone: Leaf
  middle: string
}

async function belowOf(pki: Pki): Promise<Below> {
  const { certificate: middle } = await pki.leaf('middle', { commonName: 'Lab CA below', ca: true })
  const names = ['radius.example.org']
  const alone = await pki.leaf('alone', { commonName: 'radius', issuer: 'middle', server: true, names })
  return {
    below: { ...alone, certificate: await joint(pki.file('below.pem'), alone.certificate, middle) },
    alone,
    middle,
  }
}

async function joint(file: string, ...parts: string[]): Promise<string> {
  await writeFile(file, (await Promise.all(parts.map(part => readFile(part, 'utf8')))).join(''))
  return file
}

/** Each setting of a profile by what it does: `joined`, or the finding, with what its hint says. */
async function cases(all: Credentials, { middle }: Below): Promise<[string, Server, Eap, string, RegExp?][]> {
  const several = await joint(`${all.folder}/several.pem`, all.otherRoot, all.root)
  const both = await joint(`${all.folder}/both.pem`, middle, all.root)
  const tls = (trust: ServerTrust, more: Partial<Eap> = {}): Eap => ({
    ...{
      method: 'TLS',
      identity: 'sensor1',
      certificate: all.client.certificate,
      key: all.client.key,
      trust,
    },
    ...(more as object),
  })
  const { root: ca } = all
  const [pin, other] = [await sha256(all.server.certificate), await sha256(all.root)]
  const login = { anonymousIdentity: 'anonymous', password: 'secret', trust: { ca } }
  const ttls = { ...login, method: 'TTLS', identity: 'ttls-user' } as const
  const [only13, upTo13] = [{ tls: { minimum: '1.3' } }, { tls: { maximum: '1.3' } }] as const
  // hostapd, like many servers, keeps its TLS alert to itself.
  const early = 'rejected-before-certificate'
  const weak = { tls: { minimum: '1.0' }, legacy: { weakCiphers: true } } as const
  return [
    ['several CAs in a file, of which the second is it', 'own', tls({ ca: several }), 'joined'],
    ['the root, of a server that sends the CA between', 'below', tls({ ca }), 'joined'],
    [
      'the root, of one that does not',
      'below, alone',
      tls({ ca }),
      'server-untrusted',
      /"CN=Lab CA below", which/,
    ],
    ['both, of one that does not', 'below, alone', tls({ ca: both }), 'joined'],
    [
      'the CA between alone',
      'below',
      tls({ ca: middle }),
      'server-untrusted',
      /"O=Lab, CN=Lab Root CA", which/,
    ],
    ['a pin', 'own', tls({ pin }), 'joined'],
    ['a pin of another certificate', 'own', tls({ pin: other }), 'server-pin-mismatch'],
    ['a domain of the name', 'own', tls({ ca, name: 'example.org' }), 'joined'],
    ['the exact name', 'own', tls({ ca, exactName: 'radius.example.org' }), 'joined'],
    ['a domain as the exact name', 'own', tls({ ca, exactName: 'example.org' }), 'server-name-mismatch'],
    ['an alternative name', 'own', tls({ ca, alternativeName: 'DNS:radius.example.org' }), 'joined'],
    ['another alternative name', 'own', tls({ ca, alternativeName: 'DNS:a.b' }), 'server-name-mismatch'],
    ['any server, in as many words', 'own', tls({ acceptAnyServer: true }), 'joined'],
    ['PEAP, anonymous outside', 'own', { ...login, method: 'PEAP', identity: 'peap-user' }, 'joined'],
    ['TTLS-MSCHAPv2', 'own', ttls, 'joined'],
    ['TTLS-PAP', 'own', { ...ttls, inner: 'PAP' }, 'joined'],
    ['TTLS-PAP, wrong password', 'own', { ...ttls, inner: 'PAP', password: 'x' }, 'rejected-password'],
    [fragmented, 'own', tls({ ca }, { fragmentSize: 100 }), 'joined'],
    ['an expired server', 'expired', tls({ ca }), 'server-certificate-expired'],
    ['the same, dates ignored', 'expired', tls({ ca }, { legacy: { ignoreDates: true } }), 'joined'],
    ['TLS 1.3 where 1.2 is the most', 'only TLS 1.3', tls({ ca }), early],
    ['TLS 1.3 allowed', 'only TLS 1.3', tls({ ca }, upTo13), 'joined'],
    ['TLS 1.3 required', 'only TLS 1.3', tls({ ca }, only13), 'joined'],
    ['TLS 1.3 required of a server that has 1.2', 'own', tls({ ca }, only13), early],
    ['TLS 1.2 where 1.3 is allowed', 'own', tls({ ca }, upTo13), 'joined'],
    ['TLS 1.0 where 1.2 is the least', 'only TLS 1.0', tls({ ca }), 'tls-version'],
    ['TLS 1.0 with weak ciphers, by wish', 'only TLS 1.0', tls({ ca }, weak), 'joined'],
  ]
}

async function serve(
  lab: SupplicantLab,
  all: Credentials,
  server: Server,
  { below, alone }: Below,
): Promise<void> {
  const leaf = { expired: all.serverExpired, below, 'below, alone': alone }[server as string] ?? all.server
  await lab.authenticator({ eap: { ca: all.root, users, ...leaf, more: SERVERS[server] } })
}

async function outcome(
  eth0: SupplicantInterface,
  eap: Eap,
): Promise<{ code: string; evidence: string; hint: string }> {
  try {
    await join(eth0, networkBlock({ idStr: 'variant', medium: 'wired', eap }).block)
    return { code: 'joined', evidence: '', hint: '' }
  } catch (error) {
    if (!isSupplicantError(error) || error.attempt === undefined) throw error
    const found = triage(error.attempt, { method: eap.method, problems: [] })
    const { code = error.code, evidence = [], hint = '' } = found ?? {}
    return { code, evidence: evidence.join(' | '), hint }
  }
}

t.test('what a profile says of server, method and TLS holds against real servers', async t => {
  await using pki = await Pki.create()
  const all = await credentials(pki)
  await using lab = await SupplicantLab.raise(t)
  const { wpa, eth0 } = await lab.connect()
  await using _ = wpa
  const below = await belowOf(pki)
  for (const [name, server, eap, wanted, said] of await cases(all, below)) {
    await serve(lab, all, server, below)
    const since = lab.supplicant.output.end
    const { code, evidence, hint } = await outcome(eth0, eap)
    t.equal(code, wanted, `${name}: ${wanted} ${evidence}`)
    if (said) t.match(hint, said, `${name}: what is missing is named`)
    const log = lab.supplicant.output.since(since).join('\n')
    t.equal(
      log.includes('more fragments will follow'),
      name === fragmented,
      `${name}: sent in fragments or not`,
    )
  }
  // With a passphrase the supplicant asks for nothing: it fails like a rejection, and only our own look tells.
  const key = { method: 'TLS', identity: 'x', certificate: all.client.certificate, key: all.junk } as const
  const unreadable: Eap = { ...key, keyPassphrase: 'dummy', trust: { ca: all.root } }
  await serve(lab, all, 'own', below)
  const { facts } = preflight(
    { certificate: await readFile(key.certificate), key: await readFile(key.key), passphrase: 'dummy' },
    Date.now(),
  )
  const failed = await join(
    eth0,
    networkBlock({ idStr: 'unreadable', medium: 'wired', eap: unreadable }).block,
  ).catch((error: unknown) => error)
  t.match(
    isSupplicantError(failed) && failed.attempt && triage(failed.attempt, { method: 'TLS', ...facts }),
    {
      ...{ code: 'credential-unreadable', side: 'sensor', detail: 'the private key is no private key' },
    },
  )
  await lab.radius({ behaviour: 'accept-identity' })
  await lab.authenticator({})
  const bare = tlsBlock(all, { id_str: 'bare' })
  const error = await join(eth0, bare, { deadlines: { handshake: 300 } }).catch((error: unknown) => error)
  t.equal(isSupplicantError(error) && error.attempt && triage(error.attempt)?.code, 'bare-success')
  const eap = { method: 'PEAP', identity: 'x', password: 'y', trust: { ca: all.root } } as const
  const wish = networkBlock({ idStr: 'fallback', medium: 'wired', eap, acceptCannedSuccess: true })
  await lab.authenticator({})
  t.match(
    await join(eth0, wish.block),
    { attempt: { outcome: { kind: 'joined' } } },
    'a bare success, by wish',
  )
  t.match(wish.warnings, [/name of the server is not checked/, /a success without an authentication/])
})

t.test('an interface that was taken down is not a cable that is out', async t => {
  await using pki = await Pki.create()
  const all = await credentials(pki)
  await using lab = await SupplicantLab.raise(t)
  const { wpa, eth0 } = await lab.connect()
  await using _ = wpa
  await lab.authenticator({ eap: { ca: all.root, ...all.server } })
  const link = (state: 'up' | 'down') => lab.site.spaces.ip('sensor', [`link set eth0 ${state}`])
  const deadlines = { noAuthenticator: 1_300 }
  const finding = async () => {
    const error = await join(eth0, tlsBlock(all), { deadlines }).catch((error: unknown) => error)
    return isSupplicantError(error) && error.attempt ? triage(error.attempt) : error
  }
  await link('down')
  t.match(await finding(), {
    code: 'interface-disabled',
    side: 'sensor',
    title: 'The interface is switched off',
  })
  t.equal(eth0.enabled, false)
  const joining = join(eth0, tlsBlock(all))
  await link('up')
  t.match(await joining, { attempt: { outcome: { kind: 'joined' } } }, 'it is joined when it is up again')
  t.equal(eth0.enabled, true)
  await lab.cable('down')
  t.match(await finding(), { code: 'no-carrier', title: 'The cable is out' })
})

t.test('an argument that cannot be is refused by its name, and the connection lives on', async t => {
  await using lab = await SupplicantLab.raise(t)
  const { wpa, eth0 } = await lab.connect()
  await using _ = wpa
  const wrong = (value: unknown): never => value as never
  const block = { id_str: 'x', key_mgmt: 'NONE' }
  const cases: [() => Promise<unknown>, RegExp][] = [
    [() => connectSupplicant('nonsense'), /^address must be a D-Bus address, e\.g\. unix:path=/],
    [() => connectSupplicant(lab.bus.address, { deadline: NaN }), /^deadline must be .* milliseconds/],
    [() => wpa.interface({ name: '', driver: 'wired' }), /^interface\.name must be/],
    [
      () => wpa.interface({ name: 'eth0', driver: wrong('sorcery') }),
      /^interface\.driver must be one of wired/,
    ],
    [
      () => wpa.interface({ name: 'eth0', driver: 'nl80211', country: 'Germany' }),
      /^interface\.country .*DE/,
    ],
    [
      () => wpa.interface({ name: 'eth0', driver: 'wired', country: 'DE' }),
      /^interface\.country is for radios/,
    ],
    [() => eth0.setCountry('de'), /^country must be an ISO 3166 country/],
    [() => eth0.addBlob({ name: '', bytes: Buffer.from('x') }), /^blob\.name must be text/],
    [() => eth0.addBlob({ name: 'key', bytes: Buffer.alloc(0) }), /^blob key: bytes must be bytes/],
    [() => eth0.select('not a path'), /^SelectNetwork: path must be an object path/],
    [() => eth0.enable('not a path'), /^Set: path must be an object path/],
    [() => eth0.roam('a\0b'), /^Roam: argument 1 must be text without/],
    [() => eth0.roam(wrong(5)), /^Roam: an argument has the wrong type/],
    [() => scan(eth0, { frequencies: [2.4] }), /^scan\.frequencies\[0\] must be .* MHz/],
    [() => join(eth0, block, { frequencies: wrong(2412) }), /^join\.frequencies must be a list/],
    [() => join(eth0, block, { deadlines: { handshake: NaN } }), /^join\.deadlines\.handshake must be/],
    [() => join(eth0, block, { deadlines: wrong({ hurry: 1 }) }), /^join\.deadlines\.hurry is not known/],
  ]
  for (const [act, message] of cases)
    await t.rejects(act(), { code: 'invalid-argument', retry: 'change', message })
  const thrown = new Error('thrown by onProgress')
  const onProgress = () => {
    throw thrown
  }
  await t.rejects(join(eth0, block, { onProgress }), { message: 'thrown by onProgress' })
  t.equal((await join(eth0, block)).attempt.outcome?.kind, 'joined')
})
