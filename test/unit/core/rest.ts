import t from 'tap'
import { isHeldBack, radiusPatience, setback } from '../../../agent/core/setback.ts'
import { canonical, digest12 } from '../../../agent/core/hash.ts'
import { report } from '../../../agent/core/report.ts'
import type { Finding } from '../../../agent/errors.ts'
import type { Setback } from '../../../agent/types.ts'
import type { Step } from '../../../agent/core/step.ts'
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

const finding = (retry: Finding['retry'], code = 'x'): Finding => ({
  code,
  title: 'T',
  detail: 'D',
  hint: 'H',
  side: 'network',
  retry,
})
const failure = (retry: Finding['retry'], code?: string, action = 'join', basis = 'b') => ({
  action,
  finding: finding(retry, code),
  basis,
})

t.test('the waits are 5, 10, 20, 40, then 60 s for ever', async t => {
  let held: Setback | undefined
  const waits = Array.from({ length: 7 }, () => {
    held = setback(held, failure('backoff'), now, 0.5)
    return ((held.until ?? 0) - now) / 1000
  })
  t.strictSame(waits, [5, 10, 20, 40, 60, 60, 60])
  t.equal(held?.count, 7)
})

t.test(
  'what the sensor lost of its own is not waited for once it is there again, and only once in a row',
  async t => {
    for (const code of ['supplicant-absent', 'bus-closed', 'dhcp-client-failed']) {
      const lost = (action = 'join', basis = 'b') => failure('backoff', code, action, basis)
      let held = setback(undefined, lost(), now, 0.5)
      t.match(
        held,
        { count: 1, finding: { code }, until: now },
        `${code}: nothing is planned before it is there`,
      )
      t.notOk(isHeldBack(held, 'b', now))
      const waits = Array.from({ length: 4 }, () => {
        held = setback(held, lost(), now, 0.5)
        return ((held.until ?? 0) - now) / 1000
      })
      t.strictSame(waits, [10, 20, 40, 60], 'one that is lost at each try is waited for as all else is')
      t.match(setback(held, lost('lease'), now, 0.5), { count: 1, until: now + 5000 }, 'also in another step')
      t.match(
        setback(held, lost('join', 'changed'), now, 0.5),
        { until: now },
        'a changed document is tried at once',
      )
      const silent = setback(setback(undefined, lost(), now, 0.5), failure('backoff'), now, 0.5)
      t.match(silent, { count: 2, until: now + 10_000 }, 'what the try then meets with has its wait')
    }
  },
)

t.test(
  'a login that stopped half-way or went on too long may go on for 30 s the next time, and one that took long keeps them',
  async t => {
    t.equal(radiusPatience({}), 15_000)
    for (const [code, ms] of Object.entries({
      'eap-slow': 30_000,
      'eap-stalled': 30_000,
      'radius-silent': 15_000,
    })) {
      const held = setback(undefined, failure('backoff', code), now, 0.5)
      t.equal(radiusPatience({ setback: held }), ms, code)
      const failedProof = { generation: 'g', at: now, judged: false, finding: held.finding }
      t.equal(radiusPatience({ failedProof }), ms, `${code} of a new certificate`)
    }
    t.equal(radiusPatience({ lastJoin: { at: now, ms: 22_000, stages: {} } }), 30_000)
    const again = { at: now, ms: 10_030, stages: { selecting: 10_000 } }
    t.equal(radiusPatience({ lastJoin: again }), 15_000, 'one that was begun once more was quick then')
  },
)

t.test('the wait is spread by 20 % to either side', async t => {
  t.equal(setback(undefined, failure('backoff'), now, 0).until, now + 4000)
  t.equal(setback(undefined, failure('backoff'), now, 1).until, now + 6000)
})

t.test('where the other side says when to come back, that holds', async t => {
  const late = { ...failure('backoff'), finding: { ...finding('backoff'), retryAfter: 600 } }
  t.equal(setback(undefined, late, now, 0).until, now + 600_000)
})

