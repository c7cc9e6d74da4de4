import t from 'tap'
import { planDevice } from '../../../agent/core/device-plan.ts'
import { planInterface } from '../../../agent/core/plan.ts'
import { basisOf, purposeOf, wantedRevision } from '../../../agent/core/want.ts'
import type { Actual, Desired, Network, Setback } from '../../../agent/types.ts'
import {
  actualOf,
  corp,
  day,
  desiredOf,
  issued,
  lease,
  now,
  onboarding,
  queue,
  withProfile,
} from './world.ts'

const options = { brokerOverTested: false, queue }
const onTested = { brokerOverTested: true, queue }

const actions = (desired: Desired, actual: Actual, at = now, how = options): string[] =>
  planInterface(desired, actual, 'eth0', at, how).steps.map(step => `${step.action} ${step.network}`)

const enrolled = { corp: issued() }
const revision = (network: Network, actual: Actual): string => wantedRevision(network, actual, now) ?? ''
const onboardingRevision = revision(onboarding, actualOf())
const corpRevision = revision(corp, actualOf({ credentials: enrolled }))
const blocks = [
  { path: '/1', network: 'onboarding', revision: onboardingRevision },
  { path: '/2', network: 'corp', revision: corpRevision },
]
const joinedTo = (network: string, rev: string) => ({ joined: { network, revision: rev, at: now }, lease })
const tested = (at: number, rev = corpRevision) => ({
  corp: {
    lastTest: { at, passed: true, probes: [], revision: rev },
    inspected: { fingerprint: 'f1', at: Math.min(at, now) },
  },
})

const setbackFor = (network: Network, actual: Actual, changes: Partial<Setback> = {}): Setback => ({
  action: 'join',
  finding: { code: 'x', title: '', detail: '', hint: '', side: 'network', retry: 'backoff' },
  since: now,
  last: now,
  count: 1,
  until: now + 5000,
  basis: basisOf(network, desiredOf(), actual),
  ...changes,
})
const heldBack = (network: Network, actual: Actual, changes: Partial<Setback> = {}): Actual => ({
  ...actual,
  history: { ...actual.history, [network.id]: { setback: setbackFor(network, actual, changes) } },
})

const install = 'install onboarding'
const cases: [string, Desired, Actual, string[], number?, typeof options?][] = [
  [
    'S2-07: a network without a certificate is enrolled over its enrollment network first',
    desiredOf(),
    actualOf(),
    [install, 'join onboarding', 'lease onboarding', 'enroll corp'],
  ],
  [
    'an interrupted enrolment goes on over the enrollment network',
    desiredOf(),
    actualOf({
      credentials: {
        corp: { assignment: 'a1', open: { transactionId: 't', preparedAt: now, pending: false } },
      },
    }),
    [install, 'join onboarding', 'lease onboarding', 'enroll corp'],
  ],
  [
    'joined to the enrollment network, only the certificate is missing',
    desiredOf(),
    actualOf({}, { blocks, ...joinedTo('onboarding', onboardingRevision) }),
    ['uninstall corp'],
  ],
  [
    'S2-05: with a certificate the tested network is joined and tested',
    desiredOf(),
    actualOf(
      { credentials: enrolled },
      { blocks: blocks.slice(0, 1), ...joinedTo('onboarding', onboardingRevision) },
    ),
    ['install corp', 'join corp', 'lease corp', 'test corp'],
  ],
  [
    'joined without a lease, only the lease is missing',
    desiredOf(),
    actualOf(
      { credentials: enrolled },
      { blocks, joined: { network: 'corp', revision: corpRevision, at: now } },
    ),
    ['lease corp', 'test corp'],
  ],
  [
    'tested a moment ago, nothing is to be done',
    desiredOf(),
    actualOf({ credentials: enrolled, history: tested(now) }, { blocks, ...joinedTo('corp', corpRevision) }),
    [],
  ],
  [
    'tested before the test interval, it is tested again without a new login',
    desiredOf(),
    actualOf(
      { credentials: enrolled, history: tested(now - 300_000) },
      { blocks, ...joinedTo('corp', corpRevision) },
    ),
    ['test corp'],
  ],
  [
    'a test that lies in the future, because the clock was set back, does not count',
    desiredOf(),
    actualOf(
      { credentials: enrolled, history: tested(now + 100 * day) },
      { blocks, ...joinedTo('corp', corpRevision) },
    ),
    ['test corp'],
  ],
  [
    'a new certificate is tested at once, however young the last test is',
    desiredOf(),
    actualOf(
      { credentials: enrolled, history: tested(now, 'old') },
      { blocks, ...joinedTo('corp', corpRevision) },
    ),
    ['test corp'],
  ],
  [
    'an idle interface that lost its network joins it again',
    desiredOf(),
    actualOf({ credentials: enrolled, history: tested(now) }, { blocks }),
    ['join corp', 'lease corp'],
  ],
  [
    'S2-69: a changed assignment means enrolling afresh',
    desiredOf(),
    actualOf({ credentials: { corp: issued('f1', 'before') } }),
    [install, 'join onboarding', 'lease onboarding', 'enroll corp'],
  ],
  [
    'S1-15: a certificate that a person removed is not enrolled again',
    desiredOf(),
    actualOf({ credentials: { corp: { assignment: 'a1', removed: { at: now } } } }),
    [],
  ],
  [
    'S2-60: an expired certificate is not replaced by enrolling again',
    desiredOf(),
    actualOf(
      { credentials: enrolled, history: tested(now + 4 * day) },
      { blocks, ...joinedTo('corp', corpRevision) },
    ),
    [],
    now + 4 * day,
  ],
  [
    'S1-03: a disabled network is neither enrolled nor joined, and leaves the supplicant',
    desiredOf({ tested: [withProfile(corp, { enabled: false })] }),
    actualOf({ credentials: enrolled }, { blocks, ...joinedTo('corp', corpRevision) }),
    ['uninstall corp'],
  ],
  [
    'S1-16: a network that is no longer assigned leaves the supplicant before anything else',
    desiredOf({ tested: [], enrollment: [] }),
    actualOf({ credentials: enrolled }, { blocks }),
    ['uninstall onboarding', 'uninstall corp'],
  ],
  [
    'a network that moved to another interface leaves this one',
    desiredOf({ tested: [{ ...corp, interface: 'eth2' }] }),
    actualOf({ credentials: enrolled }, { blocks }),
    ['uninstall corp'],
  ],
  [
    'changed settings replace the block',
    desiredOf({
      enrollment: [
        withProfile(onboarding, {
          wireless: { ssid: 'x', hidden: false, security: 'open', frequencies: [] },
        }),
      ],
    }),
    actualOf({}, { blocks: blocks.slice(0, 1) }),
    ['uninstall onboarding'],
  ],
  [
    'a network without 802.1X certificate needs joining only',
    desiredOf({ tested: [{ ...onboarding, assignment: 'a2' }], enrollment: [] }),
    actualOf(),
    [install, 'join onboarding', 'lease onboarding', 'test onboarding'],
  ],
  [
    'a missing or foreign enrollment network leaves nothing to do',
    desiredOf({ enrollment: [{ ...onboarding, interface: 'eth2' }] }),
    actualOf(),
    [],
  ],
  [
    'an enrollment network that wants a certificate itself cannot be joined before it has one',
    desiredOf({ enrollment: [{ ...corp, id: 'onboarding', assignment: '' }] }),
    actualOf(),
    [],
  ],
  [
    'an enrolment that failed is left alone too',
    desiredOf(),
    heldBack(corp, actualOf({ credentials: { corp: { assignment: 'a1' } } })),
    [],
  ],
  ['without the supplicant nothing can be done', desiredOf(), actualOf({}, { supplicant: false }), []],
  ['after a failure the network is left alone', desiredOf(), heldBack(onboarding, actualOf()), []],
  [
    'when the wait is over it is tried again',
    desiredOf(),
    heldBack(onboarding, actualOf(), { until: now }),
    [install, 'join onboarding', 'lease onboarding', 'enroll corp'],
  ],
  [
    'S2-58: a changed document ends the wait',
    desiredOf({ tested: [withProfile(corp, { alias: 'changed' })] }),
    heldBack(corp, actualOf()),
    [install, 'join onboarding', 'lease onboarding', 'enroll corp'],
  ],
  [
    'with the broker behind the tested networks, an idle sensor stays reachable over the enrollment network',
    desiredOf(),
    heldBack(corp, actualOf()),
    [install, 'join onboarding', 'lease onboarding'],
    now,
    onTested,
  ],
]

