/**
 * Private keys: made by OpenSSL off the event loop, at most one spare of each kind kept from idle times,
 * so that an enrolment need not wait for the slowest thing it does.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import type { KeyNews } from './credential-record.ts'
import { checkpoint } from './checkpoint.ts'
import { isMissing, privateFolder, readIfThere, renameDurable, syncFolder, writeDurable } from './durable.ts'
import { generateKey, type KeyKind } from './scep/index.ts'

export type { KeyKind }

/**
 * A new key as soon as it can be had: several threads look for its primes. Three of libuv's four at most, since files need one, and on
 * two processors two. One that has looked in vain ends when it has found, and Node's exit waits for it.
 */
const generateSoon = (kind: KeyKind): Promise<KeyObject> =>
  generateKey(kind, Math.min(3, Math.ceil((availableParallelism() + 1) / 2)))

export const keyPem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string
export const readKey = (pem: string): KeyObject => createPrivateKey(pem)

/** undefined for what a worn card has damaged. */
export function wholeKey(pem: string | undefined): KeyObject | undefined {
  try {
    return pem === undefined ? undefined : createPrivateKey(pem)
  } catch {
    return undefined
  }
}

const minute = 60_000
const month = 30 * 24 * 60 * minute

/** `$STATE/spare-keys/<kind>/key.pem`. A key is taken by rename, so it can never be used twice. */
export class SpareKeys {
  readonly #folder: string
  readonly #now: () => number

  /** `now`: the system clock, right or wrong, because files are dated by it too. */
  constructor(folder: string, now = Date.now) {
    this.#folder = folder
    this.#now = now
  }

  /** Whether there is one that is younger than 30 days. One of the future was made before the clock was set. */
  async has(kind: KeyKind): Promise<boolean> {
    try {
      const age = this.#now() - (await stat(this.#path(kind))).mtimeMs
      return age > -minute && age <= month
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
  }

  /** Moves the spare key to `path`; false when there is none that is younger than 30 days. */
  async take(kind: KeyKind, path: string): Promise<boolean> {
    const spare = this.#path(kind)
    if (!(await this.has(kind))) return false
    checkpoint(`take spare ${kind}`)
    try {
      await renameDurable(spare, path)
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
    await syncFolder(dirname(spare))
    return true
  }

  /** Makes a spare key unless a young one is there. Called while the agent is idle. */
  async refill(kind: KeyKind): Promise<boolean> {
    const spare = this.#path(kind)
    await privateFolder(dirname(spare))
    if (await this.has(kind)) return false
    checkpoint(`make spare ${kind}`)
    await writeDurable(spare, keyPem(await generateKey(kind)))
    return true
  }

  #path(kind: KeyKind): string {
    return join(this.#folder, kind, 'key.pem')
  }
}

export interface KeyWish {
  kind: KeyKind
  spare: SpareKeys | undefined
  told: (news: KeyNews) => void
}

/**
 * The key in `folder`: as it lies there whole, a spare key, or generated now. On disk when this resolves. Nothing of an enrolment
 * takes as long as generation, so it is under way while the folder is still being `prepared`.
 */
export async function openKey(
  folder: string,
  { kind, spare, told }: KeyWish,
  prepared: () => Promise<void>,
): Promise<KeyObject> {
  const path = join(folder, 'key.pem')
  const began = performance.now()
  const ready = await Promise.all([readIfThere(path), spare?.has(kind)])
  const generating = ready.some(Boolean) ? undefined : generateSoon(kind)
  generating?.catch(() => undefined)
  if (generating) told({ state: 'started' })
  await prepared()
  const there = wholeKey(await readIfThere(path))
  if (there) return there
  await privateFolder(folder)
  const taken = (await spare?.take(kind, path)) ? wholeKey(await readIfThere(path)) : undefined
  const key = taken ?? (await (generating ?? generateSoon(kind)))
  if (!taken) await writeDurable(path, keyPem(key))
  const ms = Math.round(performance.now() - began)
  told({ state: 'ready', origin: taken ? 'spare' : 'generated', ms })
  return key
}
