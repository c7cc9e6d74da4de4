/** What a block is made of beside its document. The CA between two renewals: what the SCEP server showed last is watched, and the one that takes over is trusted for EAP. */
import t from 'tap'
import { planInterface } from '../../../agent/core/plan.ts'
import { watchedOf } from '../../../agent/core/validity.ts'
import { revisionOf, trustsScepAnchors, wantedRevision } from '../../../agent/core/want.ts'
import type { Authority, Network } from '../../../agent/types.ts'
import { actualOf, corp, desiredOf, issued, lease, now, onboarding, queue, withProfile } from './world.ts'

const { eap, scep } = corp.profile
if (!eap || !scep) throw new Error('unreachable: corp has both')
const withEap = (changes: object): Network => withProfile(corp, { eap: { ...eap, ...changes } })
const uploaded = { scep: { ...scep, caCertificates: ['pem'] } }

const cases: [string, Network, boolean][] = [
  ['nothing named: what GetCACert returned (S2-47)', corp, true],
  ['Specify Server CA alone', withEap({ serverCa: ['pem'] }), false],
  ['Specify Server CA beside uploaded ones', withProfile(withEap({ serverCa: ['pem'] }), uploaded), true],
  ['uploaded ones', withProfile(corp, uploaded), true],
  ['serverCaOnly', withEap({ serverCaOnly: true, serverCa: ['pem'] }), false],
  ['any server', withEap({ acceptAnyServer: true }), false],
  ['no certificate by SCEP', onboarding, false],
  ['no 802.1X', withProfile(corp, { eap: undefined }), false],
]
for (const [sentence, network, trusted] of cases)
  t.test(`B-17: the CA that takes over is ${trusted ? '' : 'no '}part of the block: ${sentence}`, async t => {
    t.equal(trustsScepAnchors(network), trusted)
    const [before, after] = [undefined, 'n1'].map(next => revisionOf(network, 'f1', 'supplicant', next))
    t.equal(before !== after, trusted)
  })

const plan = (credential: object): string[] => {
  const credentials = { corp: { ...issued(), ...credential } }
  const revision = revisionOf(corp, 'f1', 'supplicant')
  const joined = { network: 'corp', revision, at: now }
  const actual = actualOf(
    { credentials },
    { blocks: [{ path: '/1', network: 'corp', revision }], joined, lease },
  )
  const { steps } = planInterface(desiredOf(), actual, 'eth0', now, { brokerOverTested: false, queue })
  return steps.map(step => step.action)
}

t.test('B-17: when it is announced between two renewals, the block is made anew', async t => {
  t.strictSame(plan({}), ['test'])
  t.strictSame(plan({ next: 'n1' }), ['uninstall'])
  const actual = actualOf({ credentials: { corp: { ...issued(), next: 'n1' } } })
  t.equal(wantedRevision(corp, actual, now), revisionOf(corp, 'f1', 'supplicant', 'n1'))
})

t.test('S1-26: what the SCEP server showed last is watched, not what it had at the transaction', async t => {
  const authority = (fingerprint: string): Authority => ({
    ...{ role: 'ra', fingerprint, subject: 'CN=RA', notBefore: now, notAfter: now + 1 },
  })
  const credential = { ...issued(), authorities: [authority('old')] }
  const of = (history: object): string[] => watchedOf(credential, history).map(each => each.fingerprint)
  t.strictSame(of({}), ['f1', 'old'])
  t.strictSame(of({ ca: { at: now, authorities: [authority('renewed')] } }), ['f1', 'renewed'])
  t.strictSame(
    watchedOf(issued(), {}).map(each => each.fingerprint),
    ['f1'],
  )
  t.strictSame(watchedOf(), [])
})

t.test(
  'S2-26: another name of the sensor is another login where an identity asks for it, and nowhere else',
  async t => {
    for (const [network, asks] of [
      [withEap({ anonymousIdentity: '{name}@example.org' }), true],
      [corp, false],
    ] as const) {
      const [before, after] = ['lobby', 'hall'].map(name =>
        revisionOf({ ...network, name }, 'f1', 'supplicant'),
      )
      t.equal(before !== after, asks)
    }
  },
)
