/**
 * Commands, executed at most once per id.
 *
 * INVARIANTS
 * - An id is on disk before anything is done for it, and before the broker gets its PUBACK.
 * - An id that was seen is never executed again; its stored reply is sent instead.
 * - Every command that reaches the sensor gets a reply, also one that is not executed.
 */
import * as z from 'zod/mini'
import { Command, commandLimit, type Reply } from '../desired/messages.ts'
import { knownKeys } from '../desired/parse.ts'
import { problemsOf, type Problem } from '../desired/problems.ts'
import { idPattern } from '../desired/profile.ts'
import type { Finding } from '../errors.ts'
import { CommandStore, type StoredCommand } from './command-store.ts'
import type { Message } from './connection.ts'
import type { Reply as OutgoingReply } from './session.ts'

/** How a command ended. */
export interface Outcome {
  outcome: 'done' | 'failed' | 'refused'
  /** One sentence. */
  text: string
  problem?: Finding
  data?: Record<string, unknown>
}

export interface CommandSettings {
  /** Private folder for commands.json. */
  directory: string
  /** Milliseconds since the epoch, and whether they are known to be right. */
  clock: () => { now: number; trusted: boolean }
  /** Does it. What it throws becomes `failed`; `signal` aborts when the agent ends. */
  execute: (command: Command, signal: AbortSignal) => Promise<Outcome>
  reply: (reply: OutgoingReply) => void
  onError?: (error: unknown) => void
}

export class Commands implements AsyncDisposable {
  readonly #settings: CommandSettings
  readonly #store: CommandStore
  readonly #stop = new AbortController()
  readonly #running = new Set<Promise<void>>()
  /** Retained commands answered already: they come again with every connection. */
  readonly #retained = new Set<string>()

  /** Commands that were begun and have no outcome are answered as `interrupted`. */
  static async open(settings: CommandSettings): Promise<Commands> {
    const commands = new Commands(settings, await CommandStore.open(settings.directory))
    for (const begun of commands.#store.unfinished()) {
      const text = 'the agent ended before the outcome was known'
      await commands.#finish(begun, commands.#answer(begun, { outcome: 'interrupted', text }), {})
    }
    return commands
  }

  private constructor(settings: CommandSettings, store: CommandStore) {
    this.#settings = settings
    this.#store = store
  }

  /** A message of the commands topic. Resolves when the broker may forget it; never rejects. */
  async take(message: Message): Promise<void> {
    try {
      await this.#take(message)
    } catch (error) {
      this.#settings.onError?.(error)
    }
  }

  /** Interrupts what is being done; resolves when it has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running)
  }

  async #take(message: Message): Promise<void> {
    if (message.payload.length === 0) return
    const read = readCommand(message.payload)
    const id = read.ok ? read.command.id : read.id
    if (message.retain) {
      if (!this.#retained.has(id)) this.#refuse(id, message, 'a retained command is not executed')
      this.#retained.add(id)
      return
    }
    const seen = this.#store.get(id)
    if (seen !== undefined) {
      const reply =
        seen.reply ?? this.#answer(seen, { outcome: 'refused', text: 'it is being executed already' })
      this.#send({ ...reply, repeated: true }, message)
      return
    }
    if (!read.ok) {
      this.#refuse(id, message, 'it is not a command this sensor knows', read.problems)
      return
    }
    const late = this.#late(read.command)
    if (late !== undefined) {
      this.#refuse(id, message, late)
      return
    }
    await this.#begin(read.command, message)
  }

  /** Why it comes too late. Without a trusted clock nothing is known to be late. */
  #late({ expires }: Command): string | undefined {
    const { now, trusted } = this.#settings.clock()
    if (expires === undefined || !trusted || now <= Date.parse(expires)) return undefined
    return `it expired at ${expires}; it is ${new Date(now).toISOString()} here`
  }

  async #begin(command: Command, message: Message): Promise<void> {
    const { now, trusted } = this.#settings.clock()
    const stored: StoredCommand = { id: command.id, command: command.command, at: now, trusted }
    try {
      await this.#store.put(stored, this.#settings.clock())
    } catch (error) {
      this.#store.drop(stored.id)
      this.#refuse(stored.id, message, 'it is not executed, because it cannot be remembered: the disk fails')
      throw error
    }
    const done = this.#execute(command, stored, message).catch((error: unknown) =>
      this.#settings.onError?.(error),
    )
    this.#running.add(done)
    void done.finally(() => this.#running.delete(done))
  }

  async #execute(command: Command, stored: StoredCommand, message: Message): Promise<void> {
    let outcome: Outcome
    try {
      outcome = await this.#settings.execute(command, this.#stop.signal)
    } catch (error) {
      // Interrupted by the end of the agent: the next one says so.
      if (this.#stop.signal.aborted) return
      outcome = failed(error)
    }
    await this.#finish(stored, this.#answer(stored, outcome), message)
  }

  async #finish(stored: StoredCommand, reply: Reply, to: ReplyTo): Promise<void> {
    await this.#store.put({ ...stored, reply }, this.#settings.clock())
    this.#send(reply, to)
  }

  #answer(
    { id, command }: { id: string; command?: string },
    outcome: Omit<Outcome, 'outcome'> & { outcome: Reply['outcome']; problems?: Problem[] },
  ): Reply {
    const at = new Date(this.#settings.clock().now).toISOString()
    return { schema: 1, id, ...(command !== undefined && { command }), at, ...outcome }
  }

  /** Not executed, so its id is not used up: a corrected command may carry it again. */
  #refuse(id: string, to: ReplyTo, text: string, problems?: Problem[]): void {
    this.#send(this.#answer({ id }, { outcome: 'refused', text, ...(problems && { problems }) }), to)
  }

  #send(reply: Reply, { responseTopic, correlationData }: ReplyTo): void {
    this.#settings.reply({ payload: JSON.stringify(reply), responseTopic, correlationData })
  }
}

type ReplyTo = Pick<Message, 'responseTopic' | 'correlationData'>

type ReadCommand = { ok: true; command: Command } | { ok: false; id: string; problems: Problem[] }

/** Pure. What cannot be used still gives its id, where one can be read. */
function readCommand(payload: Uint8Array): ReadCommand {
  if (payload.length > commandLimit) {
    const message = `has ${String(payload.length)} bytes; at most ${String(commandLimit)} are read`
    return { ok: false, id: '', problems: [{ path: '', message }] }
  }
  let document: unknown
  try {
    document = JSON.parse(Buffer.from(payload).toString())
  } catch {
    return { ok: false, id: '', problems: [{ path: '', message: 'is not JSON' }] }
  }
  const result = z.safeParse(Command, document)
  if (result.success) return { ok: true, command: result.data }
  const problems = problemsOf(result.error.issues, document, path => knownKeys(Command, path)).slice(0, 20)
  return { ok: false, id: idOf(document), problems }
}

function idOf(document: unknown): string {
  const id = typeof document === 'object' && document !== null && 'id' in document ? document.id : undefined
  return typeof id === 'string' && idPattern.test(id) ? id : ''
}

function failed(error: unknown): Outcome {
  const text = error instanceof Error ? error.message : String(error)
  const problem = error instanceof Error && 'finding' in error ? (error.finding as Finding) : undefined
  return problem ? { outcome: 'failed', text: problem.title, problem } : { outcome: 'failed', text }
}