for (const [name, desired, actual, expected, at, how] of cases)
  t.test(name, async t => {
    t.strictSame(actions(desired, actual, at, how), expected)
  })

t.test('the plan names the moment when something becomes due', async t => {
  const wake = (actual: Actual) => planInterface(desiredOf(), actual, 'eth0', now, options).wakeAt
  t.equal(wake(heldBack(onboarding, actualOf())), now + 5000, 'the end of a wait')
  t.equal(
    wake(heldBack(onboarding, actualOf(), { until: undefined })),
    undefined,
    'never, for a wait without end',
  )
  const settled = actualOf(
    { credentials: enrolled, history: tested(now) },
    { blocks, ...joinedTo('corp', corpRevision) },
  )
  t.equal(wake(settled), now + 300_000, 'the next test')
})

t.test(
  'S2-70: credentials go only when their network is not listed in a state confirmed to the broker',
  async t => {
    const gone = desiredOf({ tested: [], enrollment: [] })
    const forget = (desired: Desired, actual: Actual) =>
      planDevice(desired, actual, now).steps.map(step => step.network)
    t.strictSame(forget(gone, actualOf({ credentials: enrolled })), ['corp'])
    t.strictSame(forget(gone, actualOf({ credentials: enrolled, confirmed: false })), [])
    t.strictSame(forget({ ...gone, source: 'none' }, actualOf({ credentials: enrolled })), [])
    t.strictSame(forget(desiredOf(), actualOf({ credentials: enrolled })), [])
    const held = desiredOf({
      tested: [],
      held: [{ id: 'corp', assignment: 'a1', state: 'waiting', why: 'no profile' }],
    })
    t.strictSame(forget(held, actualOf({ credentials: enrolled })), [])
  },
)

t.test(
  'a step is pointless when its network is gone or rewritten, not when its alias or renewal rule changed',
  async t => {
    const before = purposeOf('corp', desiredOf())
    const scep = corp.profile.scep
    const changed = (network: Network) => purposeOf('corp', desiredOf({ tested: [network] }))
    t.equal(changed(withProfile(corp, { alias: 'new' })), before)
    t.equal(
      changed(withProfile(corp, scep ? { scep: { ...scep, renewal: { when: 'manual' } } } : {})),
      before,
    )
    t.not(changed(withProfile(corp, scep ? { scep: { ...scep, challengePassword: 'new' } } : {})), before)
    t.not(changed({ ...corp, assignment: 'a2' }), before)
    t.equal(purposeOf('corp', desiredOf({ tested: [] })), undefined)
    t.type(purposeOf('onboarding', desiredOf()), 'string')
  },
)
