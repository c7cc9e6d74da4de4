/** Whom to believe, decided before the challenge password is sent. */
import t from 'tap'
import { createHash, createPublicKey, type X509Certificate } from 'node:crypto'
import { establishTrust, type TrustSettings } from '../../../agent/scep/index.ts'
import { fixtureKey, issuedBy, rootCa } from '../../scep-server/authority.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { ndesShape } from '../../scep-server/shapes.ts'
import { enrol, scepErrorOf, thrownBy } from './enrolling.ts'

const root = rootCa('Root', fixtureKey('rsa-2048-a'))
const sub = issuedBy(root, 'Sub', fixtureKey('rsa-2048-b'), {
  ca: true,
  usage: ['keyCertSign', 'digitalSignature'],
})
const ra = issuedBy(sub, 'RA', fixtureKey('rsa-2048-c'), {
  ca: false,
  usage: ['digitalSignature', 'keyEncipherment'],
})
const stranger = rootCa('Stranger', fixtureKey('rsa-2048-d'))
/** The name of the root with another key. */
const impostor = rootCa('Root', fixtureKey('rsa-2048-d'))

const trust = (
  certificates: { certificate: X509Certificate }[],
  settings: Partial<TrustSettings> = {},
  now: Date | 'untrusted' = new Date(),
) =>
  establishTrust(
    { certificates: certificates.map(each => each.certificate), warnings: [] },
    { roots: [], fingerprint: null, ...settings },
    now === 'untrusted' ? undefined : now,
  )
const pemOf = (...holders: { certificate: X509Certificate }[]): string =>
  holders.map(each => each.certificate.toString()).join('')
const codes = (found: { warnings: { code: string }[] }): string[] => found.warnings.map(each => each.code)

t.test('S2-42 … S2-48: what is uploaded, what is fetched, and what comes of it', async t => {
  const cases = [
    {
      name: 'S2-45: all uploaded, the issuing CA fetched',
      from: [sub],
      roots: [pemOf(root, sub)],
      basis: 'uploaded',
      chain: ['Sub', 'Root'],
      warned: [],
    },
    {
      name: 'S2-46: the root uploaded, the issuing CA fetched',
      from: [sub],
      roots: [pemOf(root)],
      basis: 'uploaded',
      chain: ['Sub', 'Root'],
      warned: [],
    },
    {
      name: 'S2-46: the same with an RA',
      from: [ra, sub],
      roots: [pemOf(root)],
      basis: 'uploaded',
      chain: ['Sub', 'Root'],
      warned: [],
    },
    {
      name: 'S2-44: the intermediate uploaded too, because the server returns the RA alone',
      from: [ra],
      roots: [pemOf(root), pemOf(sub)],
      basis: 'uploaded',
      chain: ['Sub', 'Root'],
      warned: [],
    },
    {
      name: 'S2-47, B-15: nothing uploaded, the whole chain fetched',
      from: [ra, root, sub],
      roots: [],
      basis: 'first-use',
      chain: ['Sub', 'Root'],
      warned: ['trust-on-first-use'],
    },
    {
      name: 'S2-48, B-14: nothing uploaded and no root fetched',
      from: [sub, ra],
      roots: [],
      basis: 'first-use',
      chain: ['Sub'],
      warned: ['trust-on-first-use', 'no-root'],
    },
    {
      name: 'S2-43: only the intermediate uploaded',
      from: [sub],
      roots: [pemOf(sub)],
      basis: 'uploaded',
      chain: ['Sub'],
      warned: ['no-root'],
    },
    {
      name: 'a certificate that does not belong there',
      from: [sub, stranger],
      roots: [pemOf(root)],
      basis: 'uploaded',
      chain: ['Sub', 'Root'],
      warned: ['unrelated-certificate'],
    },
  ]
  for (const { name, from, roots, basis, chain, warned } of cases) {
    const found = trust(from, { roots })
    t.equal(found.basis, basis, name)
    t.strictSame(
      found.chain.map(each => each.subject.slice(3)),
      chain,
      'the chain for EAP, lowest first, never an RA',
    )
    t.strictSame(codes(found), warned, 'and it says what is doubtful')
    t.equal(found.recipient.subject.slice(3), from.includes(ra) ? 'RA' : 'Sub')
    t.equal(found.issuer.subject, 'CN=Sub')
  }
})

