/** What is said of certificates in time: warnings, the forecast, and what the report shows of renewals. */
import t from 'tap'
import { planDevice } from '../../../agent/core/device-plan.ts'
import { ruleText } from '../../../agent/core/outlook.ts'
import { report } from '../../../agent/core/report.ts'
import { expiryWarning, nextWarningAt } from '../../../agent/core/validity.ts'
import type { Finding } from '../../../agent/errors.ts'
import type { Renewal } from '../../../agent/desired/profile.ts'
import type { Actual, Authority, CertificateFacts, NetworkHistory } from '../../../agent/types.ts'
import { actualOf, certificateOf, corp, day, desiredOf, issued, now, queue, withProfile } from './world.ts'

const hour = 3_600_000
const iso = (time: number | undefined) => (time === undefined ? undefined : new Date(time).toISOString())
const certificate = (notBefore: string, notAfter: string): CertificateFacts => ({
  ...certificateOf('f1'),
  notBefore: Date.parse(notBefore),
  notAfter: Date.parse(notAfter),
})
const year2021 = certificate('2021-01-01T00:00Z', '2021-12-31T00:00Z')

t.test('warnings come at 28, 7, 3 and 1 days and at the end, scaled for shorter lives', async t => {
  const left = (days: number) => expiryWarning(year2021, year2021.notAfter - days * day)
  t.strictSame([30, 27, 6, 2, 0.5, 0].map(left), [undefined, 28, 7, 3, 1, 0])
  const short = certificate('2021-01-01T00:00Z', '2021-01-02T00:00Z')
  t.equal(expiryWarning(short, short.notAfter - 3 * hour), undefined)
  t.equal(expiryWarning(short, short.notAfter - hour), 28)
  t.equal(iso(nextWarningAt(year2021, year2021.notBefore)), iso(year2021.notAfter - (28 * day * 364) / 365))
  t.equal(nextWarningAt(year2021, year2021.notAfter), undefined)
})

const authority = (role: Authority['role'], left: number): Authority => ({
  ...{ role, fingerprint: role, subject: `CN=${role}` },
  ...{ notBefore: now - 700 * day, notAfter: now + left * day },
})

t.test('CA, RA, root and RADIUS server are watched as the certificate itself is', async t => {
  const authorities = [authority('root', 900), authority('ca', 6), authority('ra', 20)]
  const actual = actualOf({
    credentials: {
      corp: { ...issued('f1', 'a1', { notBefore: now - day, notAfter: now + 364 * day }), authorities },
    },
    history: { corp: { server: authority('server', -1) }, onboarding: { server: authority('server', 2) } },
  })
  const said = planDevice(desiredOf(), actual, now).steps.map(step =>
    step.action === 'warn' ? `${step.network} ${step.fingerprint} ${String(step.days)}` : step.action,
  )
  t.strictSame(said, ['corp ca 7', 'corp ra 28', 'corp server 0', 'onboarding server 3'])
  const notices = reportOf(actual).networks['corp']?.notices ?? []
  t.match(notices, [
    { code: 'ca-certificate-expires', severity: 'warning', text: /issuing CA .* "CN=ca": .*given to RADIUS/ },
    { code: 'ra-certificate-expires', text: /RA certificates of the SCEP server have to be renewed/ },
    { code: 'server-certificate-expired', severity: 'error', text: /expired on .*needs a new certificate/ },
  ])
})

const identity = { sensor: 's', serial: 'n', model: 'm', hostname: 'h', fqdn: '', macs: {} }
const device = {
  node: 'v20',
  clock: { trusted: true, source: 'system' as const, system: 'right' as const },
  health: undefined,
}
const reportOf = (actual: Actual, desired = desiredOf(), at = now) =>
  report({ desired, actual, running: [], identity, version: '1', ...device, startedAt: now, now: at, queue })
const finding: Finding = {
  ...{ code: 'scep-rejected', title: 'Refused', detail: 'D', hint: 'H', side: 'server', retry: 'change' },
}
const failedRenewal = { finding, since: now - day, last: now - hour, count: 3, basis: 'b' }

const withRule = (renewal: Renewal) =>
  desiredOf({
    tested: [withProfile(corp, corp.profile.scep ? { scep: { ...corp.profile.scep, renewal } } : {})],
  })
