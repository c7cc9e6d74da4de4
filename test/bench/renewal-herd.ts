/**
 * 100,000 sensors that were enrolled on one day: when they come to renew, by the agent's own function.
 * Peak requests per minute at the SCEP server, with and without spread: `npm run bench -- renewal-herd`.
 */
import { nextRenewal } from '../../agent/core/renewal.ts'
import type { Actual, Desired, Network } from '../../agent/types.ts'
import { actualOf, certificateOf, corp, desiredOf, queue } from '../unit/core/world.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const morning = Date.UTC(2026, 0, 12, 8)

/** GetCACaps, GetCACert and the pkiMessage. */
const requestsPerRenewal = 3

interface Case {
  name: string
  /** Milliseconds in which the fleet was enrolled, evenly. */
  within: number
  validity: number
  /** The server does not answer from the middle of the herd on, for so long. */
  outage?: number
}

const cases: Case[] = [
  { name: 'enrolled within 10 minutes, valid a year', within: 10 * minute, validity: 365 * day },
  { name: 'enrolled within 8 hours, valid a year', within: 8 * hour, validity: 365 * day },
  { name: 'enrolled within 8 hours, valid 7 days', within: 8 * hour, validity: 7 * day },
  {
    name: 'enrolled within 8 hours, server away for 12 hours',
    within: 8 * hour,
    validity: 365 * day,
    outage: 12 * hour,
  },
]
const spreads = [0, 0.1, 0.5, 1]

/** The minutes at which one sensor asks, until it is answered. */
function attempts(
  sensor: string,
  enrolledAt: number,
  spread: number,
  { validity }: Case,
  away: readonly [number, number],
): number[] {
  const certificate = { ...certificateOf(sensor), notBefore: enrolledAt, notAfter: enrolledAt + validity }
  const network: Network = corp
  const desired: Desired = desiredOf({ tested: [network], enrollment: [] })
  const actual: Actual = actualOf({
    credentials: { corp: { assignment: corp.assignment, current: { generation: '1', certificate } } },
  })
  const found: number[] = []
  let now = enrolledAt
  for (let lastAttempt: number | undefined; found.length < 100;) {
    const renewals = { requested: [], enrolments: [], ...(lastAttempt !== undefined && { lastAttempt }) }
    const next = nextRenewal(desired, { ...actual, renewals }, now, { ...queue, sensor, spread })
    if (!next) break
    found.push(next.at)
    if (next.at < away[0] || next.at >= away[1]) break
    lastAttempt = now = next.at
  }
  return found
}

function peak(count: number, spread: number, each: Case): { peak: number; first: number; last: number } {
  const middle = morning + each.within / 2 + each.validity / 2
  const away = [middle, middle + (each.outage ?? 0)] as const
  const perMinute = new Map<number, number>()
  for (let index = 0; index < count; index += 1) {
    const enrolledAt = morning + (each.within * index) / count
    for (const at of attempts(`sensor-${String(index)}`, enrolledAt, spread, each, away)) {
      const slot = Math.floor(at / minute)
      perMinute.set(slot, (perMinute.get(slot) ?? 0) + requestsPerRenewal)
    }
  }
  const slots = [...perMinute.keys()]
  const [first, last] = slots.reduce(
    ([low, high], slot) => [Math.min(low, slot), Math.max(high, slot)],
    [Infinity, 0],
  )
  return { peak: [...perMinute.values()].reduce((most, each) => Math.max(most, each), 0), first, last }
}

/** `--sensors N` for another fleet. */
export async function run(args: string[], signal: AbortSignal): Promise<void> {
  const at = args.indexOf('--sensors')
  const count = at < 0 ? 100_000 : Number(args[at + 1])
  if (!Number.isInteger(count) || count < 1) throw new RangeError('--sensors wants a whole number')
  process.stdout.write(`peak requests per minute at the SCEP server, ${String(count)} sensors, half-life\n`)
  for (const each of cases) {
    process.stdout.write(`\n${each.name}\n`)
    for (const spread of spreads) {
      signal.throwIfAborted()
      await new Promise(resolve => setImmediate(resolve))
      const { peak: most, first, last } = peak(count, spread, each)
      const hours = ((last - first + 1) / 60).toFixed(1)
      process.stdout.write(
        `  spread ${spread.toFixed(1)}  ${String(most).padStart(8)} per minute, over ${hours} h\n`,
      )
    }
  }
}
