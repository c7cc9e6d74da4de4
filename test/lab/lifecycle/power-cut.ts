/**
 * The power is cut at a point of a renewal, and the sensor started again: it ends on a whole certificate that works, the key of
 * what was issued is kept, and nothing half done is left. The list of points is what the agent says of itself in a run that nobody cuts.
 */
import t, { type Test } from 'tap'
import { documentsWith, eventsOf, listing, publish, tested } from '../main-job/scene.ts'
import { isWhole } from '../main-job/credential.ts'
import { raise, type Lab } from '../lab.ts'
import type { Sensor } from '../sensor.ts'
import { giveReadyKey } from '../ready-key.ts'
import { pointsPassed, spareIsUnused, type Point } from './points.ts'

/** Without spare keys, of which files of the same names are written meanwhile, unless the sweep is about them. */
const settingsWith = (spareKeys: boolean): Record<string, unknown> => ({
  ...{ spareKeys, time: { trustSystemClock: true }, renewals: { interval: 10 } },
})

const manual = { when: 'manual' }
/** Due a moment after it is issued. */
const atOnce = { daysBeforeExpiry: 364.99999 }

async function rule(lab: Lab, renewal: object): Promise<void> {
  await publish(lab, { ...(await documentsWith(lab, {}, { renewal })), sensor: undefined })
}

/** A sensor with a certificate that is not due, stopped; then the certificate is due. */
async function enrolled(lab: Lab, id: string, spareKeys: boolean): Promise<Sensor> {
  await rule(lab, manual)
  await lab.operator.desired(id, listing(['corp']))
  const sensor = await lab.sensor({ id, settings: settingsWith(spareKeys) })
  await tested(sensor, 'corp', 60_000)
  await sensor.stop()
  await rule(lab, atOnce)
  if (spareKeys) await giveReadyKey(sensor.state)
  return sensor
}

const renewed = async (lab: Lab, sensor: Sensor): Promise<void> => {
  const wanted = (document: object): boolean => (document as { event: string }).event === 'certificate-in-use'
  await sensor.event(wanted, 'the new certificate is in use', 90_000)
  await rule(lab, manual)
}

/** Every point the agent passes from its start to the test after its renewal. */
export async function renewalPoints(t: Test, spareKeys = false): Promise<Point[]> {
  await using lab = await raise(t)
  const sensor = await enrolled(lab, 'sensor-1', spareKeys)
  const [since, heard] = [sensor.process.output.end, lab.operator.messages.end]
  await sensor.start({ SONDE_CHECKPOINTS: '1' })
  await renewed(lab, sensor)
  await sensor.event(({ event }) => event === 'test-passed', 'it is tested', 30_000, heard)
  return pointsPassed(sensor, since)
}

async function cut(t: Test, lab: Lab, id: string, { name, nth }: Point, spareKeys: boolean): Promise<void> {
  const sensor = await enrolled(lab, id, spareKeys)
  const [old] = await own(lab, id)
  await sensor.start({ SONDE_KILL_AT: name, SONDE_KILL_NTH: String(nth) })
  const { ended } = sensor.process
  // What happens side by side may come less often than in the run the list is from: then the power is cut after the renewal.
  const missed = sensor.event(({ event }) => event === 'certificate-in-use', 'it is renewed', 60_000)
  await Promise.race([ended, missed.catch(() => ended)])
  await sensor.kill()
  t.match(sensor.process.output.tail(1), /\[ended: SIGKILL\]/, 'the power was cut')
  await sensor.start({ SONDE_KILL_AT: '' })
  // Cut after the proof it has nothing left to do; before, it goes on at the pace of the queue.
  const inUse = eventsOf(sensor).some(({ event }) => event === 'certificate-in-use')
  if (!inUse) await renewed(lab, sensor)
  else await rule(lab, manual)
  await tested(sensor, 'corp', 60_000, lab.operator.messages.end - 1)
  const issued = await own(lab, id)
  const keys = new Set(issued.map(({ publicKey }) => publicKey))
  t.ok(issued.length <= 3, `${String(issued.length)} certificates were issued`)
  t.equal(keys.size, 2, 'for two keys: none was lost that something was issued for')
  const inForce = await isWhole(t, sensor, issued)
  t.not(inForce?.publicKey, old?.publicKey, 'the new one is in force')
  if (spareKeys) await spareIsUnused(t, sensor, issued)
  await sensor.stop()
}

const own = async (lab: Lab, id: string) =>
  (await lab.scep.issued()).filter(({ subject }) => subject === `CN=${id}`)

/** Cuts the power at each point; labs side by side, the sensors of one lab take turns at its port. */
export function cutRenewals(points: readonly Point[], lanes: number, spareKeys = false): void {
  const how = spareKeys ? ' with a spare key' : ''
  for (let lane = 0; lane < lanes; lane += 1)
    t.test(`a renewal${how} is cut, and goes on (${String(lane + 1)} of ${String(lanes)})`, async t => {
      await using lab = await raise(t)
      t.jobs = 1
      for (const [index, point] of points.entries())
        if (index % lanes === lane)
          await t.test(`at ${point.name}, number ${String(point.nth)}`, t =>
            cut(t, lab, `cut-${String(index)}`, point, spareKeys),
          )
    })
}
