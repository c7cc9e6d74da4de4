/** Generated sensors for five-years.ts, and what has to be true of all of them. */
import fc from 'fast-check'
import { hour, Years, type Jump, type Mood, type Server, type Span } from './five-years.ts'
import { day, now as start } from './world.ts'

const anySpan = fc
  .tuple(fc.integer({ min: 0, max: 5 * 365 * 24 }), fc.integer({ min: 1, max: 90 * 24 }))
  .map(([from, hours]): Span => [start + from * hour, start + (from + hours) * hour])
const anyServer: fc.Arbitrary<Server> = fc.record({
  validity: fc.constantFrom(2, 7, 30, 90, 365, 730),
  outages: fc.array(anySpan, { maxLength: 8 }),
  closed: fc.oneof(fc.constant([]), fc.array(anySpan, { maxLength: 4 })),
  moods: fc.constantFrom<Mood[]>(
    ['issues'],
    ['refuses', 'issues'],
    ['pends', 'pends', 'issues'],
    ['breaks', 'breaks', 'issues'],
  ),
  window: fc.constantFrom(1, 1, 0.3),
  refusals: fc.constantFrom([0], [0], [0, 3]),
})
const anyJump = fc.record({
  at: fc.integer({ min: 0, max: 5 * 365 * 24 }).map(hours => start + hours * hour),
  by: fc.integer({ min: -12, max: 12 }).map(hours => hours * hour),
})
const anySensor = [
  fc.array(anyServer, { minLength: 1, maxLength: 3 }),
  fc.array(anyJump, { maxLength: 3 }),
] as const

/** Its certificate lives for `validity` days, and nothing is wrong with it but that its server is away for 89 days, if at all. */
const server = (validity: number, awayFrom?: number): Server => ({
  ...{ validity, closed: [], moods: ['issues'], window: 1, refusals: [0] },
  outages: awayFrom === undefined ? [] : [[start + awayFrom * day, start + (awayFrom + 89) * day]],
})

/** Only overtaking keeps the second certificate of this sensor from expiring behind the first, whose server is away when it is due. */
const blocked: [Server[], Jump[]] = [[server(730, 364), server(30)], []]

/** Runs that one and so many more sensors, the same ones for the same `seed`. Seconds between two tests of a network decide how many steps there are. */
export function fiveYears(
  runs: number,
  testEvery: number,
  seed?: number,
): { attempts: number; expired: number; proofs: number } {
  const all = { attempts: 0, expired: 0, proofs: 0 }
  fc.assert(
    fc.property(...anySensor, (servers, jumps) => {
      const years = new Years(servers, jumps, testEvery).run()
      all.attempts += years.attempts.length
      all.expired += years.expired.length
      all.proofs += years.proofs
      judge(years, servers, jumps)
    }),
    { numRuns: runs + 1, examples: [blocked], ...(seed !== undefined && { seed }) },
  )
  return all
}

function judge({ attempts, expired }: Years, servers: readonly Server[], jumps: readonly Jump[]): void {
  // Two attempts of each network with what else its CA wants of it, and what the clock may have been off.
  const enough = (2 * servers.length * 4 + jumps.length * 24) * hour
  for (const { network, usable } of expired)
    if (usable > enough) throw new Error(`${network} expired, its server was there for ${usable / hour} h`)
  for (const [place, attempt] of attempts.entries()) {
    const before = attempts[place - 1]
    const apart = before ? attempt.at - before.at : Infinity
    if (before && !attempt.poll && !attempt.jumped && apart < attempt.pace)
      throw new Error(`${attempt.network} was tried ${apart / 1000} s after ${before.network}`)
    if (attempt.passed !== undefined && attempt.overtakes === undefined)
      throw new Error(`${attempt.network} went before ${attempt.passed}, which is due longer`)
  }
}
