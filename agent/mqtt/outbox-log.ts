/**
 * The file behind the outbox: lines of JSON, only ever appended to, or replaced as a whole.
 * Lines that wait share one write and one fsync, and wait a moment for others: what the sensor does comes in bursts, and
 * its processor has better things to do meanwhile.
 *
 *   {"format":1,"epoch":"…","next":1,"acknowledged":0}    first line
 *   {"n":1,"e":{…}}                                       an event
 *   {"a":1}                                               everything up to 1 is acknowledged
 *
 * A disk that takes nothing when it is opened is no reason not to start: it is tried again like any other write.
 */
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { Change } from '../change.ts'
import { checkpoint } from '../checkpoint.ts'
import { readIfThere, writeDurable } from '../durable.ts'
import type { TimelineEvent } from '../types.ts'

export interface LogRecord {
  number: number
  event: TimelineEvent
  size: number
}

export interface Header {
  epoch: string
  /** The number the next event gets. */
  next: number
  acknowledged: number
}

interface Opened extends Header {
  log: OutboxLog
  records: LogRecord[]
}

interface Waiting {
  line: string
  durable: boolean
  /** Whether it still says anything: what was dropped meanwhile is not written any more. */
  needed: () => boolean
  done: () => void
}

const headerLine = (header: Header): string => JSON.stringify({ format: 1, ...header })
/** A rewrite is worth it when the file is twice what is in it, and not before this many bytes. */
const worthwhile = 64 * 1024
const pauseAfterError = 1000
/** Milliseconds an event waits for others before it is written. */
const company = 20
/** Milliseconds acknowledgements alone wait: lost in a power cut, they cost a duplicate. */
const leisure = 1000

export class OutboxLog {
  readonly #path: string
  readonly #onError: ((error: unknown) => void) | undefined
  /** Without one nothing could be written yet. */
  #file: FileHandle | undefined
  #length: number
  #waiting: Waiting[] = []
  #replacement: (() => { header: Header; lines: string[] }) | undefined
  #working: Promise<void> | undefined
  /** Counts events that came, and whoever wants to see everything written. */
  readonly #urgent = new Change()
  #asked = 0
  #closing = new AbortController()

  /**
   * @param freshEpoch the epoch of a new store: used when there is no file, or when one is damaged beyond a torn tail;
   * events that can still be read are then numbered anew, because numbers after the damage may have been sent
   */
  static async open(
    directory: string,
    freshEpoch: string,
    onError?: (error: unknown) => void,
  ): Promise<Opened> {
    const path = join(directory, 'events.jsonl')
    const found = readLog((await readIfThere(path)) ?? '')
    const intact = found.header !== undefined && !found.damaged
    const header: Header =
      found.header && intact ? found.header : { epoch: freshEpoch, next: 1, acknowledged: 0 }
    const records = intact
      ? found.records
      : found.records.map((record, index) => ({ ...record, number: index + 1 }))
    header.next = Math.max(header.next, (records.at(-1)?.number ?? 0) + 1, header.acknowledged + 1)
    const lines = [
      headerLine(header),
      ...records.map(({ number, event }) => JSON.stringify({ n: number, e: event })),
    ]
    const content = `${lines.join('\n')}\n`
    const made = writeDurable(path, content).then(() => open(path, 'a', 0o600))
    const file = await made.catch((error: unknown) => {
      onError?.(error)
      return undefined
    })
    const log = new OutboxLog(path, file, Buffer.byteLength(content), onError)
    return { ...header, log, records }
  }

  private constructor(
    path: string,
    file: FileHandle | undefined,
    length: number,
    onError?: (error: unknown) => void,
  ) {
    this.#path = path
    this.#file = file
    this.#length = length
    this.#onError = onError
  }

