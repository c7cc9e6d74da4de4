import t from 'tap'
import { planInterface } from '../../../agent/core/plan.ts'
import { datesBy, wantedRevision } from '../../../agent/core/want.ts'
import type { Actual, ClockReading } from '../../../agent/types.ts'
import { actualOf, clock, corp, desiredOf, lease, now, onboarding, queue } from './world.ts'

const reading = (trusted: boolean, system: ClockReading['system']): ClockReading => ({
  trusted,
  system,
  source: 'sntp',
})

t.test('S1-27: who judges the dates of the RADIUS server depends on what is known of the time', async t => {
  t.equal(datesBy(corp, clock), 'supplicant', 'the supplicant, by the system clock')
  t.equal(datesBy(corp, reading(false, 'unknown')), 'supplicant', 'also while nobody vouches for it')
  t.equal(datesBy(corp, reading(true, 'wrong')), 'agent', 'the agent, where the system clock is wrong')
  t.equal(datesBy(onboarding, reading(true, 'wrong')), 'agent')
  t.equal(datesBy(corp, reading(false, 'wrong')), 'agent', 'also by what is known to have passed')
  t.equal(
    datesBy(onboarding, reading(false, 'wrong')),
    'nobody',
    'nobody, on a network that only serves enrolment',
  )
})

t.test(
  'a network that was joined without a look at dates is joined again once the time is known',
  async t => {
    const plan = (actual: Actual) =>
      planInterface(desiredOf(), actual, 'eth0', now, { brokerOverTested: false, queue }).steps.map(
        step => `${step.action} ${step.network}`,
      )
    const untrusted = { clock: reading(false, 'unknown') }
    const revision = wantedRevision(onboarding, actualOf(untrusted), now) ?? ''
    t.not(revision, wantedRevision(onboarding, actualOf(), now))
    const blocks = [{ path: '/1', network: 'onboarding', revision }]
    const there = { blocks, lease, joined: { network: 'onboarding', revision, at: now } }
    t.strictSame(plan(actualOf(untrusted, there)), ['enroll corp'])
    t.strictSame(plan(actualOf({}, there)), ['uninstall onboarding'])
  },
)