t.test('what only a change can mend is tried every hour, what nothing can mend never', async t => {
  t.equal(setback(undefined, failure('change'), now, 0.5).until, now + 3_600_000)
  const never = setback(undefined, failure('never'), now, 0.5)
  t.equal(never.until, undefined)
  t.ok(isHeldBack(never, 'b', now + 365 * day))
  t.notOk(isHeldBack(never, 'changed', now))
  t.notOk(isHeldBack(undefined, 'b', now))
  const later = setback(undefined, failure('backoff'), now + 365 * day, 0.5)
  t.notOk(isHeldBack(later, 'b', now), 'a clock that was set back ends it')
})

t.test('another step, another basis or another finding starts counting anew where it should', async t => {
  const first = setback(undefined, failure('backoff'), now, 0.5)
  const same = setback(first, failure('backoff'), now + 1, 0.5)
  t.match(same, { count: 2, since: now })
  const otherFinding = setback(same, failure('backoff', 'y'), now + 2, 0.5)
  t.match(otherFinding, { count: 3, since: now + 2 }, 'the wait keeps growing, the problem is new')
  t.match(setback(same, failure('backoff', 'x', 'lease'), now + 2, 0.5), { count: 1 })
  t.match(setback(same, failure('backoff', 'x', 'join', 'c'), now + 2, 0.5), { count: 1 })
})

t.test('the same content has the same digest in any order of keys', async t => {
  t.equal(digest12({ a: 1, b: [{ d: null, c: undefined }] }), digest12({ b: [{ d: null }], a: 1 }))
  t.equal(canonical(undefined), 'null')
  t.match(digest12('x'), /^[0-9a-f]{12}$/)
})

const identity = { sensor: 's', serial: 'n', model: 'm', hostname: 'h', fqdn: '', macs: {} }
const device = {
  node: 'v20',
  clock: { trusted: true, source: 'system' as const, system: 'right' as const },
  health: undefined,
}
const reportOf = (desired = desiredOf(), actual = actualOf(), running: Step[] = []) =>
  report({ desired, actual, running, identity, version: '1', ...device, startedAt: now, now, queue })

const setbackNow = { ...setback(undefined, failure('backoff'), now, 0.5) }
const phases: [string, string, ReturnType<typeof reportOf>, string][] = [
  ['enrollment-due', 'corp', reportOf(), 'without a certificate'],
  [
    'enrolling',
    'corp',
    reportOf(undefined, undefined, [
      { action: 'enroll', interface: 'eth0', network: 'corp', over: 'onboarding' },
    ]),
    'while it is being enrolled',
  ],
  [
    'renewing',
    'corp',
    reportOf(undefined, undefined, [{ action: 'renew', interface: 'eth0', network: 'corp', over: 'corp' }]),
    'while its certificate is being renewed',
  ],
  [
    'renewing',
    'corp',
    reportOf(undefined, undefined, [
      { action: 'prove', interface: 'eth0', network: 'corp', generation: 'g', revision: 'r' },
    ]),
    'while its new certificate is being proved',
  ],
  [
    'testing',
    'corp',
    reportOf(undefined, undefined, [{ action: 'test', interface: 'eth0', network: 'corp' }]),
    'while it is being tested',
  ],
  [
    'joining',
    'corp',
    reportOf(undefined, undefined, [{ action: 'lease', interface: 'eth0', network: 'corp' }]),
    'while it is being joined',
  ],
  [
    'failing',
    'corp',
    reportOf(undefined, actualOf({ history: { corp: { setback: setbackNow } } })),
    'after a failure',
  ],
  [
    'disabled',
    'corp',
    reportOf(desiredOf({ tested: [withProfile(corp, { enabled: false })] })),
    'when switched off',
  ],
  [
    'removed',
    'corp',
    reportOf(undefined, actualOf({ credentials: { corp: { assignment: 'a1', removed: { at: now } } } })),
    'when a person removed its certificate',
  ],
  [
    'expired',
    'corp',
    report({
      ...{ desired: desiredOf(), actual: actualOf({ credentials: { corp: issued() } }), running: [] },
      ...{ identity, version: '1', ...device, startedAt: now, now: now + 4 * day, queue },
    }),
    'after its notAfter',
  ],
  ['idle', 'corp', reportOf(undefined, actualOf({ credentials: { corp: issued() } })), 'between its turns'],
  [
    'joined',
    'corp',
    reportOf(
      undefined,
      actualOf(
        { credentials: { corp: issued() } },
        { joined: { network: 'corp', revision: 'r', at: now }, lease: { ...lease, gateway: '10.0.0.1' } },
      ),
    ),
    'while it is joined with a lease',
  ],
  ['idle', 'onboarding', reportOf(), 'while nobody enrols over it'],
  [
    'waiting',
    'later',
    reportOf(desiredOf({ held: [{ id: 'later', assignment: 'a1', state: 'waiting', why: 'no profile' }] })),
    'without a profile',
  ],
]
for (const [phase, network, reported, when] of phases)
  t.test(`a network is reported ${phase} ${when}`, async t => {
    t.equal(reported.networks[network]?.phase, phase)
  })

