/** The numbers of events, by sensor: which are missing, and which came before (docs/mqtt.md, Events). Pure. */

export interface Place {
  /** Numbers that came neither before nor now, and that the sensor does not call dropped. */
  missing?: { epoch: string; from: number; to: number }
  /** It came before. */
  again: boolean
}

/** Gaps of one sensor that are remembered, should what is in them come after all. */
const mostGaps = 20

export class Timelines {
  readonly #last = new Map<string, { epoch: string; number: number }>()
  readonly #gaps = new Map<string, NonNullable<Place['missing']>[]>()

  /** @param event as it came: a sensor in the wrong hands may write anything */
  take(sensor: string, { epoch, number, dropped }: Record<string, unknown>): Place {
    if (typeof epoch !== 'string' || !Number.isSafeInteger(number)) return { again: false }
    const at = Number(number)
    const last = this.#last.get(sensor)
    const gaps = this.#gaps.get(sensor) ?? []
    const wasMissing = gaps.some(gap => gap.epoch === epoch && gap.from <= at && at <= gap.to)
    if (last?.epoch === epoch && at <= last.number) return { again: !wasMissing }
    this.#last.set(sensor, { epoch, number: at })
    // The first that is heard at all says nothing of those before.
    if (last === undefined) return { again: false }
    const from = last.epoch === epoch ? last.number + 1 : 1
    const first = typeof dropped === 'object' && dropped !== null && 'from' in dropped ? dropped.from : at
    const to = Math.min(at, Number.isSafeInteger(first) ? Number(first) : at) - 1
    if (from > to) return { again: false }
    const missing = { epoch, from, to }
    this.#gaps.set(sensor, [...gaps.slice(1 - mostGaps), missing])
    return { again: false, missing }
  }
}
