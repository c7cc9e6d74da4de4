/** Three tiers of CAs, root, policy and issuing: all between go along with the certificate, wherever they come from, and nothing else does. */
import t from 'tap'
import { X509Certificate } from 'node:crypto'
import { withoutRoots } from '../../../agent/certificate.ts'
import { establishTrust, issuersAboveChain } from '../../../agent/scep/index.ts'
import { bag, fixtureKey, issuedBy, rootCa, type Holder } from '../../scep-server/authority.ts'
import { envelope } from '../../scep-server/cert-rep.ts'
import { scepTestServer, type Answer } from '../../scep-server/server.ts'
import type { ReceivedRequest } from '../../scep-server/read-request.ts'
import { plainShape } from '../../scep-server/shapes.ts'
import { enrol, thrownBy } from './enrolling.ts'

const below = (above: Holder, name: string, key: 'rsa-2048-b' | 'rsa-2048-c'): Holder =>
  issuedBy(above, name, fixtureKey(key), {
    ca: true,
    usage: ['keyCertSign', 'digitalSignature', 'keyEncipherment'],
  })
const root = rootCa('Root', fixtureKey('rsa-2048-a'))
const policy = below(root, 'Policy', 'rsa-2048-b')
const issuing = below(policy, 'Issuing', 'rsa-2048-c')
const ra = issuedBy(root, 'RA', fixtureKey('rsa-3072'), { usage: ['digitalSignature', 'keyEncipherment'] })
const stranger = rootCa('Stranger', fixtureKey('rsa-3072'))
/** The policy CA of yesterday, with the key of today. */
const expired = issuedBy(root, 'Policy', fixtureKey('rsa-2048-b'), {
  ...{
    ca: true,
    usage: ['keyCertSign'],
    notBefore: new Date(Date.now() - 9e9),
    notAfter: new Date(Date.now() - 9e7),
  },
})

const mine = (): X509Certificate => issuedBy(issuing, 'sensor-1', fixtureKey('rsa-2048-d')).certificate
const certificatesOf = (holders: Holder[]): X509Certificate[] => holders.map(each => each.certificate)
/** Beside our certificate in the envelope. */
const inEnvelope =
  (...holders: Holder[]) =>
  ({ signer }: ReceivedRequest): Answer => ({
    content: envelope(bag([...certificatesOf(holders), mine()]), { recipient: signer }),
  })
/** Beside the envelope. */
const inCertRep =
  (...holders: Holder[]) =>
  (): Answer => ({ certificates: certificatesOf(holders) })

interface Case {
  name: string
  uploaded: Holder[]
  fetched: Holder[]
  answer?: (request: ReceivedRequest) => Answer
  /** Whom the request is for. */
  server?: Holder
  chain: string[]
  above?: string[]
}
const cases: Case[] = [
  {
    name: 'S2-46: the root is uploaded, the others are fetched',
    uploaded: [root],
    fetched: [policy, issuing],
    chain: ['Issuing', 'Policy', 'Root'],
  },
  {
    name: 'S2-45: all are uploaded',
    uploaded: [root, issuing, policy],
    fetched: [issuing],
    chain: ['Issuing', 'Policy', 'Root'],
  },
  {
    name: 'S2-44: the issuing CA alone is uploaded, all are fetched',
    uploaded: [issuing],
    fetched: [root, issuing, stranger, policy],
    chain: ['Issuing'],
    above: ['Policy', 'Root'],
  },
  {
    name: 'S2-44: the one between is not uploaded and not fetched, and comes with our certificate',
    uploaded: [root, issuing],
    fetched: [issuing],
    answer: inEnvelope(stranger, policy),
    chain: ['Issuing'],
    above: ['Policy', 'Root'],
  },
  {
    name: 'S2-44: the issuing CA alone is uploaded and fetched, the others come with our certificate',
    uploaded: [issuing],
    fetched: [issuing],
    answer: inEnvelope(expired, stranger, root, policy),
    chain: ['Issuing'],
    above: ['Policy', 'Root'],
  },
  {
    name: 'B-24: they come beside the envelope',
    uploaded: [issuing],
    fetched: [issuing],
    answer: inCertRep(stranger, policy, issuing),
    chain: ['Issuing'],
    above: ['Policy'],
  },
  {
    name: 'B-24: the CAs that issue come beside the envelope alone, and a server of the root answers',
    uploaded: [root],
    fetched: [ra],
    server: ra,
    answer: inCertRep(ra, policy, issuing),
    chain: ['Issuing', 'Policy', 'Root'],
  },
  {
    name: 'of two policy CAs with one key the one that is valid is taken',
    uploaded: [root],
    fetched: [ra],
    server: ra,
    answer: inEnvelope(expired, policy, issuing),
    chain: ['Issuing', 'Policy', 'Root'],
  },
]