  wantsRewrite(liveBytes: number): boolean {
    if (!this.#file) return this.#replacement === undefined
    return this.#replacement === undefined && this.#length > worthwhile && this.#length > 2 * liveBytes
  }

  /**
   * Resolves once the line is on disk; never before. `needed` is asked where the disk has failed: what waits is then no more than
   * what is still wanted, however long that lasts.
   */
  write(line: string, needed: () => boolean): Promise<void> {
    return this.#enqueue({ line, durable: true, needed })
  }

  /** A line that may be lost in a power cut. */
  note(line: string, needed: () => boolean): Promise<void> {
    return this.#enqueue({ line, durable: false, needed })
  }

  /** Replaces the file by what `content` returns when its turn comes. */
  rewrite(content: () => { header: Header; lines: string[] }): void {
    this.#replacement = content
    this.#work()
  }

  /** Resolves when nothing waits; on a disk that fails, when the log is closed. */
  async settled(): Promise<void> {
    this.#asked += 1
    this.#urgent.notify()
    while (this.#working !== undefined) await this.#working
    this.#asked -= 1
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.settled()
    await this.#file?.close()
  }

  #enqueue(waiting: Omit<Waiting, 'done'>): Promise<void> {
    return new Promise(done => {
      this.#waiting.push({ ...waiting, done })
      if (waiting.durable) this.#urgent.notify()
      this.#work()
    })
  }

  #work(): void {
    this.#working ??= this.#drain().finally(() => {
      this.#working = undefined
      if (this.#waiting.length > 0 && !this.#closing.signal.aborted) this.#work()
    })
  }

  /** One batch at a time; a disk that fails is tried again, in the same order. */
  async #drain(): Promise<void> {
    await Promise.resolve()
    while (this.#waiting.length > 0 || this.#replacement !== undefined) {
      await this.#gather()
      if (await this.#writeWaiting()) continue
      if (this.#closing.signal.aborted) return
      await new Change().beyond(0, pauseAfterError, this.#closing.signal)
    }
  }

  /** Whether the disk took it. */
  async #writeWaiting(): Promise<boolean> {
    const batch = this.#waiting
    this.#waiting = []
    try {
      if (this.#replacement) await this.#replace(this.#replacement)
      else await this.#append(batch)
      for (const { done } of batch) done()
      return true
    } catch (error) {
      this.#waiting = [...batch, ...this.#waiting].filter(({ needed }) => needed())
      this.#onError?.(error)
      return false
    }
  }

  async #gather(): Promise<void> {
    const { signal } = this.#closing
    if (!this.#waiting.some(({ durable }) => durable) && this.#asked === 0)
      await this.#urgent.beyond(this.#urgent.count, leisure, signal)
    const end = performance.now() + company
    while (this.#asked === 0 && !signal.aborted && performance.now() < end)
      await this.#urgent.beyond(this.#urgent.count, end - performance.now(), signal)
  }

  async #append(batch: Waiting[]): Promise<void> {
    const file = this.#file
    if (!file) throw new Error('the outbox has no file yet')
    const content = Buffer.from(batch.map(({ line }) => `${line}\n`).join(''))
    // A write that failed half way is cut off again, so that no line follows a torn one.
    if ((await file.stat()).size > this.#length) await file.truncate(this.#length)
    await file.writeFile(content)
    checkpoint('write outbox')
    if (batch.some(({ durable }) => durable)) await file.datasync()
    checkpoint('fsync outbox')
    this.#length += content.length
  }

  /** The new content holds what the batch holds, because it is made of everything pending. */
  async #replace(content: () => { header: Header; lines: string[] }): Promise<void> {
    const { header, lines } = content()
    const text = `${[headerLine(header), ...lines].join('\n')}\n`
    await writeDurable(this.#path, text)
    await this.#file?.close()
    this.#file = await open(this.#path, 'a', 0o600)
    this.#length = Buffer.byteLength(text)
    this.#replacement = undefined
  }
}

/** What can be read of a store. A last line without its end is a torn write and was never sent. */
function readLog(text: string): { header?: Header; records: LogRecord[]; damaged: boolean } {
  const lines = text.split('\n').slice(0, -1)
  const header = read(lines[0] ?? '')
  const known = header?.format === 1 && typeof header.epoch === 'string'
  let damaged = !known
  let acknowledged = header?.acknowledged ?? 0
  const records: LogRecord[] = []
  for (const line of lines.slice(known ? 1 : 0)) {
    const entry = read(line)
    if (typeof entry?.a === 'number') acknowledged = Math.max(acknowledged, entry.a)
    else if (typeof entry?.n === 'number' && entry.e)
      records.push({ number: entry.n, event: entry.e, size: line.length + 1 })
    else damaged = true
  }
  const pending = records.filter(({ number }) => number > acknowledged)
  if (!known) return { records: pending, damaged }
  const next = Math.max(header.next ?? 1, (records.at(-1)?.number ?? 0) + 1)
  return { header: { epoch: header.epoch ?? '', next, acknowledged }, records: pending, damaged }
}

interface Line extends Partial<Header> {
  format?: number
  n?: number
  e?: TimelineEvent
  a?: number
}

function read(line: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
