/** Looks for something that vouches for the time until there is one, and remembers the time now and then. */
import type { Clock } from './clock.ts'
import type { Path } from './path/index.ts'
import { isSystemClockSynchronised, synchronise } from './time-sources.ts'

/** Milliseconds between two looks while the clock is not trusted, and between two savings. */
const every = 15_000
const saveEvery = 3_600_000

export class TimeKeeper {
  readonly #clock: Clock
  readonly #servers: readonly string[]
  readonly #changed: () => void
  #paths: () => Path[] = () => []
  #looking: Promise<void> | undefined

  /** `servers`: literal addresses asked after those that DHCP named (option 42). */
  constructor(clock: Clock, servers: readonly string[], changed: () => void) {
    this.#clock = clock
    this.#servers = servers
    this.#changed = changed
  }

  start(paths: () => Path[], stop: AbortSignal): Disposable {
    this.#paths = paths
    void this.#look(stop)
    const looking = setInterval(() => void this.#look(stop), every)
    const saving = setInterval(() => void this.#clock.save(), saveEvery)
    return {
      [Symbol.dispose]: () => {
        clearInterval(looking)
        clearInterval(saving)
      },
    }
  }

  /**
   * Resolves when the time is known, or when nobody on the present paths can tell it; an enrolment waits for this,
   * 30 s at most, and goes on without (no time server must not mean no certificate).
   */
  async known(signal: AbortSignal): Promise<void> {
    const whole = AbortSignal.any([signal, AbortSignal.timeout(30_000)])
    await this.#look(whole).catch(() => {
      signal.throwIfAborted()
    })
  }

  #look(signal: AbortSignal): Promise<void> {
    if (this.#clock.reading.trusted) return Promise.resolve()
    this.#looking ??= this.#search(signal).finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #search(signal: AbortSignal): Promise<void> {
    if (await isSystemClockSynchronised(signal)) this.#clock.trust('system', 0)
    for (const path of this.#paths()) {
      if (this.#clock.reading.trusted) break
      await synchronise(this.#clock, path, this.#servers, signal).catch(() => false)
    }
    if (this.#clock.reading.trusted) this.#changed()
  }
}