t.test(
  'S2-49, B-12: the fingerprint names the root or the CA that is returned, and a wrong one ends it',
  async t => {
    const of = (holder: { certificate: X509Certificate }, digest = 'sha256') =>
      createHash(digest).update(holder.certificate.raw).digest('hex')
    t.match(trust([ra, sub, root], { fingerprint: of(root) }), {
      basis: 'fingerprint',
      fingerprints: [of(root)],
      warnings: [],
    })
    t.match(trust([sub], { fingerprint: of(root), roots: [pemOf(root)] }), { basis: 'uploaded' })
    t.strictSame(codes(trust([sub, ra], { fingerprint: of(sub) })), ['no-root'])
    t.strictSame(codes(trust([root], { fingerprint: of(root, 'sha1') })), ['weak-fingerprint'])
    t.strictSame(codes(trust([root], { fingerprint: of(root, 'md5') })), ['weak-fingerprint'])
    for (const [from, fingerprint] of [
      [[root], of(stranger)],
      [[impostor], of(root)],
      [[ra, sub, root], of(ra)],
    ] as const)
      t.match(
        thrownBy(() => trust([...from], { fingerprint })),
        { code: 'fingerprint-mismatch', kind: 'misconfigured' },
      )
  },
)

t.test('B-13: certificates are verified, not looked at', async t => {
  const forgedSub = issuedBy(impostor, 'Sub', fixtureKey('rsa-2048-b'), { ca: true, usage: ['keyCertSign'] })
  const notCa = issuedBy(root, 'No CA', fixtureKey('rsa-2048-b'), { ca: false })
  const byNotCa = issuedBy(notCa, 'RA', fixtureKey('rsa-2048-c'), {})
  const shallow = rootCa('Shallow', fixtureKey('rsa-2048-a'), { pathLength: 0 })
  const tooDeep = issuedBy(
    issuedBy(shallow, 'Sub', fixtureKey('rsa-2048-b'), { ca: true }),
    'RA',
    fixtureKey('rsa-2048-c'),
  )
  const cases = [
    ['signed by a key of the same name', [forgedSub], [pemOf(root)], 'ca-untrusted'],
    ['another root', [stranger], [pemOf(root)], 'ca-untrusted'],
    ['issued by an ordinary certificate', [byNotCa], [pemOf(root), pemOf(notCa)], 'ca-untrusted'],
    [
      'longer than pathLenConstraint',
      [tooDeep],
      [pemOf(shallow), pemOf(issuedBy(shallow, 'Sub', fixtureKey('rsa-2048-b'), { ca: true }))],
      'ca-untrusted',
    ],
    [
      'a critical extension that is not understood',
      [issuedBy(root, 'RA', fixtureKey('rsa-2048-c'), { critical: '1.2.3.4' })],
      [pemOf(root)],
      'ca-untrusted',
    ],
    ['no CA certificate at all', [ra], [], 'ca-untrusted'],
    ['an issuer that is missing', [ra], [pemOf(root)], 'ca-untrusted'],
    ['no PEM', [root], ['MIIB'], 'root-invalid'],
    [
      'a PEM of nonsense',
      [root],
      ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
      'root-invalid',
    ],
  ] as const
  for (const [name, from, roots, code] of cases)
    t.match(
      thrownBy(() => trust([...from], { roots })),
      { code, kind: 'misconfigured' },
      name,
    )
  t.match(
    thrownBy(() => trust([forgedSub], { roots: [pemOf(root)] })),
    { problem: { detail: /issuer "CN=Root" is missing: one of that name is there/ } },
    'what is wrong with it is said',
  )
})

t.test(
  'a CA is what basicConstraints says, and without them an old root that is for nothing else only',
  async t => {
    const own = (options: object) => rootCa('Old', fixtureKey('rsa-2048-a'), options)
    for (const usage of [[], ['keyCertSign']])
      t.equal(trust([own({ ca: undefined, usage })]).basis, 'first-use', usage.join() || 'no keyUsage')
    for (const options of [
      { ca: undefined, usage: ['digitalSignature'] },
      { ca: false, usage: [] },
    ])
      t.match(
        thrownBy(() => trust([own(options)])),
        { code: 'ca-untrusted' },
        JSON.stringify(options),
      )
  },
)

