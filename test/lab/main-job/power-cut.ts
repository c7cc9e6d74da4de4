/**
 * The power is cut once at each named point of the main job, and the sensor started again: it reaches the same end, and the
 * SCEP server's depot shows what that cost.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import { isReached, named, pointsPassed, spareIsUnused, type Point } from '../lifecycle/points.ts'
import { giveReadyKey } from '../ready-key.ts'
import type { Sensor } from '../sensor.ts'
import { isWhole } from './credential.ts'
import { eventsOf, listing, publish, tested } from './scene.ts'

/** `name` may be the beginning of one. */
const plain = (name: string): Point => ({ name, nth: 1 })
/** Once on corp, after once on onboarding. */
const second = (name: string): Point => ({ name, nth: 2 })

const steps: Point[] = [
  ...['step install', 'done install', 'step join', 'done join', 'step lease', 'done lease'].map(plain),
  ...['step enroll', 'scep PKCSReq', 'rename 0001-', 'rename current', 'done enroll'].map(plain),
  ...['step install', 'done install', 'step join', 'done join', 'step lease', 'done lease'].map(second),
  ...['step test', 'done test'].map(plain),
]
const files = ['store.json', 'desired.json', 'state.json', 'key.pem', 'ca-pin', 'request.json', 'about.json']

/** Every step, the request, the reply, and the moment each file takes its place. */
export const cuts: Point[] = [...steps, ...files.map(file => plain(`rename ${file}`)), plain('scep reply')]

/** Every point that an enrolment passes, from the start of the agent to its first test. */
export async function enrolmentPoints(t: Test, spareKeys = false): Promise<Point[]> {
  await using lab = await raise(t)
  await publish(lab, await documents(lab))
  if (spareKeys) await giveReadyKey(stateOf(lab, 'sensor-1'))
  const sensor = await lab.sensor({
    environment: { SONDE_CHECKPOINTS: '1' },
    settings: { spareKeys },
    keyReady: false,
  })
  await tested(sensor)
  return pointsPassed(sensor, 0)
}

/** Certificates that may come of it: two only where the request had left and the reply was not stored. */
function mostIssued(sensor: Sensor): number {
  const names = pointsPassed(sensor, 0).map(({ name }) => name)
  const stored = names.indexOf('rename about.json')
  return names.includes('send PKCSReq') && (stored < 0 || stored === names.length - 1) ? 2 : 1
}

const stateOf = (lab: Lab, id: string): string => join(lab.site.folder, id, 'state')

interface How {
  spareKeys?: boolean
  /** Every run passes the points: one that is not there any more is to be noticed. */
  certain?: boolean
}

/** Cuts the power of a new sensor at the point, starts it again, and looks at what came of it; returns whether it was cut there. */
async function cut(t: Test, lab: Lab, id: string, { name, nth }: Point, how: How): Promise<boolean> {
  const { spareKeys = false } = how
  const environment = { SONDE_KILL_AT: name, SONDE_KILL_NTH: String(nth), SONDE_CHECKPOINTS: '1' }
  await lab.operator.desired(id, listing(['corp']))
  const spare = spareKeys ? await giveReadyKey(stateOf(lab, id)) : undefined
  const sensor = await lab.sensor({ id, environment, settings: { spareKeys }, keyReady: false })
  try {
    // What happens side by side may come less often than in the run the list is from: then the power is cut after the test.
    const ended = sensor.process.ended.then(() => true)
    const passed = tested(sensor, 'corp', 60_000).then(
      () => false,
      () => ended,
    )
    const came = await Promise.race([ended, passed])
    await sensor.kill()
    const most = mostIssued(sensor)
    await sensor.start({ SONDE_KILL_AT: '', SONDE_CHECKPOINTS: '' })
    await tested(sensor, 'corp', 60_000, lab.operator.messages.end)
    const own = (await lab.scep.issued()).filter(({ subject }) => subject === `CN=${id}`)
    t.ok(own.length >= 1 && own.length <= most, `${own.length} certificates were issued, at most ${most}`)
    const keys = new Set(own.map(({ publicKey }) => publicKey))
    t.equal(keys.size, 1, 'all for one key')
    if (spare !== undefined) {
      t.ok(keys.has(spare), 'the spare one: it was not lost')
      await spareIsUnused(t, sensor, own)
    }
    await isWhole(t, sensor, own)
    t.equal(eventsOf(sensor).find(({ event }) => event === 'step-failed')?.text, undefined, 'no step failed')
    t.ok(
      eventsOf(sensor).some(({ event }) => event === 'certificate-issued'),
      'what was issued is said, wherever the power was cut',
    )
    return came
  } finally {
    await sensor.stop() // the next one takes its port
  }
}

/** Labs stand side by side; the sensors of one lab take turns at its port. */
export function cutAt(cuts: readonly Point[], labs: number, how: How = {}): void {
  const having = how.spareKeys === true ? ' with a spare key' : ''
  for (let first = 0; first < Math.min(labs, cuts.length); first += 1)
    t.test(`the power is cut${having}, and the same end is reached (${first + 1} of ${labs})`, async t => {
      await using lab = await raise(t)
      await publish(lab, await documents(lab))
      t.jobs = 1
      const own = cuts.flatMap((point, index) => (index % labs === first ? [{ point, index }] : []))
      const missed: string[] = []
      for (const { point, index } of own)
        await t.test(named(point), async t => {
          if (!(await cut(t, lab, `cut-${index}`, point, how))) missed.push(named(point))
        })
      if (how.certain === true) t.strictSame(missed, [], 'every point was reached')
      else isReached(t, missed, own.length)
    })
}
