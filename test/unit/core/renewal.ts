import t from 'tap'
import { dueAt, nextRenewal, paceOf, refusedRule, spreadOf } from '../../../agent/core/renewal.ts'
import { basisOf, wantedRevision } from '../../../agent/core/want.ts'
import type { Renewal } from '../../../agent/desired/profile.ts'
import type {
  Actual,
  CertificateFacts,
  CredentialState,
  Network,
  NetworkHistory,
} from '../../../agent/types.ts'
import {
  actualOf,
  certificateOf,
  corp,
  day,
  desiredOf,
  issued,
  now,
  onboarding,
  queue,
  withProfile,
} from './world.ts'

const hour = 3_600_000
const iso = (time: number | undefined) => (time === undefined ? undefined : new Date(time).toISOString())
const certificate = (notBefore: string, notAfter: string): CertificateFacts => ({
  ...certificateOf('f1'),
  notBefore: Date.parse(notBefore),
  notAfter: Date.parse(notAfter),
})
const year2021 = certificate('2021-01-01T00:00Z', '2021-12-31T00:00Z')

const rules: [string, Renewal, string | undefined][] = [
  [
    'S2-53, S2-54: by half-life, a certificate of 2021 is due on 2 July',
    { when: 'half-life' },
    '2021-07-02T00:00:00.000Z',
  ],
  ['S2-55, S1-55: 30 days before expiry', { daysBeforeExpiry: 30 }, '2021-12-01T00:00:00.000Z'],
  ['a tenth of the validity elapsed', { percent: 10 }, '2021-02-06T09:36:00.000Z'],
  ['S1-56: never by itself where renewal is manual', { when: 'manual' }, undefined],
  [
    'S1-28: at half-life where more days are asked for than it is valid',
    { daysBeforeExpiry: 400 },
    '2021-07-02T00:00:00.000Z',
  ],
]
for (const [name, rule, expected] of rules)
  t.test(`renewal is due ${name}`, async t => {
    t.equal(iso(dueAt(year2021, rule)), expected)
  })

t.test('S1-28: a rule longer than the validity is refused with both numbers', async t => {
  t.strictSame(refusedRule(year2021, { daysBeforeExpiry: 364 }), { asked: 364, validity: 364 })
  t.equal(refusedRule(year2021, { daysBeforeExpiry: 363 }), undefined)
  t.equal(refusedRule(year2021, { percent: 99 }), undefined)
})

t.test(
  'the spread is the same for one certificate, differs between sensors, and stays within its bound',
  async t => {
    const of = (sensor: string, share = 1) => spreadOf(year2021, sensor, 'corp', share)
    t.equal(of('a'), of('a'))
    t.not(of('a'), of('b'))
    t.equal(of('a', 0), 0)
    for (const sensor of ['a', 'b', 'c', 'd']) t.ok(of(sensor) >= 0 && of(sensor) < day)
  },
)

t.test(
  'a renewal waits for as long as it is spread, but not into the last tenth of the life, nor at all by default',
  async t => {
    const life = year2021.notAfter - year2021.notBefore
    const renewed = (renewal: Renewal, sensor: string, spread: number): number | undefined => {
      const { scep } = corp.profile
      const network = withProfile(corp, scep ? { scep: { ...scep, renewal } } : {})
      const current = { generation: '1', certificate: year2021 }
      const actual = actualOf({ credentials: { corp: { assignment: corp.assignment, current } } })
      const desired = desiredOf({ tested: [network] })
      return nextRenewal(desired, actual, year2021.notBefore, { ...queue, sensor, spread })?.at
    }
    const half = { when: 'half-life' } as const
    const due = dueAt(year2021, half) ?? 0
    for (const sensor of ['a', 'b', 'c', 'd']) {
      t.equal(renewed(half, sensor, 0), due)
      t.equal(renewed(half, sensor, 0.5), due + spreadOf(year2021, sensor, 'corp', 0.5), sensor)
      const last = year2021.notAfter - life / 10
      t.equal(renewed({ percent: 89.999 }, sensor, 1), last, `${sensor}: a second try is left`)
      const late = { percent: 95 }
      t.equal(renewed(late, sensor, 1), dueAt(year2021, late), `${sensor}: where there is none, at once`)
    }
  },
)

