import t from 'tap'
import { planDevice } from '../../../agent/core/device-plan.ts'
import { planInterface } from '../../../agent/core/plan.ts'
import { basisOf, revisionOf, wantedRevision } from '../../../agent/core/want.ts'
import type { Actual, CredentialState, Network, NetworkHistory } from '../../../agent/types.ts'
import { due, failing } from './renewal.ts'
import { actualOf, corp, day, desiredOf, issued, lease, now, queue, withProfile } from './world.ts'

const hour = 3_600_000
const iso = (time: number | undefined) => (time === undefined ? undefined : new Date(time).toISOString())

const options = { brokerOverTested: false, queue }
const candidate = issued('f2').current as NonNullable<CredentialState['candidate']>
const candidateRevision = revisionOf(corp, 'f2', 'supplicant')
const renewable = { corp: due(5) }
const revision = wantedRevision(corp, actualOf({ credentials: renewable }), now) ?? ''
const onCorp = {
  blocks: [{ path: '/1', network: 'corp', revision }],
  ...{ joined: { network: 'corp', revision, at: now }, lease },
}
const tested = {
  lastTest: { at: now, passed: true, probes: [], revision },
  inspected: { fingerprint: 'f1', at: now },
}
const proof = (at: number, judged: boolean): NetworkHistory => ({
  failedProof: {
    ...{ generation: candidate.generation, at, judged },
    finding: { code: 'x', title: '', detail: '', hint: '', side: 'server', retry: 'backoff' },
  },
})
const joinFailed = (at: number): NetworkHistory => ({
  setback: {
    finding: { code: 'x', title: '', detail: '', hint: '', side: 'server', retry: 'backoff' },
    ...{ action: 'join', since: at, last: at, count: 1, until: now, basis: '' },
  },
})
const withCandidate = { corp: { ...renewable.corp, candidate } }
const plan = (actual: Actual, desired = desiredOf()) =>
  planInterface(desired, actual, 'eth0', now, options).steps.map(step => `${step.action} ${step.network}`)
const on = (credentials: Actual['credentials'], history: NetworkHistory = {}, renewals = {}) =>
  actualOf(
    {
      credentials,
      history: { corp: { ...tested, ...history } },
      renewals: { requested: [], enrolments: [], ...renewals },
    },
    onCorp,
  )

const proofs: [string, Actual, string[]][] = [
  ['S2-51, S2-65: a certificate that is due is renewed over its own network', on(renewable), ['renew corp']],
  ['a new certificate is tried at once', on(withCandidate), ['install corp', 'prove corp']],
  ['after a failed login with it, the one in force is used', on(withCandidate, proof(now - 1, false)), []],
  [
    'and joined for that, whatever else there is to do',
    actualOf(
      { credentials: withCandidate, history: { corp: { ...tested, ...proof(now - 1, false) } } },
      { blocks: onCorp.blocks },
    ),
    ['join corp', 'lease corp'],
  ],
  [
    'when neither works nothing is judged, and both are tried in turn',
    on(withCandidate, { ...proof(now - 2, false), ...joinFailed(now - 1) }),
    ['install corp', 'prove corp'],
  ],
  [
    'a candidate at fault is tried again at the pace of the queue',
    on(withCandidate, proof(now - hour, true)),
    ['install corp', 'prove corp'],
  ],
  ['and not at once, however long ago it was issued', on(withCandidate, proof(now - 1, true)), []],
  [
    'and its block is not installed twice',
    actualOf(
      { credentials: withCandidate, history: { corp: { ...tested, ...proof(now - hour, true) } } },
      { ...onCorp, blocks: [...onCorp.blocks, { path: '/2', network: 'corp', revision: candidateRevision }] },
    ),
    ['prove corp'],
  ],
  ['and not before', on(withCandidate, proof(now - 1, true), { lastAttempt: now - hour / 2 }), []],
  [
    'a person can have a newer one',
    on(withCandidate, proof(now - 1, true), { requested: ['corp'], enrolments: [] }),
    ['renew corp'],
  ],
  [
    'a candidate that expired untried is of no use: another one is asked for',
    on({
      corp: {
        ...renewable.corp,
        candidate: { ...candidate, certificate: { ...candidate.certificate, notAfter: now - 1 } },
      },
    }),
    ['renew corp'],
  ],
  [
    'the block of a candidate is not stale',
    actualOf(
      { credentials: withCandidate, history: { corp: { ...tested, ...proof(now - 1, false) } } },
      { ...onCorp, blocks: [...onCorp.blocks, { path: '/2', network: 'corp', revision: candidateRevision }] },
    ),
    [],
  ],
]
const elsewhere = desiredOf({ tested: [{ ...corp, interface: 'eth2' }] })

t.test('what belongs to another interface is not planned for this one', async t => {
  const idle = { blocks: [] }
  t.strictSame(plan(actualOf({ credentials: renewable }, idle), elsewhere), [])
  const judged = { corp: proof(now - hour, true) }
  t.strictSame(plan(actualOf({ credentials: withCandidate, history: judged }, idle), elsewhere), [])
})

