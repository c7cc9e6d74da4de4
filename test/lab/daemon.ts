import { spawn, type ChildProcess } from 'node:child_process'
import { createWriteStream, type WriteStream } from 'node:fs'
import { cleanEnvironment, confined, slowness } from './command.ts'
import { Journal } from './journal.ts'
import { atDeath } from './last-resort.ts'

export type DaemonOptions = {
  /** What messages and the log's lines call it. */
  name: string
  command: string
  args?: readonly string[]
  netns?: string | undefined
  env?: Readonly<Record<string, string>>
  cwd?: string
  /** A line that says it serves, or a check of its own; started() resolves then. */
  ready: RegExp | ((daemon: Daemon) => Promise<unknown>)
  /** How long it may take until ready; milliseconds. */
  deadlineMs?: number
  /** Everything it writes to standard output and standard error, appended over restarts. */
  logFile: string
}

/** Time between SIGTERM and SIGKILL. */
const graceMs = 2_000

/**
 * A daemon of the laboratory: one child process in its own process group with its own log, ended by its own pid and
 * never by name. `await using` ends it; an unexpected end rejects whoever waits for its output, with the log's tail.
 */
export class Daemon implements AsyncDisposable {
  /** Its lines over its whole life, restarts included. */
  readonly output: Journal<string>
  readonly #options: DaemonOptions
  readonly #log: WriteStream
  readonly #death: Disposable
  #child: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #firstLine = 0

  constructor(options: DaemonOptions) {
    this.#options = options
    this.output = new Journal(options.name, line => line)
    this.#log = createWriteStream(options.logFile, { flags: 'a' })
    this.#log.on('error', error => this.output.add(`[the log cannot be written: ${error.message}]`))
    this.#death = atDeath(() => this.#signalGroup('SIGKILL'))
  }

  get name(): string {
    return this.#options.name
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get running(): boolean {
    return this.#child !== undefined
  }

  /** Resolves when the present process has ended, whatever ended it. */
  get ended(): Promise<void> {
    return this.#ended
  }

  /** Starts the process and resolves once it is ready. A daemon that runs is left as it is; `environment` is this run's own. */
  async start(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    if (this.#child !== undefined) return
    const { command, args = [], netns, env, cwd, ready, deadlineMs = 5_000 } = this.#options
    const [file, line] = confined(command, args, netns)
    this.#firstLine = this.output.end
    const child = spawn(file, line, {
      detached: true, // a process group of its own, so that its children end with it
      env: { ...cleanEnvironment, ...env, ...environment },
      cwd,
    })
    this.#child = child
    this.#ended = new Promise(resolve => {
      child.once('error', error => this.#over(child, error.message, resolve))
      child.once('close', (code, signal) => this.#over(child, signal ?? `exit code ${code}`, resolve))
    })
    // Where files ran out it has no streams.
    for (const stream of child.pid === undefined ? [] : [child.stdout, child.stderr]) {
      let partial = ''
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#log.write(text)
        partial += text
        const lines = partial.split('\n')
        partial = lines.pop() ?? ''
        for (const line of lines) this.output.add(line)
      })
    }
    if (child.pid !== undefined) child.stdin.on('error', () => undefined) // its end is told by 'exit'
    if (ready instanceof RegExp) await this.waitFor(ready, `${this.name} is ready`, deadlineMs * slowness)
    else await ready(this)
  }

  #over(child: ChildProcess, how: string, resolve: () => void): void {
    if (this.#child === child) this.#child = undefined
    this.output.add(`[ended: ${how}]`)
    this.output.fail(`${this.name} ended: ${how}`)
    resolve()
  }

  #signalGroup(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid
    if (pid === undefined) return
    try {
      process.kill(-pid, signal)
    } catch {
      // ESRCH: it ended meanwhile
    }
  }

  /** Sends a signal to the process and its children; with SIGKILL the way to make it crash. */
  kill(signal: NodeJS.Signals): void {
    this.#signalGroup(signal)
  }

  /** Ends it by SIGTERM, after two seconds by SIGKILL, and resolves when it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#child === undefined) return
    this.#signalGroup(signal)
    const timer = setTimeout(() => this.#signalGroup('SIGKILL'), graceMs)
    await this.#ended
    clearTimeout(timer)
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /** Writes to its standard input. */
  write(text: string): void {
    this.#child?.stdin?.write(text)
  }

  /**
   * The first line matching `pattern` of the present run, or from line `since` on (see output.end), already written or still to come.
   * `sentence` completes "waiting until …" in the error.
   */
  async waitFor(
    pattern: RegExp,
    sentence: string,
    ms = 5_000,
    since = this.#firstLine,
  ): Promise<RegExpExecArray> {
    return this.find(line => pattern.exec(line) ?? undefined, sentence, ms, since)
  }

  /** The same with a reading of the line: the first answer other than undefined. */
  async find<T>(
    read: (line: string) => T | undefined,
    sentence: string,
    ms = 5_000,
    since = this.#firstLine,
  ): Promise<T> {
    const found = this.output.find(read, sentence, ms, since)
    if (this.#child === undefined) this.output.fail(`${this.name} is not running`)
    return found
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    this.#death[Symbol.dispose]()
    await new Promise(resolve => this.#log.end(resolve))
  }
}

/** Starts a daemon and resolves once it is ready; if it never is, it is ended and the error carries its log's tail. */
export async function daemon(options: DaemonOptions): Promise<Daemon> {
  const started = new Daemon(options)
  try {
    await started.start()
    return started
  } catch (error) {
    await started[Symbol.asyncDispose]()
    throw error
  }
}
