/** `sonde status`: what this sensor reports, read on the device itself, where there may be no broker. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Reported } from '../agent/desired/reported.ts'
import { describe } from './describe.ts'
import type { Io } from './io.ts'
import { problemsOf } from './sensors.ts'

/** Exit code: 0 shown, 1 with problems, 3 the agent has not reported. `folder`: the agent's runtime folder. */
export async function runStatusCommand(argv: readonly string[], folder: string, io: Io): Promise<number> {
  const path = join(folder, 'reported.json')
  let reported: Reported
  try {
    reported = JSON.parse(await readFile(path, 'utf8')) as Reported
  } catch {
    io.err(
      `sonde status: ${path} cannot be read\n  look whether the agent runs (systemctl status sonde), and ask as root\n`,
    )
    return 3
  }
  const sensor = { id: reported.about.sensor, reported }
  if (argv.includes('--json')) io.out(`${JSON.stringify(reported, null, 2)}\n`)
  else describe(sensor, io)
  return problemsOf(sensor).length > 0 ? 1 : 0
}
