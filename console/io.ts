/** Where the operator's command line reads and writes: a terminal, a pipe, or a test. */
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'

export interface Io {
  out: (text: string) => void
  err: (text: string) => void
  /** A line a person types, not shown where `hidden`; undefined where nobody is there to ask. */
  ask?: (question: string, hidden: boolean) => Promise<string>
  environment: Record<string, string | undefined>
  /** Characters of a line; undefined where it is no terminal. */
  columns?: number
  colour: boolean
  signal: AbortSignal
}

/** The process' own terminal or pipe. */
export function processIo(signal: AbortSignal): Io {
  const { stdin, stdout, stderr, env } = process
  const columns = stdout.isTTY ? stdout.columns : undefined
  return {
    out: text => stdout.write(text),
    err: text => stderr.write(text),
    environment: env,
    colour: stdout.isTTY && env['NO_COLOR'] === undefined,
    signal,
    ...(columns !== undefined && { columns }),
    ...(stdin.isTTY && { ask: askTerminal(signal) }),
  }
}

const askTerminal =
  (signal: AbortSignal): NonNullable<Io['ask']> =>
  async (question, hidden) => {
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
    // Only now: what is typed the moment a question appears must not be shown where it is hidden.
    process.stderr.write(question)
    try {
      return await lines.question('', { signal })
    } finally {
      lines.close()
      if (hidden) process.stderr.write('\n')
    }
  }
