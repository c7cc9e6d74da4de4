import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { PathError } from './errors.ts'

/** What one command gave: parsed JSON of a `show` or `get`, `undefined` of anything else, or its error text. */
export type IpResult = { ok: true; value: unknown } | { ok: false; text: string }

type Child = ChildProcessByStdio<Writable, Readable, null>

interface Pending {
  commands: readonly string[]
  /** Number of the first command in the batch, as iproute2 counts them in `Command failed -:N`. */
  first: number
  marker: string
  text: string
  resolve: (results: IpResult[]) => void
  reject: (error: PathError) => void
}

/**
 * One resident `ip -batch -` for the whole process: 0.4 ms a command instead of a process start each.
 * Its answers are told apart by a marker, an object name that iproute2 does not know and repeats in its complaint.
 * A command that does not parse ends iproute2 even with `-force`, hence arguments are checked before they get here.
 */
class ResidentIp {
  readonly #child: Child
  #sent = 0
  #markers = 0
  #pending: Pending[] = []
  /** Why it can answer no more. */
  #over: string | undefined

  constructor() {
    // Through a shell only for 2>&1: answers and complaints have to arrive in the order they were made.
    this.#child = spawn('/bin/sh', ['-c', 'exec ip -force -json -batch - 2>&1'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    this.#child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      this.#read(chunk)
    })
    this.#child.stdin.on('error', () => undefined)
    this.#child.on('error', error => {
      this.#ended(error.message)
    })
    this.#child.on('close', code => {
      this.#ended(`ip ended with ${code ?? 'a signal'}`)
    })
    this.#hold(false)
  }

  get usable(): boolean {
    return this.#over === undefined
  }

  run(commands: readonly string[]): Promise<IpResult[]> {
    return new Promise((resolve, reject) => {
      this.#markers += 1
      const marker = `end-${this.#markers}`
      this.#pending.push({ commands, first: this.#sent + 1, marker, text: '', resolve, reject })
      this.#sent += commands.length + 1
      this.#hold(true)
      this.#child.stdin.write([...commands, marker, ''].join('\n'))
    })
  }

  /** Lets it answer what it was asked and end. */
  retire(): void {
    this.#over = 'ip was retired'
    this.#child.stdin.end()
  }

  #read(chunk: string): void {
    let rest = chunk
    for (;;) {
      const current = this.#pending[0]
      if (current === undefined) return
      const text = current.text + rest
      const complaint = new RegExp(`^Object "${current.marker}" .*\\nCommand failed [^\\n]*\\n`, 'm').exec(
        text,
      )
      if (complaint === null) {
        current.text = text
        return
      }
      this.#pending.shift()
      if (this.#pending.length === 0) this.#hold(false)
      current.resolve(ipResults(current.commands, current.first, text.slice(0, complaint.index)))
      rest = text.slice(complaint.index + complaint[0].length)
    }
  }

  #ended(why: string): void {
    this.#over = why
    for (const { reject, commands, text } of this.#pending.splice(0))
      reject(new PathError('ip-failed', `${why} at: ${commands.join('; ')} ${text.trim()}`))
  }

  /** The child keeps the process alive only while an answer is awaited. */
  #hold(hold: boolean): void {
    for (const part of [this.#child, this.#child.stdin, this.#child.stdout])
      if (part === this.#child || part instanceof Socket) part[hold ? 'ref' : 'unref']()
  }
}

/** Pairs the text that iproute2 wrote with the commands that caused it. `first` is the number of `commands[0]`. */
export function ipResults(commands: readonly string[], first: number, text: string): IpResult[] {
  const failures = new Map<number, string>()
  const values: unknown[] = []
  let complaint: string[] = []
  for (const line of text.split('\n')) {
    const failed = /^Command failed -:(\d+)$/.exec(line)
    if (failed !== null) {
      failures.set(Number(failed[1]) - first, complaint.join(' '))
      complaint = []
    } else if (line.startsWith('[')) values.push(JSON.parse(line))
    else if (line !== '') complaint.push(line)
  }
  return commands.map((command, index) => {
    const failure = failures.get(index)
    if (failure !== undefined) return { ok: false, text: failure }
    return { ok: true, value: / (show|get) /.test(`${command} `) ? values.shift() : undefined }
  })
}

let resident: ResidentIp | undefined
const usable = (): ResidentIp => (resident = resident?.usable === true ? resident : new ResidentIp())

/**
 * To be called before an interface is used anew: iproute2 remembers the index behind a name for as long as it runs, and an
 * adapter that was unplugged and plugged in again has another one.
 */
export function forgetInterfaces(): void {
  resident?.retire()
  resident = undefined
}

/**
 * Runs commands of `ip` (without the word `ip`) in order and gives what each answered.
 * A command that begins with `-` may fail, as in a makefile; any other failure is thrown as a PathError
 * `ip-failed` (or `no-privilege`) after all have run.
 */
export async function ip(...commands: string[]): Promise<unknown[]> {
  const results = await usable().run(commands.map(command => command.replace(/^-/, '')))
  return results.map((result, index) => {
    if (result.ok) return result.value
    const command = commands[index] ?? ''
    if (command.startsWith('-')) return undefined
    const code = /not permitted/i.test(result.text) ? 'no-privilege' : 'ip-failed'
    throw new PathError(code, `ip ${command}: ${result.text}`)
  })
}

/** As `ip` for one command, giving its failure instead of throwing it. */
export async function tryIp(command: string): Promise<IpResult> {
  const [result] = await usable().run([command])
  return result ?? { ok: false, text: 'no answer' }
}
