const kept = 20_000

type Waiter<T> = { look(entry: T): void; fail(error: Error): void }

/**
 * What something has said, the last 20,000 entries of it, numbered from 0, and promises for what it will say.
 * Nothing here polls: whoever waits is asked once for every entry.
 */
export class Journal<T> {
  readonly name: string
  readonly #show: (entry: T) => string
  #entries: T[] = []
  #first = 0
  #waiters = new Set<Waiter<T>>()
  #followers = new Set<(entry: T) => void>()

  constructor(name: string, show: (entry: T) => string) {
    this.name = name
    this.#show = show
  }

  /** The number the next entry will have: take it before an action, to wait for what follows from it. */
  get end(): number {
    return this.#first + this.#entries.length
  }

  add(entry: T): void {
    this.#entries.push(entry)
    for (const follower of this.#followers) follower(entry)
    for (const waiter of this.#waiters) waiter.look(entry)
    if (this.#entries.length > 2 * kept)
      this.#first += this.#entries.splice(0, this.#entries.length - kept).length
  }

  since(number: number): readonly T[] {
    return this.#entries.slice(Math.max(0, number - this.#first))
  }

  /** The last entries as one text, for a failure's message. */
  tail(entries = 30): string {
    return this.#entries
      .slice(-entries)
      .map(entry => `  ${this.name} | ${this.#show(entry)}`)
      .join('\n')
  }

  /** Has `follower` see every entry from now on. */
  follow(follower: (entry: T) => void): Disposable {
    this.#followers.add(follower)
    return { [Symbol.dispose]: () => void this.#followers.delete(follower) }
  }

  /** Rejects everybody who waits, because nothing will come any more. */
  fail(reason: string): void {
    for (const waiter of [...this.#waiters]) waiter.fail(new Error(`${reason}\n${this.tail()}`))
  }

  /**
   * The first answer other than undefined that `read` gives for an entry from number `since` on, whether it is already
   * there or comes later. `sentence` completes "waiting until …" in the error after `ms` milliseconds, with the tail.
   */
  async find<R>(read: (entry: T) => R | undefined, sentence: string, ms: number, since: number): Promise<R> {
    for (const entry of this.since(since)) {
      const found = read(entry)
      if (found !== undefined) return found
    }
    return new Promise<R>((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer)
        this.#waiters.delete(waiter)
      }
      const fail = (error: Error) => {
        settle()
        reject(new Error(`waiting until ${sentence}: ${error.message}`))
      }
      const look = (entry: T) => {
        const found = read(entry)
        if (found === undefined) return
        settle()
        resolve(found)
      }
      const timer = setTimeout(() => fail(new Error(`not within ${ms} ms\n${this.tail()}`)), ms)
      const waiter: Waiter<T> = { look, fail }
      this.#waiters.add(waiter)
    })
  }
}
