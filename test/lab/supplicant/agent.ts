import { readdir } from 'node:fs/promises'
import type { Test } from 'tap'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import { asReported, event, publish, type Reported, tested } from '../main-job/scene.ts'
import type { Sensor } from '../sensor.ts'
import { matchRules } from './match-rules.ts'

/** What tells in wpa_supplicant's log that a join has come to a stage. */
const STAGES = {
  associated: /State: \S+ -> ASSOCIATED/,
  'eap-started': /CTRL-EVENT-EAP-STARTED/,
  method: /CTRL-EVENT-EAP-METHOD/,
  'server-certificate': /CTRL-EVENT-EAP-PEER-CERT depth=0/,
  completed: /CTRL-EVENT-CONNECTED/,
}
type Stage = keyof typeof STAGES

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
}

const STROKES: Record<string, Stroke> = {
  'supplicant killed': {
    strike: lab => lab.supplicant.stop('SIGKILL'),
    repair: lab => lab.supplicant.start(),
    reported: withoutSupplicant,
  },
  'bus killed': {
    strike: lab => lab.bus.daemon.stop('SIGKILL'),
    repair: async lab => {
      await lab.supplicant.stop()
      await lab.bus.daemon.start()
      await lab.supplicant.start()
    },
    reported: withoutSupplicant,
  },
  'cable pulled': {
    strike: lab => lab.cable.pull(),
    repair: lab => lab.cable.plug(),
    reported: blames('no-carrier'),
  },
  // A stroke that comes too late lets the join succeed.
  'RADIUS dead': {
    strike: lab => lab.radius.daemon.stop('SIGKILL'),
    repair: lab => lab.radius.daemon.start(),
    reported: report => isJoined(report) || blames('radius-silent', 'eap-stalled')(report),
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

async function held(lab: Lab, sensor: Sensor) {
  const files = await readdir(`/proc/${sensor.process.pid ?? 0}/fd`)
  return { matchRules: await matchRules(lab.bus.address), files: files.length }
}

/** The agent joins anew, is struck on the way, says so, and is joined again when the cause is gone: one process, no leak. */
export async function strikeTheAgent(t: Test, cycles: readonly AgentStroke[]): Promise<void> {
  await using lab = await raise(t)
  const sensor = await lab.sensor()
  await publish(lab, await documents(lab))
  await tested(sensor)
  const { pid } = sensor.process
  const reported = (wanted: (report: Reported) => boolean, sentence: string, ms: number, since: number) =>
    sensor.reported(document => wanted(asReported(document)), sentence, ms, since)
  let before: Awaited<ReturnType<typeof held>> | undefined
  for (const { stroke, stage } of cycles) {
    const { strike, repair, reported: wanted } = STROKES[stroke] ?? {}
    if (strike === undefined || repair === undefined || wanted === undefined) throw new Error(stroke)
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
    await repair(lab)
    await reported(isJoined, `it is joined again after ${name}`, 100_000, struck - 1)
    t.equal(sensor.process.pid, pid, `${name}: reported, joined again, in the same process`)
    const now = await held(lab, sensor)
    before ??= now
    t.same(now, before, `${name}: nothing is left behind`)
  }
}
