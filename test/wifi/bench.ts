import { join } from 'node:path'
import { pki } from '../lab/pki.ts'
import { openJob } from './machine/job.ts'
import { powerOn } from './machine/machine.ts'
import { prepared } from './machine/prepared.ts'
import { bundle } from './machine/program.ts'
import type { Telling } from './telling.ts'

/** Milliseconds from our call, or the peer's start, to the open port; WPA2-Enterprise by EAP-TLS. */
export interface AirTimes {
  /** `join()` told on which frequency the network was met. */
  ours: number[]
  /** wpa_supplicant with a static file that has the frequency too. */
  known: number[]
  /** The same without it, so that every channel is scanned. */
  full: number[]
  /** NetworkManager, which looks everywhere too unless it has just done so; or why it was not measured. */
  networkManager: number[] | { reason: string }
}

/**
 * Measures joins on simulated radios, in turns; or says why this machine cannot. Aborting ends the machine. `withoutManager` says
 * why there is no NetworkManager.
 */
export async function joinOnTheAir(
  withoutManager: string | undefined,
  signal: AbortSignal,
): Promise<AirTimes | { reason: string }> {
  const place = await prepared()
  if ('reason' in place) return place
  await pki()
  await using job = await openJob()
  await bundle('inside/bench.ts', join(job.folder, 'program.cjs'))
  const command = [process.execPath, '--enable-source-maps', '/run/job/program.cjs', '']
  if (withoutManager === undefined) command.push('"with NetworkManager"')
  const { folder } = place
  await using machine = await powerOn({ folder, job: job.folder, command, radios: 4, signals: false })
  const abort = (): void => {
    machine.powerOff()
  }
  signal.addEventListener('abort', abort, { once: true })
  let reason = withoutManager ?? 'no word of it'
  try {
    for await (const line of machine.lines) {
      if (!line.startsWith('{')) continue
      const telling = JSON.parse(line) as Telling
      if (telling.kind === 'comment') reason = telling.text
      if (telling.kind !== 'figures') continue
      const { ours = [], known = [], full = [], networkManager = { reason } } = telling.figures
      return { ours, known, full, networkManager }
    }
    signal.throwIfAborted()
    throw new Error(`the virtual machine ended without figures\n${await machine.words()}`)
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
