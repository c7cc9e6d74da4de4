import { runScepCommand } from '../../../agent/scep-cli/command.ts'

/** Runs the tool as a person does. */
export const sonde = (...argv: string[]) => typed('', argv)

/** The same with something on standard input. */
export async function typed(input: string, argv: string[], password = 'open sesame') {
  const said = { out: '', err: '' }
  const io = {
    out: (text: string) => void (said.out += text),
    err: (text: string) => void (said.err += text),
    input: () => Promise.resolve(Buffer.from(input)),
    env: { SONDE_SCEP_PASSWORD: password },
    signal: AbortSignal.timeout(10_000),
  }
  const code = await runScepCommand(argv, io)
  return { code, ...said }
}