t.test('a renewal that overtakes says whom', async t => {
  const branch: Network = { ...corp, id: 'branch', assignment: 'b1' }
  const near = { ...due(3, 0.2 * hour), assignment: 'b1' }
  const desired = desiredOf({ tested: [corp, branch] })
  const actual = actualOf({ credentials: { corp: due(5), branch: near } })
  const { steps } = planInterface(desired, actual, 'eth0', now, options)
  t.match(steps.at(-1), { action: 'renew', network: 'branch', overtakes: 'corp' })
})

for (const [name, actual, expected] of proofs)
  t.test(name, async t => {
    t.strictSame(plan(actual), expected)
  })

const withLadder = (ladder: NonNullable<NonNullable<Network['profile']['scep']>['ladder']>) =>
  desiredOf({
    tested: [withProfile(corp, corp.profile.scep ? { scep: { ...corp.profile.scep, ladder } } : {})],
  })

t.test(
  'the ladder, where it is switched on: renewal over the enrollment network after a while, enrolment after expiry',
  async t => {
    const desired = withLadder({ enrollmentNetworkAfterHours: 1, reenrollAfterExpiry: true })
    const network = desired.tested[0] ?? corp
    const before = actualOf({ credentials: renewable }, onCorp)
    const history = { corp: { ...tested, ...failing(network, before, basisOf(network, desired, before)) } }
    t.strictSame(plan({ ...before, history }, desired), [
      'install onboarding',
      'join onboarding',
      'lease onboarding',
      'renew corp',
    ])
    t.strictSame(plan({ ...before, history }, withLadder({ reenrollAfterExpiry: false })), ['renew corp'])
    const lost = (since: number) => ({
      corp: { setback: { ...joinFailed(since).setback, until: now + hour } },
    })
    const apart = (history: Actual['history']) => actualOf({ credentials: renewable, history })
    t.strictSame(
      plan(apart(lost(now - 2 * hour) as Actual['history']), desired),
      ['install onboarding', 'join onboarding', 'lease onboarding', 'renew corp'],
      'also when the tested network cannot be joined at all',
    )
    t.strictSame(plan(apart(lost(now - hour / 2) as Actual['history']), desired), [
      'install corp',
      'join corp',
      'lease corp',
      'renew corp',
    ])
    const refused = { ...failing(network, before, basisOf(network, desired, before)).failedRenewal }
    const answered = {
      corp: { ...tested, failedRenewal: { ...refused, finding: { ...refused.finding, side: 'server' } } },
    }
    t.strictSame(
      plan({ ...before, history: answered as Actual['history'] }, desired),
      ['renew corp'],
      'a server that refused was reached',
    )
    const both = { corp: { ...history.corp, ...lost(now - 1).corp } } as Actual['history']
    t.strictSame(plan({ ...before, history: both }, desired)[0], 'install onboarding')
    t.strictSame(
      plan(actualOf({ credentials: renewable }, onCorp), desired),
      ['renew corp'],
      'not at the first try',
    )
    const expired = actualOf({ credentials: { corp: due(5, -hour) } })
    t.strictSame(plan(expired, desired).at(-1), 'enroll corp')
    t.strictSame(plan(expired, withLadder({ reenrollAfterExpiry: false })).at(-1), 'test corp')
  },
)

t.test('a person is warned once for each threshold, and the loop looks again at the next', async t => {
  const state = issued('f1', 'a1', { notBefore: now - 300 * day, notAfter: now + 65 * day })
  const later = now + 60 * day
  const look = (history: Actual['history'], at: number) =>
    planDevice(desiredOf(), actualOf({ credentials: { corp: state }, history }), at)
  t.equal(iso(look({}, now).wakeAt), iso(now + 37 * day))
  t.match(look({}, later).steps, [{ action: 'warn', network: 'corp', days: 7 }])
  t.strictSame(planDevice(desiredOf(), actualOf(), now).steps, [])
  t.strictSame(look({ corp: { warned: { f1: 7 } } }, later).steps, [])
})

t.test(
  'S1-59, S1-17: a certificate asked for afresh is enrolled over the enrollment network, beside the one in force',
  async t => {
    const asked = on(renewable, {}, { enrolments: ['corp'] })
    t.equal(plan(asked).at(-1), 'enroll corp')
    const off = desiredOf({ tested: [withProfile(corp, { enabled: false })] })
    const none = actualOf({ renewals: { requested: [], enrolments: ['corp'] } })
    t.equal(plan(none, off).at(-1), 'enroll corp', 'S1-03: also for a network that is switched off')
  },
)

t.test(
  'S1-16: a session whose certificate was removed stays open, and its block goes when it has ended',
  async t => {
    const removed = { corp: { assignment: 'a1', removed: { at: now } } }
    t.strictSame(plan(actualOf({ credentials: removed }, onCorp)), [])
    t.strictSame(plan(actualOf({ credentials: removed }, { blocks: onCorp.blocks })), ['uninstall corp'])
  },
)

t.test('S1-17: a refused enrolment does not keep a certificate in force from being used', async t => {
  const finding = {
    code: 'x',
    title: '',
    detail: '',
    hint: '',
    side: 'server' as const,
    retry: 'change' as const,
  }
  const actual = actualOf({ credentials: { corp: due(-50) } }, { blocks: onCorp.blocks })
  const basis = basisOf(corp, desiredOf(), actual)
  const setback = { action: 'enroll', finding, basis, since: now, last: now, count: 1, until: undefined }
  t.not(plan({ ...actual, history: { corp: { setback } } }).length, 0)
})
