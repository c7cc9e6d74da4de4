/**
 * Every write that must survive a power cut, in one place.
 * After a power cut the reader finds the old content or the new, never half of either.
 */
import { mkdir, open, readFile, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { checkpoint } from './checkpoint.ts'
import { AgentError } from './errors.ts'

/** Makes the folder's entries (renames, new files) durable. */
export async function syncFolder(path: string): Promise<void> {
  checkpoint(`fsync ${basename(path)}/`)
  await using folder = await open(path, 'r')
  await folder.sync()
}

/** A private folder, with its parents; a new one outlives a power cut. */
export async function privateFolder(path: string): Promise<void> {
  checkpoint(`make ${basename(path)}/`)
  const first = await mkdir(path, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = path; ; made = dirname(made)) {
    await syncFolder(dirname(made))
    if (made === first) return
  }
}

/**
 * Writes and syncs a new private file; the caller makes it visible by renaming the folder it is in.
 * Throws AgentError `disk-full` or `disk-read-only`; what was there before is as it was.
 */
export async function writeSynced(path: string, content: string | Uint8Array): Promise<void> {
  checkpoint(`write ${basename(path)}`)
  try {
    await using file = await open(path, 'w', 0o600)
    await file.writeFile(content)
    checkpoint(`fsync ${basename(path)}`)
    await file.sync()
  } catch (error) {
    await rm(path, { force: true }).catch(() => undefined)
    throw diskError(path, error)
  }
}

function diskError(path: string, cause: unknown): unknown {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'ENOSPC' || code === 'EDQUOT') return full(path, cause)
  return code === 'EROFS' ? readOnly(path, cause) : cause
}

const full = (path: string, cause: unknown): AgentError =>
  new AgentError(
    {
      code: 'disk-full',
      title: 'The disk of the sensor is full',
      detail: `${path} cannot be written`,
      hint: 'make room on the disk of the sensor; nothing was lost, and it goes on by itself',
      side: 'sensor',
      retry: 'backoff',
    },
    { cause },
  )

const readOnly = (path: string, cause: unknown): AgentError =>
  new AgentError(
    {
      code: 'disk-read-only',
      title: 'The disk of the sensor cannot be written',
      detail: `${path} cannot be written`,
      hint: 'the card may be worn out: replace it; nothing that was on it is lost',
      side: 'sensor',
      retry: 'backoff',
    },
    { cause },
  )

/** The last write of each file that is being written. */
const writing = new Map<string, Promise<void>>()

/**
 * Replaces the file: temp, fsync, rename, fsync of the folder. Writes of one file follow each other as they were called, or one
 * would rename the draft of another away.
 */
export async function writeDurable(path: string, content: string | Uint8Array): Promise<void> {
  const before = writing.get(path)
  const replaced = before
    ? before.catch(() => undefined).then(() => replace(path, content))
    : replace(path, content)
  writing.set(path, replaced)
  try {
    await replaced
  } finally {
    if (writing.get(path) === replaced) writing.delete(path)
  }
}

async function replace(path: string, content: string | Uint8Array): Promise<void> {
  const draft = `${path}.new`
  await writeSynced(draft, content)
  await renameDurable(draft, path)
}

export async function renameDurable(from: string, to: string): Promise<void> {
  checkpoint(`rename ${basename(to)}`)
  await rename(from, to)
  await syncFolder(dirname(to))
}

/** Points the link at another target, in one step for any reader. */
export async function linkDurable(target: string, path: string): Promise<void> {
  const draft = `${path}.new`
  checkpoint(`link ${basename(path)}`)
  await rm(draft, { force: true })
  await symlink(target, draft)
  await renameDurable(draft, path)
}

export async function removeDurable(path: string): Promise<void> {
  await removeAll(dirname(path), [basename(path)])
}

/** One after the other; what is not there is no error. The folder itself has to be there. */
export async function removeAll(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    checkpoint(`remove ${name}`)
    await rm(join(folder, name), { recursive: true, force: true })
  }
  await syncFolder(folder)
}

/** The file's text, or undefined where there is none. Other errors are thrown. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** What the file holds; undefined where there is none, or none that is JSON: a worn card gives back zeros. */
export async function readJson<T>(path: string): Promise<T | undefined> {
  const text = await readIfThere(path)
  try {
    return text === undefined ? undefined : (JSON.parse(text) as T)
  } catch {
    return undefined
  }
}

export const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'
