/**
 * The documents on disk, so that the sensor goes on with what it knows when there is no broker.
 * One private file: every document's text once, by its hash, and who refers to it.
 */
import { join } from 'node:path'
import { readIfThere, writeDurable } from '../durable.ts'
import {
  composition,
  type Composition,
  type Documents,
  type Kept,
  type KnownNetwork,
  type Origin,
} from './compose.ts'
import { parseNetworkProfile, parseSensorDocument } from './parse.ts'
import type { NetworkProfile } from './profile.ts'
import type { SensorDocument } from './sensor.ts'
import type { Phase, Trial } from './trial.ts'

export interface Remembered {
  documents: Documents
  trial: Trial
}

interface Reference {
  sha256: string
  from: 'bootstrap' | 'broker'
}

interface CompositionOnDisk {
  sensor: Reference
  networks: Record<string, Reference>
  suspended: string[]
}

interface OnDisk {
  format: 1
  texts: Record<string, string>
  sensor?: Reference
  networks: Record<string, Reference & { emptied: boolean }>
  phase: Phase
  inForce?: CompositionOnDisk
  previous?: CompositionOnDisk
  setAside?: CompositionOnDisk
}

const file = (directory: string): string => join(directory, 'desired.json')

/** Replaces the cache. Throws what the file system throws; the old content stays then. */
export async function writeCache(directory: string, { documents, trial }: Remembered): Promise<void> {
  const texts: Record<string, string> = {}
  const refer = ({ sha256, text, from }: Kept<unknown>): Reference => {
    texts[sha256] = text
    return { sha256, from: from === 'bootstrap' ? 'bootstrap' : 'broker' }
  }
  const store = (whole: Composition): CompositionOnDisk => ({
    sensor: refer(whole.sensor),
    networks: Object.fromEntries([...whole.networks].map(([id, profile]) => [id, refer(profile)])),
    suspended: [...whole.suspended],
  })
  const { inForce, previous, setAside } = trial
  const content: OnDisk = {
    format: 1,
    texts,
    ...(documents.sensor && { sensor: refer(documents.sensor) }),
    networks: Object.fromEntries(
      [...documents.networks].map(([id, { latest, emptied }]) => [id, { ...refer(latest), emptied }]),
    ),
    phase: trial.phase,
    ...(inForce && { inForce: store(inForce) }),
    ...(previous && { previous: store(previous) }),
    ...(setAside && { setAside: store(setAside) }),
  }
  await writeDurable(file(directory), JSON.stringify(content))
}

const nothing: Remembered = { documents: { networks: new Map() }, trial: { phase: 'confirmed' } }

/**
 * What was known when the process ended. A file that cannot be read is as good as none: the broker has the documents.
 * A document this version no longer reads is left out, with every state that is made of it.
 */
export async function readCache(directory: string): Promise<Remembered> {
  const text = await readIfThere(file(directory))
  if (text === undefined) return nothing
  let content: Partial<OnDisk> | null
  try {
    content = JSON.parse(text) as Partial<OnDisk> | null
  } catch {
    return nothing
  }
  if (content?.format !== 1 || !content.texts || !content.networks) return nothing
  return new Reader(content.texts).remembered(content)
}

class Reader {
  readonly #texts: Record<string, string>

  constructor(texts: Record<string, string>) {
    this.#texts = texts
  }

  remembered(content: Partial<OnDisk>): Remembered {
    const sensor = this.#sensor(content.sensor)
    const networks = new Map<string, KnownNetwork>()
    for (const [id, reference] of Object.entries(content.networks ?? {})) {
      const latest = this.#network(id, reference)
      if (latest) networks.set(id, { latest, emptied: reference.emptied })
    }
    const inForce = this.#composition(content.inForce)
    const previous = this.#composition(content.previous)
    const setAside = this.#composition(content.setAside)
    const trial: Trial = {
      phase: inForce ? (content.phase ?? 'restored') : 'confirmed',
      ...(inForce && { inForce }),
      ...(previous && { previous }),
      ...(setAside && { setAside }),
    }
    return { documents: { ...(sensor && { sensor }), networks }, trial }
  }

  #bytes(reference: Reference | undefined): Uint8Array | undefined {
    const text = reference && this.#texts[reference.sha256]
    return text === undefined ? undefined : Buffer.from(text)
  }

  #sensor(reference: Reference | undefined): Kept<SensorDocument> | undefined {
    const bytes = this.#bytes(reference)
    const result = bytes && parseSensorDocument(bytes)
    return result?.ok && reference ? { ...result.document, from: origin(reference) } : undefined
  }

  #network(id: string, reference: Reference): Kept<NetworkProfile> | undefined {
    const bytes = this.#bytes(reference)
    const result = bytes && parseNetworkProfile(bytes, id)
    return result?.ok ? { ...result.document, from: origin(reference) } : undefined
  }

  #composition(stored: CompositionOnDisk | undefined): Composition | undefined {
    const sensor = this.#sensor(stored?.sensor)
    if (!stored || !sensor) return undefined
    const networks = new Map<string, Kept<NetworkProfile>>()
    for (const [id, reference] of Object.entries(stored.networks)) {
      const profile = this.#network(id, reference)
      if (!profile) return undefined
      networks.set(id, profile)
    }
    return composition(sensor, networks, stored.suspended)
  }
}

const origin = (reference: Reference): Origin => (reference.from === 'bootstrap' ? 'bootstrap' : 'cache')
