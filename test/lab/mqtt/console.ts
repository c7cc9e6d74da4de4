/** `sonde fleet` as a person runs it, with everything it prints. */
import { runFleetCommand } from '../../../console/command.ts'
import type { Io } from '../../../console/io.ts'

export interface Outcome {
  code: number
  out: string
  err: string
  json: () => unknown
}

export interface ConsoleOptions {
  environment?: Record<string, string>
  /** Answers to the questions of a wizard, in order; the questions are in `err`. */
  answers?: string[]
  columns?: number
  signal?: AbortSignal
  /** Called with what is printed, while it is. */
  hear?: (text: string) => void
  /** Likewise with what is said beside it. */
  tell?: (text: string) => void
}

/** @param line words as on a command line; a list where a word has spaces */
export async function fleet(
  url: string,
  line: string | readonly string[],
  options: ConsoleOptions = {},
): Promise<Outcome> {
  const { environment = {}, answers, columns, signal, hear, tell } = options
  let out = ''
  let err = ''
  const io: Io = {
    out: text => {
      out += text
      hear?.(text)
    },
    err: text => {
      err += text
      tell?.(text)
    },
    environment: { SONDE_BROKER: url, ...environment },
    colour: false,
    signal: signal ?? AbortSignal.timeout(20_000),
    ...(columns !== undefined && { columns }),
    ...(answers && {
      ask: async question => {
        err += question
        const answer = answers.shift()
        if (answer === undefined) throw new Error(`no answer to ${question}`)
        err += `${answer}\n`
        return answer
      },
    }),
  }
  const code = await runFleetCommand(typeof line === 'string' ? line.split(' ') : line, io)
  return { code, out, err, json: () => JSON.parse(out) as unknown }
}
