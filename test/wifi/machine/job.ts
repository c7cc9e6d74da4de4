import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atDeath } from '../../lab/last-resort.ts'
import { sweep } from '../../lab/namespace.ts'

export interface Job extends AsyncDisposable {
  folder: string
}

/** The folder that a machine and this process share: /run/job inside. Removed with it, or by the next one's sweep. */
export async function openJob(): Promise<Job> {
  await sweep()
  // Named like the laboratory's, by the owner's pid.
  const folder = await mkdtemp(join(tmpdir(), `sonde-${process.pid}-0-wifi-`))
  const death = atDeath(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    folder,
    [Symbol.asyncDispose]: async () => {
      death[Symbol.dispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
