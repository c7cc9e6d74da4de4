/**
 * Events on disk until the broker has them: numbered within an epoch, durable before they are sent,
 * deleted when acknowledged, in order, bounded.
 *
 * INVARIANTS
 * - A number that was sent is on disk, so it is never given to another event of the same epoch.
 * - Numbers are consecutive: a hole in what is sent was dropped for want of space, and the next event says so.
 * - After a crash at any point everything durable and not acknowledged is sent again, in order.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Change } from '../change.ts'
import { privateFolder } from '../durable.ts'
import { OutboxLog, type LogRecord } from './outbox-log.ts'
import type { TimelineEvent } from '../types.ts'

export interface OutboxEvent {
  number: number
  event: TimelineEvent
  /** Numbers missing before this one, dropped for want of space. */
  dropped?: { from: number; to: number }
}

export interface OutboxSettings {
  /** Private folder of its own. */
  directory: string
  /** Bytes of events kept; beyond, the oldest of the least important goes. */
  limit?: number
  onError?: (error: unknown) => void
}

interface Pending {
  number: number
  event: TimelineEvent
  size: number
  durable: boolean
}

const importance: Record<TimelineEvent['severity'], number> = { debug: 0, info: 1, warning: 2, error: 3 }

export class Outbox implements AsyncDisposable {
  readonly epoch: string
  /** Counts whenever something became ready to send. */
  readonly ready = new Change()
  readonly #log: OutboxLog
  readonly #limit: number
  /** By number, ascending. */
  readonly #pending = new Map<number, Pending>()
  /** Numbers of pending events by importance, oldest first: what to drop is found without a search. */
  readonly #ranks: [Set<number>, Set<number>, Set<number>, Set<number>] = [
    new Set(),
    new Set(),
    new Set(),
    new Set(),
  ]
  #bytes = 0
  #next: number
  /** Nothing up to here is pending. */
  #acknowledged: number
  /** Acknowledged beyond that: a broker may answer out of order. */
  readonly #ahead = new Set<number>()

  /** Opens the store, or makes a new one with a new epoch where there is none that can be read. */
  static async open(settings: OutboxSettings): Promise<Outbox> {
    await privateFolder(settings.directory)
    const opened = await OutboxLog.open(settings.directory, randomUUID(), settings.onError)
    return new Outbox(opened.log, opened, settings.limit ?? 2 * 1024 * 1024)
  }

  private constructor(
    log: OutboxLog,
    {
      epoch,
      next,
      acknowledged,
      records,
    }: { epoch: string; next: number; acknowledged: number; records: LogRecord[] },
    limit: number,
  ) {
    this.#log = log
    this.epoch = epoch
    this.#next = next
    this.#acknowledged = acknowledged
    this.#limit = limit
    for (const { number, event, size } of records) this.#add({ number, event, size, durable: true })
    this.#makeRoom()
    if (this.#log.wantsRewrite(this.#bytes)) this.#rewrite()
  }

  /** Events neither acknowledged nor dropped. */
  get size(): number {
    return this.#pending.size
  }

  /** Takes an event; it is sent once it is on disk. Returns its number. */
  append(event: TimelineEvent): number {
    const number = this.#next++
    const line = JSON.stringify({ n: number, e: event })
    const pending: Pending = { number, event, size: line.length + 1, durable: false }
    this.#add(pending)
    this.#makeRoom()
    const needed = (): boolean => this.#pending.has(number)
    void this.#log.write(line, needed).then(() => {
      pending.durable = true
      this.ready.notify()
    })
    if (this.#log.wantsRewrite(this.#bytes)) this.#rewrite()
    return number
  }

  /** The first event after `number` that may be sent; undefined when there is none yet. */
  after(number: number): OutboxEvent | undefined {
    let before = Math.max(number, this.#acknowledged)
    while (this.#ahead.has(before + 1)) before += 1
    for (const pending of this.#pending.values()) {
      if (pending.number <= number) continue
      if (!pending.durable) return undefined
      const event = { number: pending.number, event: pending.event }
      before += 1
      return pending.number === before
        ? event
        : { ...event, dropped: { from: before, to: pending.number - 1 } }
    }
    return undefined
  }

  /** The broker has it. */
  acknowledge(number: number): void {
    const pending = this.#pending.get(number)
    if (pending === undefined) return
    this.#remove(pending)
    this.#ahead.add(number)
    const first = this.#pending.keys().next()
    this.#acknowledged = first.done === true ? this.#next - 1 : first.value - 1
    for (const done of this.#ahead) if (done <= this.#acknowledged) this.#ahead.delete(done)
    const acknowledged = this.#acknowledged
    void this.#log.note(JSON.stringify({ a: acknowledged }), () => this.#acknowledged === acknowledged)
    if (this.#log.wantsRewrite(this.#bytes)) this.#rewrite()
  }

  /** Resolves when everything appended so far is on disk. */
  async settled(): Promise<void> {
    await this.#log.settled()
  }

  /** Whether everything appended so far is on disk, after `ms` at the latest. */
  async saved(ms = 5000): Promise<boolean> {
    const last = this.#next - 1
    const late = new AbortController()
    await Promise.race([this.settled(), pause(ms, undefined, { signal: late.signal }).catch(() => undefined)])
    late.abort()
    return [...this.#pending.values()].every(({ number, durable }) => number > last || durable)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log.close()
  }

  #add(pending: Pending): void {
    this.#pending.set(pending.number, pending)
    this.#ranks[this.#rank(pending)]?.add(pending.number)
    this.#bytes += pending.size
  }

  #remove(pending: Pending): void {
    this.#pending.delete(pending.number)
    this.#ranks[this.#rank(pending)]?.delete(pending.number)
    this.#bytes -= pending.size
  }

  #rank(pending: Pending): number {
    return importance[pending.event.severity]
  }

  #makeRoom(): void {
    for (const rank of this.#ranks) {
      for (const number of rank) {
        if (this.#bytes <= this.#limit || this.#pending.size <= 1) return
        const oldest = this.#pending.get(number)
        if (oldest) this.#remove(oldest)
      }
    }
  }

  /** Leaves what is acknowledged or dropped out of the file. */
  #rewrite(): void {
    this.#log.rewrite(() => ({
      header: { epoch: this.epoch, next: this.#next, acknowledged: this.#acknowledged },
      lines: [...this.#pending.values()].map(({ number, event }) => JSON.stringify({ n: number, e: event })),
    }))
  }
}
