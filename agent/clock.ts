/**
 * The clock as a lower bound with a source: a Pi has no battery clock, and a wrong one must neither expire certificates nor
 * keep them for ever. The system clock counts once something vouches for it; until then time is the latest moment known to
 * have passed, plus what has gone by since. The agent never sets the system clock (S1-27).
 */
import { join } from 'node:path'
import { readIfThere, writeDurable } from './durable.ts'
import type { ClockReading, ClockSource } from './types.ts'
import { buildTime } from './version.ts'

/** How the system clock is vouched for, for the settings' `time.trustSystemClock`. */
export interface ClockSettings {
  folder: string
  trustSystemClock: boolean
}

export class Clock {
  readonly #path: string
  #floor: number
  /** `performance.now()` when the floor was true. */
  #since = performance.now()
  #source: ClockSource
  /** Added to the system clock; undefined while nothing vouches for it. */
  #offset: number | undefined
  readonly #told = new Set<() => void>()

  static async open({ folder, trustSystemClock }: ClockSettings): Promise<Clock> {
    const path = join(folder, 'clock.json')
    const clock = new Clock(path, savedTime(await readIfThere(path)))
    if (trustSystemClock) clock.trust('settings', 0)
    return clock
  }

  private constructor(path: string, saved: number) {
    this.#path = path
    this.#floor = Math.max(buildTime, saved)
    this.#source = saved > buildTime ? 'saved' : 'build'
  }

  /** Milliseconds since the epoch: the time, or the latest moment known to have passed. Never runs backwards while untrusted. */
  now(): number {
    if (this.#offset !== undefined) return Date.now() + this.#offset
    return Math.round(this.#floor + performance.now() - this.#since)
  }

  get reading(): ClockReading {
    return { trusted: this.#offset !== undefined, source: this.#source }
  }

  /** For judgements that a lower bound does not allow, such as `not yet valid`: undefined while untrusted. */
  trustedDate(): Date | undefined {
    return this.#offset === undefined ? undefined : new Date(this.now())
  }

  /** Something says that this moment has passed. */
  atLeast(time: number, source: ClockSource): void {
    if (this.#offset !== undefined || time <= this.now()) return
    this.#floor = time
    this.#since = performance.now()
    this.#source = source
  }

  /** Something vouches for the time: the system clock plus `offset` milliseconds. */
  trust(source: ClockSource, offset: number): void {
    const before = this.#offset
    this.#offset = offset
    this.#source = source
    if (before === undefined) for (const tell of this.#told) tell()
  }

  /** Told when the clock becomes trusted. */
  onTrusted(tell: () => void): Disposable {
    this.#told.add(tell)
    return { [Symbol.dispose]: () => this.#told.delete(tell) }
  }

  /** Remembers that this moment has passed. A date that only an unprotected server claimed is not remembered. */
  async save(): Promise<void> {
    if (this.#source === 'scep-date') return
    await writeDurable(this.#path, JSON.stringify({ passed: new Date(this.now()).toISOString() }))
  }
}

function savedTime(text: string | undefined): number {
  try {
    const time = Date.parse((JSON.parse(text ?? '{}') as { passed?: string }).passed ?? '')
    return Number.isNaN(time) ? 0 : time
  } catch {
    return 0
  }
}
