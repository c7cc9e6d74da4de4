/**
 * A store of an older format becomes one of a newer: by a copy, so that a migration that fails leaves the old store as it was, and by
 * renames, so that a power cut at any point is gone on from at the next start.
 *   migrating/   the copy, not complete
 *   migrated/    the copy, complete: what is in the store moves to `before`
 *   replacing/   the same, when the store is empty: what is in it moves to the store
 *   before/      the old store, removed at the end
 */
import { cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { checkpoint } from './checkpoint.ts'
import { isMissing, privateFolder, removeAll, renameDurable, syncFolder, writeSynced } from './durable.ts'

/** Changes the store in `folder` from one format to the next. It is a copy: nothing has to be kept. */
export type Migration = (folder: string) => Promise<void>

const stages = ['migrating', 'migrated', 'replacing', 'before'] as const
type Stage = (typeof stages)[number]

/** Goes on where a power cut has ended a migration. Call before anything of the store is read. */
export async function finishMigration(root: string): Promise<void> {
  const at = (stage: Stage): string => join(root, stage)
  const names = await namesIn(root)
  const left = stages.filter(stage => names.includes(stage))
  if (left.length === 0) return
  if (left.includes('migrated')) {
    await privateFolder(at('before'))
    for (const name of await namesIn(root)) if (!isStage(name)) await move(name, root, at('before'))
    await renameDurable(at('migrated'), at('replacing'))
  }
  if (left.includes('migrated') || left.includes('replacing'))
    for (const name of await namesIn(at('replacing'))) await move(name, at('replacing'), root)
  // `before` last: it is what the others are worth until then.
  await removeAll(root, ['migrating', 'replacing', 'before'])
}

/** Runs the migrations one after the other on a copy, and puts it in place; `header` goes into its store.json. */
export async function migrate(root: string, migrations: readonly Migration[], header: string): Promise<void> {
  const copy = join(root, 'migrating')
  await removeAll(root, ['migrating'])
  for (const name of await namesIn(root)) {
    checkpoint(`copy ${name}`)
    await cp(join(root, name), join(copy, name), {
      ...{ recursive: true, preserveTimestamps: true, verbatimSymlinks: true },
    })
  }
  for (const migration of migrations) await migration(copy)
  await writeSynced(join(copy, 'store.json'), header)
  await syncAll(copy)
  await renameDurable(copy, join(root, 'migrated'))
  await finishMigration(root)
}

const isStage = (name: string): boolean => stages.some(stage => stage === name)
const move = (name: string, from: string, to: string): Promise<void> =>
  renameDurable(join(from, name), join(to, name))

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** Everything that was copied outlives a power cut from here on. */
async function syncAll(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await syncAll(path)
    // fsync of a file is the same call as of a folder.
    else if (entry.isFile()) await syncFolder(path)
  }
  await syncFolder(folder)
}
