/** Where the power can be cut: what the agent says of itself in a run that nobody cuts (agent/checkpoint.ts). */
import { readFile } from 'node:fs/promises'
import type { Test } from 'tap'
import { digestOf, readyKeyFile } from '../ready-key.ts'
import type { Issued } from '../scep-server.ts'
import type { Sensor } from '../sensor.ts'

/** The nth checkpoint of this name since the agent was started. */
export interface Point {
  name: string
  nth: number
}

/** Every point passed since line `since` of the output; the timeline and the cache of documents, written at any time, have tests of their own. */
export function pointsPassed(sensor: Sensor, since: number): Point[] {
  const names = sensor.process.output.since(since).flatMap(line => /^checkpoint (.*)$/.exec(line)?.[1] ?? [])
  const ours = names.filter(name => !/outbox|events\.jsonl|desired\.json/.test(name))
  // A generation carries the fingerprint of what will be issued, a server is asked over whatever address it has.
  const alike = ours.map(name => name.replace(/(\d{4}-)[0-9a-f]{8}/, '$1'))
  const counts = new Map<string, number>()
  return alike.map(name => {
    const nth = (counts.get(name) ?? 0) + 1
    counts.set(name, nth)
    return { name, nth }
  })
}

export const named = ({ name, nth }: Point): string => `at ${name}, number ${String(nth)}`

/** Few of the points are missed: those of what happens side by side, which may come less often than in the run the list is from. */
export function isReached(t: Test, missed: readonly string[], of: number): void {
  const all = `${String(of - missed.length)} of ${String(of)} cut where they should be`
  t.ok(missed.length <= Math.max(1, of / 5), [all, ...missed].join('; '))
}

/** From the first point on that a renewal without trouble does not pass. */
export function fromTroubleOn(points: readonly Point[], plain: readonly Point[]): Point[] {
  const known = new Set(plain.map(point => JSON.stringify(point)))
  const first = points.findIndex(point => !known.has(JSON.stringify(point)))
  return first < 0 ? [] : points.slice(first)
}

/** What lies ready for the next request was never in one. */
export async function spareIsUnused(t: Test, sensor: Sensor, issued: readonly Issued[]): Promise<void> {
  const pem = await readFile(readyKeyFile(sensor.state), 'utf8').catch(() => undefined)
  const used = pem !== undefined && issued.some(({ publicKey }) => publicKey === digestOf(pem))
  t.notOk(used, 'the spare key that lies ready was never in a request')
}
