/** Where the operator's command line reads and writes: a terminal, a pipe, or a test. */
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { Failure, interrupted } from './failure.ts'

export interface Io {
  out: (text: string) => void
  err: (text: string) => void
  /** A line a person types, not shown where `hidden`; undefined where nobody is there to ask. */
  ask?: (question: string, hidden: boolean, signal: AbortSignal) => Promise<string>
  environment: Record<string, string | undefined>
  /** Characters of a line; undefined where it is no terminal. */
  columns?: number
  colour: boolean
  signal: AbortSignal
}

/** Asked of a person whose document cannot be used. */
export async function wantsMore({ ask, signal }: Io): Promise<boolean> {
  const answer = await ask?.('Edit it again? (yes, no) ', false, signal)
  return answer !== undefined && /^(y|yes|)$/i.test(answer.trim())
}

/** Ends the program when nobody reads it any more (as SIGPIPE does other programs), or when what it says cannot be kept. */
export function endWithOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(141)
    process.stderr.write(`sonde: standard output cannot be written: ${error.code ?? error.message}\n`)
    process.exit(1)
  })
}

const usual = 80

/** The process' own terminal or pipe. */
export function processIo(signal: AbortSignal): Io {
  const { stdin, stdout, stderr, env } = process
  endWithOutput()
  // A serial line or a container may not say how wide it is: 0.
  const columns = stdout.isTTY ? stdout.columns || Number(env['COLUMNS']) || usual : undefined
  return {
    out: text => stdout.write(text),
    err: text => stderr.write(text),
    environment: env,
    colour: stdout.isTTY && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    signal,
    ...(columns !== undefined && { columns }),
    ...(stdin.isTTY && { ask: askTerminal }),
  }
}

const askTerminal: NonNullable<Io['ask']> = async (question, hidden, signal) => {
  const silent = new Writable({
    write: (_, __, done) => {
      done()
    },
  })
  const lines = createInterface({
    input: process.stdin,
    output: hidden ? silent : process.stderr,
    terminal: hidden,
  })
  // Where keys are not shown Ctrl-C is one of them.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  const gone = new AbortController()
  const leave = (): void => gone.abort()
  // Ctrl-D: no answer will come.
  lines.once('close', leave)
  signal.addEventListener('abort', leave)
  if (signal.aborted) leave()
  // Only now: what is typed the moment a question appears must not be shown where it is hidden.
  process.stderr.write(question)
  try {
    return await lines.question('', { signal: gone.signal })
  } catch (cause) {
    throw signal.aborted ? interrupted() : new Failure('no answer, so nothing is published', { cause })
  } finally {
    signal.removeEventListener('abort', leave)
    lines.close()
    if (hidden) process.stderr.write('\n')
  }
}
