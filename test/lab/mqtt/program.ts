/** The program as it is installed, run as a person runs it: in a pipe, or in a terminal with somebody who answers. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { run } from '../command.ts'

const top = fileURLToPath(new URL('../../..', import.meta.url))
let built: Promise<string> | undefined

/** Path of the bundle, built once per process. */
export const program = (): Promise<string> =>
  (built ??= run(process.execPath, ['test/setup/build.mjs'], { cwd: top, deadlineMs: 60_000 }).then(
    () => `${top}dist/sonde.cjs`,
  ))

export interface Ended {
  code: number | null
  out: string
  err: string
}

export interface Circumstances {
  environment?: Record<string, string>
  /** In a terminal: what is typed when the question appears, in order. Everything printed is in `out` then. */
  terminal?: readonly (readonly [question: string, answer: string])[]
}

/** `sonde` with these words; killed after half a minute. */
export async function sonde(
  words: readonly string[],
  { environment = {}, terminal }: Circumstances = {},
): Promise<Ended> {
  const command = [process.execPath, await program(), ...words]
  const quoted = command.map(word => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  const [file = '', ...args] = terminal ? ['script', '-qfec', `exec ${quoted}`, '/dev/null'] : command
  const env = { PATH: process.env['PATH'] ?? '', TERM: 'dumb', ...environment }
  const child = spawn(file, args, { env, signal: AbortSignal.timeout(30_000), killSignal: 'SIGKILL' })
  const said = { out: '', err: '' }
  const left = [...(terminal ?? [])]
  let heard = 0
  child.stdout.on('data', (data: Buffer) => {
    said.out += data.toString()
    const [question, answer] = left[0] ?? []
    if (question === undefined || !said.out.slice(heard).includes(question)) return
    left.shift()
    heard = said.out.length
    child.stdin.write(`${answer ?? ''}\n`)
  })
  child.stderr.on('data', (data: Buffer) => (said.err += data.toString()))
  child.on('error', () => undefined)
  if (!terminal) child.stdin.end()
  await once(child, 'close')
  if (left.length > 0) throw new Error(`it never asked ${left[0]?.[0] ?? ''}:\n${said.out}`)
  return { code: child.exitCode, ...said }
}
