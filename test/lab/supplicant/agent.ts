import type { Test } from 'tap'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import { asReported, event, publish, type Reported, type SensorEvent, tested } from '../main-job/scene.ts'
import type { Sensor } from '../sensor.ts'
import { Holdings, observed } from './held.ts'
import { type Stage, STAGES } from './stages.ts'

const isJoined = ({ networks, interfaces }: Reported): boolean =>
  networks['corp']?.phase === 'joined' && interfaces['eth0']?.joined === 'corp'

const withoutSupplicant = ({ interfaces }: Reported): boolean => {
  const eth0 = interfaces['eth0'] as { supplicant?: boolean } | undefined
  return eth0?.supplicant === false
}

const blames =
  (...codes: string[]) =>
  ({ networks }: Reported): boolean =>
    codes.includes(networks['corp']?.problem?.code ?? '')

interface Stroke {
  strike: (lab: Lab) => Promise<void>
  repair: (lab: Lab) => Promise<void>
  /** What has to be reported meanwhile. */
  reported: (report: Reported) => boolean
  /** Seconds from the repair to the join: twice what it takes on a quiet machine, its wait before the next try included. */
  within: number
}

/** Seconds: for what is the sensor's own nobody waits until the next try, of which the first would be 4 s later at least. */
const recovery = 4

const STROKES: Record<string, Stroke> = {
  'supplicant killed': {
    strike: lab => lab.supplicant.stop('SIGKILL'),
    repair: lab => lab.supplicant.start(),
    reported: withoutSupplicant,
    within: recovery,
  },
  'bus killed': {
    strike: lab => lab.bus.daemon.stop('SIGKILL'),
    repair: async lab => {
      await lab.supplicant.stop()
      await lab.bus.daemon.start()
      await lab.supplicant.start()
    },
    reported: withoutSupplicant,
    // The library looks for a bus at ever longer intervals.
    within: recovery + 4,
  },
  'cable pulled': {
    strike: lab => lab.cable.pull(),
    repair: lab => lab.cable.plug(),
    reported: blames('no-carrier'),
    within: 5,
  },
  // A stroke that comes too late lets the join succeed.
  'RADIUS dead': {
    strike: lab => lab.radius.daemon.stop('SIGKILL'),
    repair: lab => lab.radius.daemon.start(),
    reported: report => isJoined(report) || blames('radius-silent', 'eap-stalled')(report),
    // The first login after its server is back is hostapd's third EAPOL-Start without a success, after which it forgets the station in the
    // middle of it (docs/decisions.md): 14 to 17 s in 21 of 48 strokes, 5 to 7 s in the others.
    within: 45,
  },
}

export interface AgentStroke {
  stroke: string
  stage: Stage
}

/** One stroke of each kind at each stage. */
export const agentStrokes: AgentStroke[] = Object.keys(STROKES).flatMap(stroke =>
  (Object.keys(STAGES) as Stage[]).map(stage => ({ stroke, stage })),
)

/** Milliseconds after the main job by which nothing of it goes on: documents are asked for a second time within 15 s. */
const still = 16_000

/** A line for each event since this message of the operator. */
const timeline = (sensor: Sensor, lab: Lab, since: number): string[] =>
  lab.operator.messages
    .since(since)
    .filter(({ topic }) => topic.endsWith(`${sensor.id}/events`))
    .map(({ document }) => {
      const { at, event, text, data } = document as SensorEvent
      return `${at} ${event} ${text} ${JSON.stringify(data)}\n`
    })

/** The agent joins anew, is struck on the way, says so, and is joined again when the cause is gone: one process, no leak. */
export async function strikeTheAgent(t: Test, cycles: readonly AgentStroke[]): Promise<void> {
  await using lab = await raise(t)
  const sensor = await lab.sensor({ environment: observed })
  await publish(lab, await documents(lab))
  await tested(sensor)
  const { pid } = sensor.process
  const reported = (wanted: (report: Reported) => boolean, sentence: string, ms: number, since: number) =>
    sensor.reported(document => wanted(asReported(document)), sentence, ms, since)
  const { operator, bus } = lab
  const holdings = new Holdings({ sensor, operator, bus: bus.address, still })
  await holdings.atRest()
  for (const { stroke, stage } of cycles) {
    const how = STROKES[stroke]
    if (how === undefined) throw new Error(stroke)
    const { strike, repair, reported: wanted, within } = how
    const name = `${stroke} at ${stage}`
    const unplugged = lab.operator.messages.end
    await lab.cable.pull()
    await event(sensor, said => said.event === 'lost', 'the cable is missed', 10_000, unplugged)
    const [messages, lines] = [lab.operator.messages.end, lab.supplicant.output.end]
    await lab.cable.plug()
    await lab.supplicant.waitFor(STAGES[stage], `the join is at ${stage}`, 60_000, lines)
    await strike(lab)
    await reported(wanted, `${name} is reported`, 60_000, messages)
    const struck = lab.operator.messages.end
    const start = performance.now()
    await repair(lab)
    await reported(isJoined, `it is joined again after ${name}`, 100_000, struck - 1)
    const seconds = (performance.now() - start) / 1_000
    const sentence = `${name}: reported, and joined again ${seconds.toFixed(1)} s after the repair`
    if (!t.ok(seconds <= within, sentence)) t.comment(...timeline(sensor, lab, messages))
    t.equal(sensor.process.pid, pid, `${name}: by the same process`)
    const { now, before } = await holdings.atRest()
    t.same(now, before, `${name}: nothing is left behind`)
  }
  const { half, last } = holdings.heap
  t.ok(last - half < 2, `memory is flat: ${half.toFixed(1)} MB half-way, ${last.toFixed(1)} MB at the end`)
}
