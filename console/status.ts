/** `sonde status`: what this sensor reports, read on the device itself, where there may be no broker. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe } from './describe.ts'
import { exitCodes } from './failure.ts'
import type { Io } from './io.ts'
import { printableJson, readJson } from './json.ts'
import { problemsOf } from './problems.ts'
import { readReport } from './report.ts'

/** Exit code: 0 shown, 1 with problems, 2 the words are off, 3 the agent has not reported. `folder`: the agent's runtime folder. */
export async function runStatusCommand(argv: readonly string[], folder: string, io: Io): Promise<number> {
  const odd = argv.find(word => word !== '--json')
  if (odd !== undefined) {
    io.err(`sonde status: ${odd} is not known; it takes --json alone\n`)
    return exitCodes.usage
  }
  const path = join(folder, 'reported.json')
  const text = await readFile(path, 'utf8').catch(() => undefined)
  const { reported, odd: unreadable } = readReport(text === undefined ? undefined : readJson(text))
  if (reported === undefined) {
    io.err(
      `sonde status: ${path} cannot be read\n  look whether the agent runs (systemctl status sonde), and ask as root\n`,
    )
    return 3
  }
  const sensor = { id: reported.about.sensor, reported, odd: unreadable }
  if (argv.includes('--json')) io.out(`${printableJson(reported, 2)}\n`)
  else describe(sensor, io)
  return problemsOf(sensor).some(({ severity }) => severity === 'error') ? 1 : 0
}
