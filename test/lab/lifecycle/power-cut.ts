/**
 * The power is cut at a point of a renewal, and the sensor started again: it ends on a whole certificate that works, the key of
 * what was issued is kept, and nothing half done is left. The list of points is what the agent says of itself in a run that nobody cuts.
 */
import t, { type Test } from 'tap'
import { isConsistent } from '../main-job/consistent.ts'
import { isWhole } from '../main-job/credential.ts'
import { event, eventsOf, listing, tested, type SensorEvent } from '../main-job/scene.ts'
import { giveReadyKey } from '../ready-key.ts'
import type { Sensor } from '../sensor.ts'
import type { Course, Stage } from './courses.ts'
import { isReached, named, pointsPassed, spareIsUnused, type Point } from './points.ts'

/** Without spare keys, of which files of the same names are written meanwhile, unless the sweep is about them. */
const settingsWith = (spareKeys: boolean): Record<string, unknown> => ({
  ...{ spareKeys, time: { trustSystemClock: true }, renewals: { interval: 10 } },
})

/** A sensor with a certificate that is not due, stopped; then the certificate is due. */
async function enrolled(stage: Stage, id: string, { spareKeys = false }: Course): Promise<Sensor> {
  await stage.ready()
  await stage.lab.operator.desired(id, listing(['corp']))
  const sensor = await stage.lab.sensor({ id, settings: settingsWith(spareKeys) })
  await tested(sensor, 'corp', 60_000)
  await sensor.stop()
  await stage.due()
  if (spareKeys) await giveReadyKey(sensor.state)
  return sensor
}

const isInUse = ({ event }: { event?: unknown }): boolean => event === 'certificate-in-use'

async function renewed(stage: Stage, sensor: Sensor, { longest }: Course): Promise<void> {
  await sensor.event(isInUse, 'the new certificate is in use', longest)
  await stage.manual()
}

/** The new certificate is in use, and has been tested since that and since `start` (milliseconds). */
async function isTested(sensor: Sensor, { longest }: Course, start = 0): Promise<void> {
  const used = await event(sensor, isInUse, 'it is renewed', longest - 30_000)
  const later = ({ event, number, at }: SensorEvent): boolean =>
    event === 'test-passed' && number > used.number && Date.parse(at) >= start
  await event(sensor, later, 'it is tested', start === 0 ? 30_000 : 60_000)
}

/** Every point the agent passes from its start to the test after its renewal. */
export async function renewalPoints(t: Test, course: Course): Promise<Point[]> {
  await using stage = await course.raise(t)
  const sensor = await enrolled(stage, 'sensor-1', course)
  const since = sensor.process.output.end
  await sensor.start({ SONDE_CHECKPOINTS: '1' })
  await Promise.all([
    renewed(stage, sensor, course).then(() => isTested(sensor, course)),
    stage.mend?.('sensor-1'),
  ])
  return pointsPassed(sensor, since)
}

/** Returns whether the power was cut at the point. */
async function cut(
  t: Test,
  stage: Stage,
  id: string,
  { name, nth }: Point,
  course: Course,
): Promise<boolean> {
  const sensor = await enrolled(stage, id, course)
  try {
    const [old] = await stage.issued(id)
    await sensor.start({ SONDE_KILL_AT: name, SONDE_KILL_NTH: String(nth) })
    const mended = Promise.resolve(stage.mend?.(id))
    mended.catch(() => undefined)
    const { ended } = sensor.process
    // What happens side by side may come less often than in the run the list is from: then the power is cut after the test.
    await Promise.race([ended, isTested(sensor, course).catch(() => ended)])
    const reached = !sensor.process.running
    await sensor.kill()
    const again = Date.now()
    await sensor.start({ SONDE_KILL_AT: '' })
    // Cut after the proof it has nothing left to do; before, it goes on at the pace of the queue.
    if (!eventsOf(sensor).some(isInUse)) await renewed(stage, sensor, course)
    else await stage.manual()
    await mended
    await isTested(sensor, course, again)
    const issued = await stage.issued(id)
    const keys = new Set(issued.map(({ publicKey }) => publicKey))
    t.ok(issued.length <= 3, `${String(issued.length)} certificates were issued`)
    t.equal(keys.size, 2, 'for two keys: none was lost that something was issued for')
    const inForce = await isWhole(t, sensor, issued)
    t.not(inForce?.publicKey, old?.publicKey, 'the new one is in force')
    if (course.spareKeys) await spareIsUnused(t, sensor, issued)
    for (const said of course.said ?? [])
      await sensor.event(({ event }) => event === said, `${said} is said, wherever the power was cut`, 30_000)
    await sensor.stop()
    isConsistent(t, sensor)
    return reached
  } finally {
    await sensor.stop() // the next one takes its port
  }
}

/** Cuts the power at each point; labs side by side, the sensors of one lab take turns at its port. */
export function cutRenewals(points: readonly Point[], lanes: number, course: Course): void {
  if (points.length === 0) throw new Error(`${course.sentence} passes no point`)
  for (let lane = 0; lane < Math.min(lanes, points.length); lane += 1)
    t.test(`${course.sentence} is cut, and goes on (${String(lane + 1)} of ${String(lanes)})`, async t => {
      await using stage = await course.raise(t)
      t.jobs = 1
      const own = points.flatMap((point, index) => (index % lanes === lane ? [{ point, index }] : []))
      const missed: string[] = []
      for (const { point, index } of own)
        await t.test(named(point), async t => {
          if (!(await cut(t, stage, `cut-${String(index)}`, point, course))) missed.push(named(point))
        })
      isReached(t, missed, own.length)
    })
}
