/** A power cut at every point of the enrolment, without and with a spare key. */
import t from 'tap'
import { cutAt, enrolmentPoints } from '../lab/main-job/power-cut.ts'
import { sample } from './sample.ts'

t.setTimeout(7_200_000)
t.jobs = 3

for (const spareKeys of [false, true])
  await t.test(`the points of an enrolment${spareKeys ? ' with a spare key' : ''}`, async t => {
    const cuts = await enrolmentPoints(t, spareKeys)
    t.ok(cuts.length > 60, `${String(cuts.length)} points`)
    cutAt(spareKeys ? thinned(cuts) : sample(cuts), 3, { spareKeys })
  })

/** With a spare key: what is about the key, and every third of the rest. */
function thinned(cuts: Parameters<typeof cutAt>[0]): Parameters<typeof cutAt>[0] {
  return sample(cuts.filter(({ name }, index) => /spare|key|rsa|open/.test(name) || index % 3 === 0))
}