t.test('a shorter life makes a quicker pace, never under 10 s', async t => {
  t.equal(paceOf(year2021, hour), hour)
  t.equal(paceOf(certificate('2021-01-01T00:00Z', '2021-01-01T01:00Z'), hour), 360_000)
  t.equal(paceOf(certificate('2021-01-01T00:00Z', '2021-01-01T00:01Z'), hour), 10_000)
})

export const branch: Network = { ...corp, id: 'branch', assignment: 'b1', sha256: 'dd' }
export const two = desiredOf({ tested: [corp, branch] })
export const due = (hoursAgo: number, left = 200 * hour): CredentialState => {
  const at = now - hoursAgo * hour
  return issued('f1', 'a1', { notBefore: at - (now + left - at), notAfter: now + left })
}
export const both = (corpDue: number, branchDue: number, left = 200 * hour) => ({
  corp: due(corpDue, left),
  branch: { ...due(branchDue, left), assignment: 'b1' },
})
export const failing = (
  network: Network,
  actual: Actual,
  basis = basisOf(network, two, actual),
): NetworkHistory => ({
  failedRenewal: {
    finding: { code: 'x', title: '', detail: '', hint: '', side: 'network', retry: 'backoff' },
    ...{ since: now - 2 * hour, last: now - hour / 2, count: 1, basis },
  },
})
export const next = (actual: Actual, settings = queue, desired = two) => {
  const found = nextRenewal(desired, actual, now, settings)
  return (
    found && {
      network: found.network.id,
      in: (found.at - now) / hour,
      ...(found.overtakes && { overtakes: found.overtakes }),
    }
  )
}
const lastAttempt = (hoursAgo: number) => ({
  lastAttempt: now - hoursAgo * hour,
  requested: [],
  enrolments: [],
})

t.test('S1-22, S1-24, S1-25: one after the other, the one that is due longest first', async t => {
  const credentials = both(5, 3)
  t.match(next(actualOf({ credentials })), { network: 'corp' })
  t.match(
    next(actualOf({ credentials, renewals: lastAttempt(0.25) })),
    { network: 'corp', in: 0.75 },
    'S1-23: an hour apart',
  )
  t.match(
    next(actualOf({ credentials, renewals: lastAttempt(-5) })),
    { network: 'corp', in: 1 },
    'a clock set back',
  )
  const failed = actualOf({ credentials, renewals: lastAttempt(1) })
  t.match(
    next({ ...failed, history: { corp: failing(corp, failed) } }),
    { network: 'corp' },
    'the same is retried',
  )
  t.match(next(actualOf({ credentials: both(-2, -9) })), { network: 'corp', in: 2 }, 'not before it is due')
})

t.test(
  'S1-27: the clock of a SCEP server makes a renewal due, unless the certificate in use would have expired by it',
  async t => {
    const by = (scepDateAhead: number) =>
      actualOf({
        credentials: { corp: due(-50, 200 * hour) },
        clock: { trusted: false, source: 'saved', system: 'unknown', scepDateAhead },
      })
    t.match(next(by(20 * hour)), { in: 30 })
    t.match(next(by(60 * hour)), { in: 0 })
    t.match(next(by(201 * hour)), { in: 50 })
    t.ok(wantedRevision(corp, by(1e6 * hour), now) === wantedRevision(corp, by(0), now))
  },
)

t.test('one near its end overtakes, unless the queue is strict', async t => {
  const credentials = { corp: due(5), branch: { ...due(3, 0.2 * hour), assignment: 'b1' } }
  t.match(next(actualOf({ credentials })), { network: 'branch', overtakes: 'corp' })
  t.match(next(actualOf({ credentials }), { ...queue, strict: true }), { network: 'corp' })
  t.match(
    next(actualOf({ credentials: both(5, 3, 0.2 * hour) })),
    { network: 'corp' },
    'both near their end keep their order',
  )
})

t.test('of several near their end the one that was tried longest ago goes first', async t => {
  const near = actualOf({ credentials: both(5, 3, 0.2 * hour) })
  const failed = (network: Network, hoursAgo: number): NetworkHistory => {
    const { failedRenewal } = failing(network, near)
    return failedRenewal ? { failedRenewal: { ...failedRenewal, last: now - hoursAgo * hour } } : {}
  }
  t.match(next({ ...near, history: { corp: failed(corp, 1) } }), { network: 'branch', overtakes: 'corp' })
  const either = { corp: failed(corp, 2), branch: failed(branch, 1) }
  t.match(next({ ...near, history: either }), { network: 'corp' })
})

