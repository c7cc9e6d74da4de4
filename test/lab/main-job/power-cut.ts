/**
 * The power is cut once at each named point of the main job, and the sensor started again: it reaches the same end, and the
 * SCEP server's depot shows what that cost.
 */
import t, { type Test } from 'tap'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import { isWhole } from './credential.ts'
import { eventsOf, listing, publish, tested } from './scene.ts'

/** A point where the power is cut: the nth checkpoint whose name begins so. */
type Point = readonly [name: string, nth?: number]

const plain = (name: string): Point => [name]
/** Once on corp, after once on onboarding. */
const second = (name: string): Point => [name, 2]

export interface Cut {
  point: Point
  /** Certificates that may have been issued in the end. */
  most: number
}

const named = (most: number, points: Point[]): Cut[] => points.map(point => ({ point, most }))

const steps: Point[] = [
  ...['step install', 'done install', 'step join', 'done join', 'step lease', 'done lease'].map(plain),
  ...['step enroll', 'scep PKCSReq', 'rename 0001-', 'rename current', 'done enroll'].map(plain),
  ...['step install', 'done install', 'step join', 'done join', 'step lease', 'done lease'].map(second),
  ...['step test', 'done test'].map(plain),
]
const files = ['store.json', 'desired.json', 'state.json', 'key.pem', 'ca-pin', 'request.json']
const reply = ['certificate.pem', 'chain.pem', 'anchors.pem', 'about.json']

/** Every step, the request, the reply, and the moment each file takes its place. Between POST and stored reply two certificates may come of it. */
export const cuts: Cut[] = [
  ...named(1, [...steps, ...files.map(file => plain(`rename ${file}`))]),
  ...named(2, ['scep reply', 'rename about.json'].map(plain)),
]

/** And the moments before: nothing of a file yet, and perhaps half of it. */
export const writes: Cut[] = ['write', 'fsync'].flatMap(act => [
  ...named(
    1,
    files.map(file => plain(`${act} ${file}`)),
  ),
  ...named(
    2,
    reply.map(file => plain(`${act} ${file}`)),
  ),
])

/** Cuts the power of a new sensor at the point, starts it again, and looks at what came of it. */
async function cut(t: Test, lab: Lab, id: string, { point: [name, nth = 1], most }: Cut): Promise<void> {
  const environment = { SONDE_KILL_AT: name, SONDE_KILL_NTH: String(nth) }
  await lab.operator.desired(id, listing(['corp']))
  // Spare keys are files of the same names, made meanwhile.
  const sensor = await lab.sensor({ id, environment, settings: { spareKeys: false } })
  try {
    await sensor.process.ended
    t.match(sensor.process.output.tail(1), /\[ended: SIGKILL\]/, 'the power was cut')
    await sensor.start({ SONDE_KILL_AT: '' })
    await tested(sensor)
    const own = (await lab.scep.issued()).filter(({ subject }) => subject === `CN=${id}`)
    t.ok(own.length >= 1 && own.length <= most, `${own.length} certificates were issued, at most ${most}`)
    t.equal(new Set(own.map(({ publicKey }) => publicKey)).size, 1, 'all for one key')
    await isWhole(t, sensor, own)
    t.equal(eventsOf(sensor).find(({ event }) => event === 'step-failed')?.text, undefined, 'no step failed')
  } finally {
    await sensor.stop() // the next one takes its port
  }
}

/** Labs stand side by side; the sensors of one lab take turns at its port. */
export function cutAt(cuts: readonly Cut[], labs: number): void {
  for (let first = 0; first < Math.min(labs, cuts.length); first += 1)
    t.test(`the power is cut, and the same end is reached (${first + 1} of ${labs})`, async t => {
      await using lab = await raise(t)
      await publish(lab, await documents(lab))
      t.jobs = 1
      for (const [index, each] of cuts.entries())
        if (index % labs === first)
          await t.test(`at ${each.point.join(', number ')}`, t => cut(t, lab, `cut-${index}`, each))
    })
}
