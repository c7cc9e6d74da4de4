/**
 * `$STATE_DIRECTORY`: what must outlive a restart. `store.json` carries the number of its format;
 * a newer one is refused, because an agent that does not know it would damage what it holds, and an older one is migrated.
 * No agent writes one that is no JSON: that is a worn card, and the format is that of the agent, which has migrated it long before.
 */
import { join } from 'node:path'
import { privateFolder, readIfThere, writeDurable } from './durable.ts'
import { AgentError } from './errors.ts'
import { finishMigration, migrate, type Migration } from './store-migration.ts'

/** One from each format to the next, beginning with that from 1 to 2. There has been one format so far. */
const known: readonly Migration[] = []

export interface Store {
  root: string
  credentials: string
  spareKeys: string
  trust: string
  /** `store.json` was damaged, and has been written anew. */
  mended: boolean
}

/**
 * Opens or makes the store. Throws `store-format` for a format that is not known here, `store-unusable` where
 * the folder cannot be one, `disk-full` or `disk-read-only`.
 */
export async function openStore(root: string, migrations = known): Promise<Store> {
  try {
    return await open(root, migrations)
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw unusable(root, error)
    throw error
  }
}

async function open(root: string, migrations: readonly Migration[]): Promise<Store> {
  await privateFolder(root)
  await finishMigration(root)
  const path = join(root, 'store.json')
  const newest = migrations.length + 1
  const header = JSON.stringify({ format: newest }) + '\n'
  const text = await readIfThere(path)
  const format = text === undefined ? undefined : formatOf(path, text, newest)
  if (format === undefined) await writeDurable(path, header)
  else if (format < newest) await migrate(root, migrations.slice(format - 1), header)
  const store: Store = {
    root,
    credentials: join(root, 'credentials'),
    spareKeys: join(root, 'spare-keys'),
    trust: join(root, 'trust'),
    mended: text !== undefined && format === undefined,
  }
  await Promise.all([store.credentials, store.spareKeys, store.trust].map(privateFolder))
  return store
}

/** undefined for a damaged one. */
function formatOf(path: string, text: string, newest: number): number | undefined {
  let format: unknown
  try {
    format = (JSON.parse(text) as { format?: unknown }).format
  } catch {
    return undefined
  }
  if (typeof format === 'number' && Number.isInteger(format) && format >= 1 && format <= newest) return format
  throw new AgentError({
    code: 'store-format',
    title: 'The state folder cannot be used',
    detail: `${path}: its format is ${JSON.stringify(format)}; this agent reads formats up to ${String(newest)}`,
    hint: 'run the agent version that wrote it, or move the state folder away to enrol afresh',
    side: 'sensor',
    retry: 'never',
  })
}

const unusable = (root: string, cause: Error): AgentError =>
  new AgentError(
    {
      code: 'store-unusable',
      title: 'The state folder cannot be used',
      detail: `${root}: ${cause.message}`,
      hint: 'name a folder in stateDirectory that the agent may make and write, or mend this one',
      side: 'sensor',
      retry: 'never',
    },
    { cause },
  )