t.test(
  'what a person asked for does not wait, nor the first try after a changed password (S2-58, S2-59)',
  async t => {
    const asked = actualOf({
      credentials: both(-50, -60),
      renewals: { lastAttempt: now, requested: ['branch'], enrolments: [] },
    })
    t.strictSame(next(asked), { network: 'branch', in: 0 })
    const failed = actualOf({
      credentials: both(5, 3),
      renewals: { lastAttempt: now, requested: [], enrolments: [] },
    })
    t.strictSame(next({ ...failed, history: { branch: failing(branch, failed, 'before') } }), {
      network: 'branch',
      in: 0,
    })
    const manual = withProfile(
      corp,
      corp.profile.scep ? { scep: { ...corp.profile.scep, renewal: { when: 'manual' } } } : {},
    )
    const wish = actualOf({
      credentials: { corp: due(5) },
      renewals: { requested: ['corp'], enrolments: [] },
    })
    t.strictSame(next(wish, queue, desiredOf({ tested: [manual] })), { network: 'corp', in: 0 })
    t.equal(
      next(actualOf({ credentials: { corp: due(5) } }), queue, desiredOf({ tested: [manual] })),
      undefined,
    )
  },
)

t.test('S2-60: expired, removed and disabled ones are not in the queue', async t => {
  t.equal(next(actualOf({ credentials: { corp: due(5, -hour) } })), undefined)
  t.equal(next(actualOf({ credentials: { corp: { assignment: 'a1', removed: { at: now } } } })), undefined)
  const off = desiredOf({ tested: [withProfile(corp, { enabled: false })] })
  t.equal(next(actualOf({ credentials: { corp: due(5) } }), queue, off), undefined)
  t.equal(next(actualOf(), queue, desiredOf({ tested: [onboarding] })), undefined)
})

t.test('a server that says when to come back is not asked before', async t => {
  const actual = actualOf({ credentials: { corp: due(5) }, renewals: lastAttempt(2) })
  const failed = failing(corp, actual).failedRenewal
  if (!failed) return t.fail('no failed renewal')
  const history = {
    corp: { failedRenewal: { ...failed, finding: { ...failed.finding, retryAfter: 5 * 3600 } } },
  }
  return t.match(next({ ...actual, history }), { in: 4.5 })
})

t.test('a pending request is polled as its profile says, not at the pace of attempts', async t => {
  const pending = { transactionId: 't', preparedAt: now, pending: true }
  const credentials = { corp: { ...due(5), open: pending }, branch: { ...due(3), assignment: 'b1' } }
  const actual = actualOf({ credentials, renewals: { ...lastAttempt(0), lastAttempt: now } })
  t.strictSame(next(actual), { network: 'corp', in: 60 / 3600 })
  const asked = { corp: { ...due(-50), open: { ...pending, preparedAt: now - hour } } }
  t.match(next({ ...actual, credentials: asked }), { in: 60 / 3600 }, 'also when only a person asked for it')
  const sent = { ...credentials, corp: { ...due(5), open: { ...pending, pending: false } } }
  t.strictSame(next({ ...actual, credentials: sent }), { network: 'corp', in: 1 })
})

t.test('B-74: while the CA does not renew yet, the others go first', async t => {
  const actual = actualOf({ credentials: both(5, 3), renewals: lastAttempt(2) })
  const failed = failing(corp, actual).failedRenewal
  if (!failed) return t.fail('no failed renewal')
  const finding = { ...failed.finding, code: 'scep-renewal-too-early', retryAfter: 20 * 3600 }
  const early = { ...actual, history: { corp: { failedRenewal: { ...failed, finding } } } }
  t.match(next(early), { network: 'branch', in: 0 })
  const alone = { ...early, credentials: { corp: due(5) } }
  return t.match(next(alone), { network: 'corp', in: 19.5 })
})

t.test('a login with the new certificate that failed is an attempt, too', async t => {
  const { current: candidate } = issued('f2')
  const credentials = { corp: { ...due(5), ...(candidate && { candidate }) } }
  const finding = { code: 'x', title: '', detail: '', hint: '', side: 'server', retry: 'backoff' } as const
  const failedProof = { generation: '0001-f2', at: now - hour / 4, finding, judged: true }
  t.match(next(actualOf({ credentials, history: { corp: { failedProof } } })), { in: 0.75 })
})
