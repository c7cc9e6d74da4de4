import { mkdtemp, rm } from 'node:fs/promises'
import type { Test } from 'tap'

/** A folder in memory: on a disk the fsyncs of a thousand files would take longer than everything else. */
export async function folderInMemory(t: Test): Promise<string> {
  const folder = await mkdtemp('/dev/shm/sonde-test-')
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}