const ofCorp = (history: NetworkHistory = {}, desired = desiredOf(), state = issued(), at = now) =>
  reportOf(actualOf({ credentials: { corp: state }, history: { corp: history } }), desired, at).networks[
    'corp'
  ]

t.test(
  'S1-26, S2-61, S2-66: the report says when renewal is due, what failed, and what is going to happen',
  async t => {
    t.match(ofCorp()?.renewal, {
      rule: 'half-life',
      due: iso(now + day),
      next: iso(now + day),
      forecast: 'renewal due on 2026-01-11 00:00 UTC, last password accepted on 2026-01-09 00:00 UTC',
      lastFailure: undefined,
    })
    t.match(ofCorp({ failedRenewal })?.renewal, {
      forecast: /; the last attempt on 2026-01-09 23:00 UTC failed: Refused$/,
      lastFailure: { code: 'scep-rejected', since: iso(now - day), last: iso(now - hour), count: 3 },
    })
    t.match(ofCorp({}, withRule({ when: 'manual' }))?.renewal, {
      rule: 'manual',
      due: undefined,
      forecast: /^renewal only on request, /,
    })
  },
)

t.test('S2-60: after expiry it says that nothing is renewed any more, and the way out', async t => {
  const late = ofCorp({}, desiredOf(), issued(), now + 4 * day)
  t.match(
    late?.renewal?.forecast,
    /^expired on .*: nothing is renewed any more, .*remove the network .*add it again$/,
  )
  t.match(late?.notices, [
    { code: 'certificate-expired', severity: 'error', text: /nothing is renewed any more/ },
  ])
})

t.test('with the ladder it says that it enrols again by itself', async t => {
  const scep = corp.profile.scep
  const ladder = { reenrollAfterExpiry: true }
  const desired = desiredOf({ tested: [withProfile(corp, { ...(scep && { scep: { ...scep, ladder } }) })] })
  const late = ofCorp({}, desired, issued(), now + 4 * day)
  t.match(late?.renewal?.forecast, /^expired on .*: a new one is asked for over the enrollment network, /)
  t.match(late?.notices, [{ code: 'certificate-expired', text: /a new one is asked for/ }])
})

t.test(
  'S1-28: a rule that cannot be kept is refused with both numbers, and the certificate is used',
  async t => {
    const reported = ofCorp({}, withRule({ daysBeforeExpiry: 30 }))
    t.match(reported?.renewal, {
      rule: 'half-life',
      refusedRule: { asked: 30, validity: 4 },
      due: iso(now + day),
    })
    t.match(reported?.notices, [{ code: 'renewal-rule-refused', text: /30 days .* valid for 4 days/ }])
  },
)

t.test('rules in words', async t => {
  t.equal(ruleText({ daysBeforeExpiry: 30 }), '30 days before expiry')
  t.equal(ruleText({ percent: 80 }), '80 percent of the validity')
})

t.test('a new certificate that is not in force is reported with how its proof stands', async t => {
  const candidate = issued('f2').current
  if (!candidate) return t.fail('no candidate')
  const state = { ...issued(), candidate }
  const proofOf = (judged: boolean): NetworkHistory => ({
    failedProof: { generation: candidate.generation, at: now, finding, judged },
  })
  t.match(ofCorp({}, desiredOf(), state)?.renewal?.candidate, { fingerprint: 'f2', proof: 'outstanding' })
  t.match(ofCorp(proofOf(false), desiredOf(), state)?.renewal?.candidate, { proof: 'undecided' })
  const refused = ofCorp(proofOf(true), desiredOf(), state)?.renewal?.candidate
  return t.match(refused, { proof: 'refused', problem: { title: 'Refused' } })
})

t.test(
  'notices of the last looks are carried, and a network without certificate by SCEP has no renewal',
  async t => {
    const notices = { scep: [{ code: 'weak-digest', severity: 'warning' as const, text: 'T' }] }
    t.strictSame(ofCorp({ notices })?.notices, notices.scep)
    const onboarding = reportOf(actualOf()).networks['onboarding']
    t.equal(onboarding?.renewal, undefined)
    t.equal(onboarding?.notices, undefined)
  },
)
