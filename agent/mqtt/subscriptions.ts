/**
 * The subscriptions of one connection. A document is asked for a second time a few seconds after the first: in a cluster of
 * brokers a subscription on one node and a retained message published on another at the same moment miss each other (seen on
 * NATS: neither delivered nor handed over as retained). What has never come is asked for again and again, ever less often.
 */
import { Change } from '../change.ts'

export interface SubscriptionPace {
  /** Milliseconds until a document is asked for again; up to three times that, so that a fleet does not ask at once. */
  again: number
  /** Milliseconds at most between two questions for one that never came. */
  most: number
  /** Milliseconds until a subscription that the broker refused is asked for again: the rights may come after the document. */
  refused: number
}

export const usualPace: SubscriptionPace = { again: 5000, most: 600_000, refused: 30_000 }

interface Wanted {
  /** Whether the topic holds a retained document. */
  document: boolean
  asked: number
  heard: boolean
  /** Monotonic ms of the next question; Infinity: none. */
  at: number
}

export class Subscriptions {
  readonly #subscribe: (topics: string[]) => Promise<void>
  readonly #refused: (error: unknown) => void
  readonly #over: AbortSignal
  readonly #pace: SubscriptionPace
  readonly #wanted = new Map<string, Wanted>()
  readonly #change = new Change()

  /** @param over aborts with the connection */
  constructor(
    subscribe: (topics: string[]) => Promise<void>,
    refused: (error: unknown) => void,
    over: AbortSignal,
    pace: SubscriptionPace = usualPace,
  ) {
    this.#subscribe = subscribe
    this.#refused = refused
    this.#over = over
    this.#pace = pace
    void this.#keep()
  }

  get topics(): string[] {
    return [...this.#wanted.keys()]
  }

  has(topic: string): boolean {
    return this.#wanted.has(topic)
  }

  /** Subscribes at once: to topics of documents, and to others. */
  add(documents: readonly string[], others: readonly string[] = []): void {
    const fresh = (document: boolean): Wanted => ({ document, asked: 0, heard: false, at: 0 })
    for (const topic of others) this.#wanted.set(topic, fresh(false))
    for (const topic of documents) this.#wanted.set(topic, fresh(true))
    this.#turn()
    this.#change.notify()
  }

  delete(topic: string): void {
    this.#wanted.delete(topic)
  }

  /** Something of this topic arrived. */
  heard(topic: string): void {
    const wanted = this.#wanted.get(topic)
    if (wanted === undefined) return
    wanted.heard = true
    if (wanted.asked > 1) wanted.at = Infinity
  }

  async #keep(): Promise<void> {
    while (!this.#over.aborted) {
      const seen = this.#change.count
      this.#turn()
      const next = Math.min(Infinity, ...[...this.#wanted.values()].map(({ at }) => at))
      const pause = next === Infinity ? undefined : Math.max(0, next - performance.now())
      await this.#change.beyond(seen, pause, this.#over)
    }
  }

  #turn(): void {
    const now = performance.now()
    const due = [...this.#wanted].filter(([, { at }]) => at <= now)
    if (due.length > 0 && !this.#over.aborted) this.#ask(due)
  }

  #ask(due: [string, Wanted][]): void {
    for (const [, wanted] of due) {
      wanted.asked += 1
      wanted.at = performance.now() + this.#pause(wanted)
    }
    this.#subscribe(due.map(([topic]) => topic)).catch((error: unknown) => {
      if (this.#over.aborted) return
      this.#refused(error)
      for (const [, wanted] of due) wanted.at = performance.now() + this.#pace.refused
      this.#change.notify()
    })
  }

  #pause({ document, asked, heard }: Wanted): number {
    if (!document || (asked > 1 && heard)) return Infinity
    const { again, most } = this.#pace
    return Math.min(again * 2 ** (asked - 1), most) * (1 + 2 * Math.random())
  }
}