t.test('a network that cannot be acted on keeps its role and its assignment in the report', async t => {
  const why = 'its profile was taken away'
  const { networks } = reportOf(
    desiredOf({
      held: [
        { id: 'corp', assignment: 'a1', state: 'suspended', why },
        { id: 'onboarding', assignment: '', state: 'suspended', why },
      ],
      ...{ tested: [], enrollment: [] },
    }),
  )
  t.strictSame(networks, {
    corp: { phase: 'suspended', role: 'tested', assignment: 'a1', why },
    onboarding: { phase: 'suspended', role: 'enrollment', why },
  })
})

t.test('an interface that the supplicant does not have is reported with the reason', async t => {
  const problem = { ...setbackNow.finding, code: 'supplicant-absent' }
  const reported = reportOf(undefined, actualOf({}, { supplicant: false, problem }))
  t.strictSame(reported.interfaces, { eth0: { supplicant: false, problem } })
})

t.test('the report carries certificate, results and problem with ISO times, and no secret', async t => {
  const history = {
    corp: {
      setback: { ...setbackNow, until: undefined },
      lastJoin: { at: now, ms: 24, stages: { completed: 24 } },
      lastTest: { at: now, passed: true, probes: [], revision: 'r' },
    },
    onboarding: { setback: setbackNow },
  }
  const aliased = withProfile(corp, { alias: 'Corp' })
  const reported = reportOf(
    desiredOf({ tested: [aliased], enrollment: [onboarding] }),
    actualOf(
      { credentials: { corp: issued() }, history },
      { joined: { network: 'x', revision: 'r', at: now } },
    ),
  )
  const at = new Date(now).toISOString()
  t.match(reported.networks['corp'], {
    alias: 'Corp',
    role: 'tested',
    certificate: { fingerprint: 'f1', notAfter: new Date(now + 3 * day).toISOString() },
    lastJoin: { at, ms: 24 },
    lastTest: { at, passed: true },
    problem: { code: 'x', count: 1, since: at },
  })
  t.strictSame(reported.clock, device.clock)
  t.notOk(reported.health)
  t.notOk(reported.networks['corp']?.problem?.nextTry)
  t.match(reported.networks['onboarding']?.problem, { nextTry: new Date(now + 5000).toISOString() })
  t.notMatch(JSON.stringify(reported), /secret/)
})

t.test('the health of the device is reported once it was looked at', async t => {
  const health = { load: 0.5, memoryAvailable: 500, diskAvailable: 9000, uptime: 60 }
  const about = { identity, version: '1', ...device, health, startedAt: now, now, queue }
  t.strictSame(report({ desired: desiredOf(), actual: actualOf(), running: [], ...about }).health, health)
})
