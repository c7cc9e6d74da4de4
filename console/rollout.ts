/** Following a change through the fleet: published, applied, or refused by whom and why. */
import { setTimeout as pause } from 'node:timers/promises'
import { outlast, type Context } from './context.ts'
import { exitCodes } from './failure.ts'
import type { Fleet, FleetSensor } from './fleet.ts'
import { printableJson } from './json.ts'
import { printable } from './table.ts'

export interface Expectation {
  sensors: readonly string[]
  /** Whether this sensor has it in force. */
  applied: (sensor: FleetSensor) => boolean
  /** Why it will not have it; undefined: it may still come. */
  refused: (sensor: FleetSensor) => string | undefined
}

export interface RolloutResult {
  applied: string[]
  refused: { sensor: string; why: string }[]
  /** Not heard of within the time: offline, or slow. */
  missing: string[]
}

/**
 * Milliseconds. A report does not say which document it objects to, and is sent once a second: what it says before may be about the
 * document that was there before.
 */
const settling = 1_500

/** Waits until every sensor has answered, at most `--wait`. Progress goes to the terminal alone: `412 of 500 applied`. */
export async function follow(
  context: Pick<Context, 'broker' | 'io' | 'wait'>,
  fleet: Fleet,
  expected: Expectation,
): Promise<RolloutResult> {
  const { broker, io, wait: ms } = context
  using _ = outlast(context)
  const start = performance.now()
  for (;;) {
    const passed = performance.now() - start
    const over = passed >= ms || io.signal.aborted
    const result = look(fleet, expected, over || passed >= settling)
    const total = expected.sensors.length
    const progress = `${String(result.applied.length)} of ${String(total)} applied`
    const done = result.missing.length === 0 || over
    if (io.columns !== undefined && total > 0 && ms > 0) io.err(`\r${progress}${done ? '\n' : ''}`)
    if (done && broker.away !== undefined && result.missing.length > 0) throw broker.away
    if (done) return result
    await pause(50, undefined, { signal: io.signal }).catch(() => undefined)
  }
}

function look(fleet: Fleet, { sensors, applied, refused }: Expectation, settled: boolean): RolloutResult {
  const result: RolloutResult = { applied: [], refused: [], missing: [] }
  for (const id of sensors) {
    const sensor = fleet.sensors.get(id) ?? { id }
    const why = settled ? refused(sensor) : undefined
    if (applied(sensor)) result.applied.push(id)
    else if (why !== undefined) result.refused.push({ sensor: id, why })
    else result.missing.push(id)
  }
  return result
}

/** What a sensor says against the document of a topic. */
export function objections(sensor: FleetSensor, topic: string): string | undefined {
  const problems = sensor.reported?.problems.filter(problem => problem.topic === topic) ?? []
  if (problems.length === 0) return undefined
  return problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
}

/** Lines of a list of sensors that nobody reads to its end. */
const most = 20

/** Says how it went, and of whom it is not true and why. Returns the exit code. */
export function conclude(
  { io, json, wait }: Pick<Context, 'io' | 'json' | 'wait'>,
  fleet: Fleet,
  result: RolloutResult,
  { what, json: more }: { what: string; json: object },
): number {
  const { applied, refused, missing } = result
  const total = applied.length + refused.length + missing.length
  if (json) io.out(`${printableJson({ ...more, ...result })}\n`)
  else if (wait === 0 && total > 0) io.out(`${what}, for ${count(total, 'sensor')}\n`)
  else if (total === 0) io.out(`${what}\n`)
  else io.out(`${what}; ${String(applied.length)} of ${String(total)} sensors have it in force\n`)
  const open = wait === 0 ? [] : missing.map(id => `${id}: ${waiting(fleet.sensors.get(id))}`)
  const lines = [...refused.map(({ sensor, why }) => `${sensor}: ${why}`), ...open]
  for (const line of lines.slice(0, most)) io.err(`${printable(line)}\n`)
  if (lines.length > most) io.err(`and ${String(lines.length - most)} more: --json has them all\n`)
  return wait === 0 || refused.length + missing.length === 0 ? exitCodes.done : exitCodes.failed
}

export const count = (number: number, of: string): string =>
  `${String(number)} ${of}${number === 1 ? '' : 's'}`

function waiting(sensor: FleetSensor | undefined): string {
  if (sensor?.presence === undefined && sensor?.reported === undefined)
    return 'has never reported; it takes the document when it comes'
  if (sensor.presence?.state !== 'online') return 'is not online; it takes the document when it is back'
  const awaited = sensor.reported?.awaiting.map(({ network, why }) => `${network}: ${why}`) ?? []
  return awaited.length > 0 ? `waits for the profile of ${awaited.join('; ')}` : 'has not answered yet'
}