for (const { name, uploaded, fetched, answer, server: holder = issuing, chain, above = [] } of cases)
  t.test(name, async t => {
    const shape = {
      ...plainShape(),
      caReply: { type: 'application/x-x509-ca-ra-cert', body: bag(certificatesOf(fetched)) },
      ...{ ca: issuing, decrypter: holder, signer: holder },
    }
    await using server = await scepTestServer({ shape, answers: answer ? [answer] : [] })
    const roots = uploaded.map(each => each.certificate.toString())
    const outcome = await enrol(server.url, { trust: { roots } })
    if (outcome.status !== 'issued') throw new Error('it is pending')
    const names = (pems: string[]): string[] => pems.map(pem => new X509Certificate(pem).subject.slice(3))
    t.strictSame(names(outcome.chain), chain, 'what was verified, up to the anchor')
    t.strictSame(names(outcome.above), above, 'what is above it')
    const policies = [...outcome.chain, ...outcome.above].filter(
      pem => pem === expired.certificate.toString(),
    )
    t.strictSame(policies, [], 'none that has expired')
  })

t.test('a CA above the only one that is uploaded is not called a stranger, and is not trusted', async t => {
  const certificates = certificatesOf([root, issuing, stranger, policy])
  const settings = { roots: [issuing.certificate.toString()], fingerprint: null }
  const trust = establishTrust({ certificates, warnings: [] }, settings, new Date())
  for (const trusted of [trust.anchors, trust.chain, trust.certificates])
    t.strictSame(
      trusted.map(each => each.subject),
      ['CN=Issuing'],
    )
  t.match(trust.warnings, [
    { code: 'unrelated-certificate', text: /^"CN=Stranger" is left aside/ },
    { code: 'no-root', text: /"CN=Root" .* is above what is uploaded, .* upload it/ },
  ])
  t.equal(trust.warnings.length, 2)
})

t.test('no root goes along with the certificate; a CA that its own older key has signed does', async t => {
  const renewed = below(root, 'Root', 'rsa-2048-b')
  const pems = [issuing, renewed, policy, root].map(each => each.certificate.toString())
  t.strictSame(withoutRoots(pems.join('')), pems.slice(0, 3))
})

t.test(
  'S2-44: a CA between that is uploaded later completes the chain, and what is no part of it does not',
  async t => {
    const pems = (...holders: Holder[]): string[] => holders.map(each => each.certificate.toString())
    const chain = mine().toString() + pems(issuing).join('')
    t.strictSame(issuersAboveChain(chain, pems(stranger, root, issuing, ra, policy)), pems(policy, root))
    t.strictSame(issuersAboveChain(chain, pems(stranger, root, issuing)), [])
  },
)

t.test(
  'B-11, B-13: an RA that nobody vouches for is named, and the password does not go to a CA that cannot open it',
  async t => {
    const narrow = { ca: true, usage: ['keyCertSign', 'cRLSign'] as const }
    const [own, able] = [
      issuedBy(root, 'Issuing', fixtureKey('rsa-2048-c'), { ...narrow, usage: [...narrow.usage] }),
      issuedBy(root, 'Issuing', fixtureKey('rsa-2048-c'), {
        ca: true,
        usage: ['keyCertSign', 'keyEncipherment'],
      }),
    ]
    const trustIn = (ca: Holder) =>
      establishTrust(
        { certificates: certificatesOf([ra, ca, root]), warnings: [] },
        { roots: [ca.certificate.toString()], fingerprint: null },
        new Date(),
      )
    t.match(
      thrownBy(() => trustIn(own)),
      {
        code: 'ca-untrusted',
        problem: {
          title: /RA certificate/,
          detail: /issuer "CN=Root" is missing|"CN=Root" is self-signed/,
          hint: /Upload the root/,
        },
      },
    )
    t.equal(trustIn(able).recipient.subject, 'CN=Issuing', 'a CA that enciphers may do without')
  },
)
