/**
 * "Something changed, look again." A counter instead of an event, so that a change between looking and waiting is not missed.
 */
export class Change {
  #count = 0
  #waiting = new Set<() => void>()

  get count(): number {
    return this.#count
  }

  notify(): void {
    this.#count += 1
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const wake of waiting) wake()
  }

  /** Resolves when the count is beyond `seen`, after `ms` (undefined: never by time), or when `signal` aborts. */
  async beyond(seen: number, ms: number | undefined, signal: AbortSignal): Promise<void> {
    if (this.#count > seen || signal.aborted) return
    await new Promise<void>(resolve => {
      const timer = ms === undefined ? undefined : setTimeout(done, Math.min(ms, longestTimer))
      const waiting = this.#waiting
      function done(): void {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        waiting.delete(done)
        resolve()
      }
      waiting.add(done)
      signal.addEventListener('abort', done)
    })
  }
}

/** setTimeout fires at once beyond 2^31 - 1 ms; looking again once a day costs nothing. */
const longestTimer = 86_400_000
