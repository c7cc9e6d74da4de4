/** Looks for something that vouches for the time until there is one, says when the system clock was set, and remembers the time. */
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import type { Path } from './path/index.ts'
import { isSystemClockSynchronised, synchronise } from './time-sources.ts'
import type { TimelineEvent } from './types.ts'
import { within } from './within.ts'

/** Milliseconds between two looks, between two questions to a time server that has answered, and between two savings. */
const every = 15_000
const hour = 3_600_000

export interface TimeKeeping {
  clock: Clock
  /** Literal addresses of time servers, asked after those that DHCP named (option 42). */
  servers: readonly string[]
  paths: () => Path[]
  changed: () => void
  say: (event: Omit<TimelineEvent, 'at'>) => void
  log: Log
}

export class TimeKeeper {
  readonly #with: TimeKeeping
  #looking: Promise<void> | undefined
  /** `performance.now()` of the last answer of a time server. */
  #answered = -Infinity

  constructor(keeping: TimeKeeping) {
    this.#with = keeping
  }

  start(stop: AbortSignal): Disposable {
    const { clock, log } = this.#with
    const look = (): void => {
      this.#noticeJump()
      this.#look(stop).catch(() => undefined)
    }
    look()
    const looking = setInterval(look, every)
    const saving = setInterval(() => {
      clock.save().catch((error: unknown) => {
        log.error({ err: error }, 'the time cannot be remembered')
      })
    }, hour)
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
    using late = within(30_000, signal)
    // A look that is under way was begun for somebody else: it does not end when this wait does.
    const waited = new Promise<void>(resolve => {
      late.signal.addEventListener('abort', () => {
        resolve()
      })
    })
    await Promise.race([this.#look(late.signal).catch(() => undefined), waited])
    signal.throwIfAborted()
  }

  #look(signal: AbortSignal): Promise<void> {
    const { trusted, source } = this.#with.clock.reading
    const fresh = source !== 'sntp' || performance.now() - this.#answered < hour
    if (trusted && fresh) return Promise.resolve()
    this.#looking ??= this.#search(signal).finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #search(signal: AbortSignal): Promise<void> {
    const { clock, servers, paths, changed, say } = this.#with
    const before = clock.reading
    if (await isSystemClockSynchronised(signal)) clock.trust('system')
    else if (await this.#ask(paths(), servers, signal)) this.#answered = performance.now()
    const { trusted, source, system } = clock.reading
    if (!trusted || (before.trusted && before.source === source && before.system === system)) return
    const right = system === 'right'
    const text = `the time is known from ${source}${right ? '' : '; the system clock is wrong, and is left as it is'}`
    say({ event: 'clock-trusted', severity: right ? 'info' : 'warning', text, data: { source, system } })
    changed()
  }

  async #ask(paths: readonly Path[], servers: readonly string[], signal: AbortSignal): Promise<boolean> {
    for (const path of paths)
      if (await synchronise(this.#with.clock, path, servers, signal).catch(() => false)) return true
    return false
  }

  #noticeJump(): void {
    const by = this.#with.clock.jumped()
    if (by === 0) return
    const text = `the system clock was set ${String(Math.abs(by) / 1000)} s ${by > 0 ? 'forward' : 'back'}`
    this.#with.say({ event: 'clock-jumped', severity: 'warning', text, data: { by } })
    this.#with.changed()
  }
}
