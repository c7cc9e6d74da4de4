/** What a sensor said, over all its starts, fits together. */
import type { Test } from 'tap'
import type { Sensor } from '../sensor.ts'
import { eventsOf, type SensorEvent } from './scene.ts'

/** Numbered without a hole, no number meant two things, and each certificate was issued before it was used. */
export function isConsistent(t: Test, sensor: Sensor): void {
  const events = eventsOf(sensor)
  const said = new Map<number, string>()
  const differing: string[] = []
  for (const each of events) {
    const text = JSON.stringify(each)
    const before = said.get(each.number) ?? text
    if (before !== text) differing.push(before, text)
    said.set(each.number, text)
  }
  t.strictSame(differing, [], 'no number stands for two events')
  const numbers = [...said.keys()].sort((a, b) => a - b)
  const holes = numbers.filter((number, index) => number !== (numbers[0] ?? 0) + index)
  t.strictSame(holes.slice(0, 1), [], 'no event is missing')
  for (const used of events.filter(({ event }) => event === 'certificate-in-use')) {
    const [, start = '?'] = String(used.data?.['generation']).split('-')
    const issued = events.find(
      ({ event, data }) => event === 'certificate-issued' && fingerprintOf(data).startsWith(start),
    )
    t.ok((issued?.number ?? Infinity) < used.number, `issued, then in use: ${used.text}`)
  }
}

const fingerprintOf = (data: SensorEvent['data']): string =>
  (data?.['certificate'] as { fingerprint: string } | undefined)?.fingerprint ?? ''
