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

/** Milliseconds by which the system clock may be off and still serve wpa_supplicant. */
const tolerance = 60_000

/** Milliseconds by which a claim has to be ahead of the lower bound to be of any interest. */
const leastAhead = 3_600_000

export class Clock {
  readonly #path: string
  #floor: number
  /** `performance.now()` when the floor was true. */
  #since = performance.now()
  #source: ClockSource
  /** What vouches for the time; with `at`, when it is not the system clock itself: the time at `since`. */
  #trust: { at?: number; since: number } | undefined
  #doubted = false
  /** The time by a server that nobody vouches for; `false` when one was found to be wrong. */
  #claim: { at: number; since: number } | undefined | false
  /** System clock less monotonic clock: constant but for steps of the system clock. */
  #boot = Date.now() - performance.now()

  static async open({ folder, trustSystemClock }: ClockSettings): Promise<Clock> {
    const path = join(folder, 'clock.json')
    const clock = new Clock(path, savedTime(await readIfThere(path)))
    if (trustSystemClock) clock.trust('settings')
    return clock
  }

  private constructor(path: string, saved: number) {
    this.#path = path
    this.#floor = Math.max(buildTime, saved)
    this.#source = saved > buildTime ? 'saved' : 'build'
  }

  /** Milliseconds since the epoch: the time, or the latest moment known to have passed. Never runs backwards while untrusted. */
  now(): number {
    if (!this.#trust) return Math.round(this.#floor + performance.now() - this.#since)
    const { at, since } = this.#trust
    return at === undefined ? Date.now() : Math.round(at + performance.now() - since)
  }

  get reading(): ClockReading {
    const ahead = this.#claimedAhead()
    return {
      ...{ trusted: this.#trust !== undefined, source: this.#source, system: this.#system() },
      ...(ahead >= leastAhead && { scepDateAhead: ahead }),
    }
  }

  /** Both count on by the monotonic clock. */
  #claimedAhead(): number {
    if (this.#trust || !this.#claim) return 0
    return Math.round(this.#claim.at - this.#claim.since - (this.#floor - this.#since))
  }

  /** A lower bound shows that the system clock is behind, never that it is right. */
  #system(): ClockReading['system'] {
    const ahead = Date.now() - this.now()
    if (this.#trust) return Math.abs(ahead) < tolerance ? 'right' : 'wrong'
    return ahead < -tolerance || this.#doubted ? 'wrong' : 'unknown'
  }

  /** By the system clock a certificate is out of date that is in date by all that is known here: until the time is known, it counts as wrong. */
  doubt(): void {
    this.#doubted = true
  }

  /** For judgements that a lower bound does not allow, such as `not yet valid`: undefined while untrusted. */
  trustedDate(): Date | undefined {
    return this.#trust && new Date(this.now())
  }

  /** Something says that this moment has passed. */
  atLeast(time: number, source: ClockSource): void {
    if (this.#trust || time <= this.now()) return
    this.#floor = time
    this.#since = performance.now()
    this.#source = source
  }

  /** A server that nobody vouches for says that it is this time: no bound, but a hint that a renewal may be due. */
  claim(time: number): void {
    if (this.#claim !== false) this.#claim = { at: time, since: performance.now() }
  }

  /**
   * A CA has just issued this to us: its beginning has passed and its end has not. So a lower bound beyond that end was wrong,
   * e.g. saved when a time server was; it would let every certificate expire at once. And a server by whose clock half the time to its
   * renewal, which is `due`, has passed already is not heard any more: it would have the sensor renew again and again.
   */
  witness({ notBefore, notAfter }: { notBefore: number; notAfter: number }, due = notAfter): void {
    if (!this.#trust && this.now() > notAfter) this.#floor = -Infinity
    this.atLeast(notBefore, 'certificate')
    const ahead = this.#claimedAhead()
    if (ahead > 0 && this.now() + ahead > (notBefore + due) / 2) this.#claim = false
  }

  /**
   * Something vouches for the time: the system clock as it is, or with `offset` milliseconds added. A time of our own counts on
   * from here by the monotonic clock, so that somebody who sets the system clock later does not move it.
   */
  trust(source: ClockSource, offset?: number): void {
    const since = performance.now()
    this.#trust = { since, ...(offset !== undefined && { at: Date.now() + offset }) }
    this.#source = source
  }

  /** Milliseconds by which the system clock was set since this was asked last; 0 for less than five seconds. */
  jumped(): number {
    const boot = Date.now() - performance.now()
    const by = Math.round(boot - this.#boot)
    this.#boot = boot
    return Math.abs(by) < 5000 ? 0 : by
  }

  /** Remembers that this moment has passed. */
  async save(): Promise<void> {
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
