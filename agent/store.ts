/**
 * `$STATE_DIRECTORY`: what must outlive a restart. `store.json` carries the number of its format;
 * a newer one is refused, because an agent that does not know it would damage what it holds.
 */
import { join } from 'node:path'
import { privateFolder, readIfThere, writeDurable } from './durable.ts'
import { AgentError } from './errors.ts'

export const storeFormat = 1

export interface Store {
  root: string
  credentials: string
  spareKeys: string
  trust: string
}

/** Opens or makes the store. Throws `store-format` for a newer format or an unreadable `store.json`. */
export async function openStore(root: string): Promise<Store> {
  await privateFolder(root)
  const path = join(root, 'store.json')
  const text = await readIfThere(path)
  if (text === undefined) await writeDurable(path, JSON.stringify({ format: storeFormat }) + '\n')
  else checkFormat(path, text)
  const store: Store = {
    root,
    credentials: join(root, 'credentials'),
    spareKeys: join(root, 'spare-keys'),
    trust: join(root, 'trust'),
  }
  await Promise.all([store.credentials, store.spareKeys, store.trust].map(privateFolder))
  return store
}

function checkFormat(path: string, text: string): void {
  let format: unknown
  try {
    format = (JSON.parse(text) as { format?: unknown }).format
  } catch (cause) {
    throw unreadable(path, 'it is not JSON', { cause })
  }
  if (format !== storeFormat) throw unreadable(path, `its format is ${JSON.stringify(format)}`)
}

const unreadable = (path: string, detail: string, options?: { cause: unknown }): AgentError =>
  new AgentError(
    {
      code: 'store-format',
      title: 'The state folder cannot be used',
      detail: `${path}: ${detail}; this agent reads format ${String(storeFormat)}`,
      hint: 'run the agent version that wrote it, or move the state folder away to enrol afresh',
      side: 'sensor',
      retry: 'never',
    },
    options,
  )