t.test('dates are judged by a trusted clock only', async t => {
  const day = 86_400_000
  const past = { notBefore: new Date(Date.now() - 90 * day), notAfter: new Date(Date.now() - day) }
  const oldRoot = rootCa('Root', fixtureKey('rsa-2048-a'), past)
  const oldRa = issuedBy(root, 'RA', fixtureKey('rsa-2048-c'), { ca: false, ...past })
  t.match(
    thrownBy(() => trust([oldRoot])),
    { code: 'ca-expired' },
  )
  t.match(
    thrownBy(() => trust([oldRa, root])),
    { code: 'ca-expired', problem: { hint: /NDES/ } },
    'an expired RA is no reason to send its message to the CA',
  )
  const signing = issuedBy(root, 'RA', fixtureKey('rsa-2048-b'), { usage: ['digitalSignature'] })
  const enciphering = (dates: object) =>
    issuedBy(root, 'RA', fixtureKey('rsa-2048-c'), { usage: ['keyEncipherment'], ...dates })
  t.match(
    thrownBy(() => trust([signing, enciphering(past), root])),
    { code: 'ca-expired', problem: { hint: /NDES/ } },
    'B-11: nor to the RA that signs only',
  )
  const { recipient } = trust([signing, enciphering(past), enciphering({}), root])
  t.equal(
    recipient.publicKey.equals(createPublicKey(fixtureKey('rsa-2048-c'))),
    true,
    'a new one beside it is used',
  )
  t.strictSame(codes(trust([oldRa, oldRoot], {}, 'untrusted')), ['clock-untrusted', 'trust-on-first-use'])
  t.match(
    trust([rootCa('Root', fixtureKey('rsa-2048-a'), { notAfter: new Date(Date.now() + 3 * day) })], {
      roots: [],
    }).warnings[1],
    { code: 'ca-expires' },
  )
})

t.test('B-11: without an RA for key encipherment another is taken, and a guess is said', async t => {
  const named = (name: string, usage: ('digitalSignature' | 'dataEncipherment')[]) =>
    issuedBy(root, name, fixtureKey('rsa-2048-c'), { usage })
  const [signs, data, unmarked] = [
    named('signs', ['digitalSignature']),
    named('data', ['dataEncipherment']),
    named('unmarked', []),
  ]
  for (const [from, subject, warned] of [
    [[signs, unmarked, data, root], 'CN=data', []],
    [[signs, unmarked, root], 'CN=unmarked', []],
    [[root, signs], 'CN=signs', ['recipient-guessed']],
    [[stranger, sub, root], 'CN=Sub', []],
  ] as const) {
    const found = trust([...from], { roots: [pemOf(root, stranger)] })
    t.equal(found.recipient.subject, subject)
    t.strictSame(codes(found), warned)
  }
})

t.test('B-15: what was trusted on first use is recognised, and its change is an alarm', async t => {
  const first = trust([sub, root])
  t.match(first.pin, /^[0-9a-f]{64}$/)
  t.match(trust([root, sub], { pinned: first.pin ?? '' }), { basis: 'pinned', pin: first.pin, warnings: [] })
  for (const order of [
    [stranger, ra, sub, root],
    [root, sub, ra, stranger],
  ]) {
    const { pin } = trust(order)
    t.equal(pin, first.pin, 'of two roots the one that the RA is under')
    t.equal(trust(order, { pinned: pin ?? '' }).recipient.subject, 'CN=RA')
  }
  t.match(
    thrownBy(() => trust([impostor], { pinned: first.pin ?? '' })),
    { code: 'ca-changed', kind: 'misconfigured' },
  )
  t.equal(
    trust([sub], { roots: [pemOf(root)], pinned: 'of yesterday' }).pin,
    null,
    'an uploaded root needs no pin',
  )
})

t.test('the password is not sent to a server that is not trusted', async t => {
  await using server = await scepTestServer({ shape: ndesShape() })
  await scepErrorOf(
    enrol(server.url, { challengePassword: 'secret', trust: { fingerprint: 'ab'.repeat(32) } }),
  )
  await scepErrorOf(enrol(server.url, { challengePassword: 'secret', trust: { roots: [pemOf(stranger)] } }))
  t.strictSame(server.messages, [])
})
