/** The years of certificates at length: many sensors for five years, ten renewals in a row, the power cut everywhere. */
import t from 'tap'
import { fiveYears } from '../unit/core/sensors.ts'
import { daysOfTrouble } from '../lab/lifecycle/days.ts'
import { faults } from '../lab/lifecycle/faults.ts'
import { renewInARow } from '../lab/lifecycle/in-a-row.ts'
import { plain, troubled, withSpareKey, type Course } from '../lab/lifecycle/courses.ts'
import { fromTroubleOn, type Point } from '../lab/lifecycle/points.ts'
import { cutRenewals, renewalPoints } from '../lab/lifecycle/power-cut.ts'
import { sentence, unaided } from '../lab/lifecycle/unaided.ts'
import { sample } from './sample.ts'

t.setTimeout(7_200_000)

const seeds = Array.from({ length: 20 }, (_, index) => index)
await t.test('sensors that test every week live five years each', async t => {
  for (const _ of sample(seeds)) {
    const { attempts, expired, proofs } = fiveYears(5, 7 * 86_400)
    t.comment(`${attempts} attempts, ${proofs} proofs, ${expired} certificates expired`)
  }
})

// The rest waits more than it works: labs side by side.
t.jobs = 5

const renewals = Array.from({ length: 10 }, (_, index) => index)
t.test('S1-23, S2-50: ten renewals in a row, each way, of certificates that live two minutes', async t => {
  const { length } = sample(renewals)
  await renewInARow(t, { byRenewalReq: length, byPkcsReq: length }, { validity: 120 })
})

const clocks = [
  { by: '-10y', mood: 'unsynchronised' },
  { by: '+25y' },
  { by: '+400d' },
  { by: '-400d' },
] as const
for (const each of sample(clocks)) t.test(sentence(each), t => unaided(t, each))

for (const each of sample([...daysOfTrouble, ...faults])) t.test(each.sentence, each.run)

const points = new Map<Course, Point[]>()
await t.test('the points of a renewal', async t => {
  t.jobs = 4
  for (const course of [plain, withSpareKey, ...troubled])
    t.test(course.sentence, async t => {
      const passed = await renewalPoints(t, course)
      points.set(course, passed)
      t.ok(passed.length > 60, `${String(passed.length)} points`)
    })
})
const all = points.get(plain) ?? []
cutRenewals(sample(all), 3, plain)
const ofKeys = ({ name }: Point, index: number): boolean => /spare|key|rsa|open/.test(name) || index % 3 === 0
cutRenewals(sample((points.get(withSpareKey) ?? []).filter(ofKeys)), 3, withSpareKey)
for (const course of troubled) cutRenewals(sample(fromTroubleOn(points.get(course) ?? [], all)), 3, course)
