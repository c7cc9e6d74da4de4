import { type Blob, digests, encode, fromStored, isSame, isSecret, type NetworkBlock } from './block.ts'
import { bytes as content, demand, text } from './checks.ts'
import { isSupplicantError, SupplicantError } from './errors.ts'
import type { InterfaceEvent } from './signals.ts'

const NETWORK = 'fi.w1.wpa_supplicant1.Network'

/** A network block as the supplicant has it. Its path names the place, not the block: places are used again. */
export interface NetworkEntry {
  path: string
  idStr: string | undefined
  enabled: boolean
  /** All properties, quotes removed; secrets, which the supplicant does not give back anyway, are left out. */
  properties: Record<string, string>
}

/** The calls on one interface which its blocks and blobs are kept with. */
export interface InterfaceCalls {
  call(member: string, signature?: string, body?: unknown[]): Promise<unknown[]>
  properties(path: string, name: string): Promise<Record<string, unknown>>
}

/** Values still quoted as the supplicant quotes them. */
interface Stored {
  path: string
  enabled: boolean
  properties: Record<string, string>
}

/** The network blocks and blobs of one interface. */
export class NetworkBlocks {
  readonly #target: InterfaceCalls
  /** What this handle has put in or found, as long as nobody takes it out. */
  readonly #installed = new Map<string, { all: string; secrets: string; idStr: string }>()
  readonly #blobs = new Set<string>()
  /** Object paths of all blocks, kept up by signals. */
  #paths = new Set<string>()

  constructor(target: InterfaceCalls) {
    this.#target = target
  }

  /** See `SupplicantInterface.install`. */
  async install(block: NetworkBlock, blobs: readonly Blob[]): Promise<string> {
    const encoded = encode(block)
    const digest = digests(block)
    const known = [...this.#installed].find(([, { all }]) => all === digest.all)
    if (known !== undefined && blobs.every(({ name }) => this.#blobs.has(name))) return known[0]
    // Calls are carried out in their order, so the block need not wait until the blobs are known to be there.
    const adding = Promise.all(blobs.map(blob => this.addBlob(blob)))
    adding.catch(() => undefined)
    const same = await this.#named(block, digest.secrets)
    const kept = same.find(({ alike }) => alike)
    await Promise.all(same.filter(entry => entry !== kept).map(entry => this.remove(entry.path)))
    const path = kept?.path ?? (await this.#add(block, encoded))
    await adding.catch(async (error: unknown) => {
      if (kept === undefined) await this.remove(path)
      throw error
    })
    this.#installed.set(path, { ...digest, idStr: block.id_str })
    return path
  }

  /** Blocks with the `id_str` of this one. They are read only where somebody else may have put one in: 150 properties each. */
  async #named(block: NetworkBlock, secrets: string): Promise<{ path: string; alike: boolean }[]> {
    if ([...this.#paths].every(path => this.#installed.has(path)))
      return [...this.#installed].flatMap(([path, { idStr }]) =>
        idStr === block.id_str ? [{ path, alike: false }] : [],
      )
    return (await this.#stored())
      .filter(({ properties }) => fromStored(properties['id_str'] ?? '') === block.id_str)
      .map(({ path, properties }) => {
        const known = this.#installed.get(path)?.secrets ?? secrets
        return { path, alike: isSame(properties, block) && known === secrets }
      })
  }

  async entries(): Promise<NetworkEntry[]> {
    return (await this.#stored()).map(({ path, enabled, properties: stored }) => ({
      path,
      enabled,
      idStr: stored['id_str'] === undefined ? undefined : fromStored(stored['id_str']),
      properties: Object.fromEntries(
        Object.entries(stored).flatMap(([key, value]) => (isSecret(key) ? [] : [[key, fromStored(value)]])),
      ),
    }))
  }

  async remove(path: string): Promise<void> {
    await ignoring(this.#target.call('RemoveNetwork', 'o', [path]), 'network-unknown', 'interface-unknown')
  }

  async addBlob({ name, bytes }: Blob): Promise<void> {
    demand('blob.name', name, text)
    demand(`blob ${name}: bytes`, bytes, content)
    await ignoring(this.#target.call('AddBlob', 'say', [name, Buffer.from(bytes)]), 'blob-exists')
    this.#blobs.add(name)
  }

  async removeBlob(name: string): Promise<void> {
    await ignoring(this.#target.call('RemoveBlob', 's', [name]), 'blob-unknown')
  }

  /** Told of all blocks there were, and of what was heard since they were asked for. */
  listed(paths: readonly string[], since: readonly InterfaceEvent[]): void {
    this.#paths = new Set(paths)
    for (const event of since) this.#moved(event)
  }

  /** Told of every block and blob that somebody put in or took out. */
  changed(event: InterfaceEvent): void {
    this.#moved(event)
    if (event.kind === 'blob-removed') this.#blobs.delete(event.blob)
    if (event.kind === 'network-removed') this.#installed.delete(event.network)
  }

  #moved(event: InterfaceEvent): void {
    if (event.kind === 'network-added') this.#paths.add(event.network)
    if (event.kind === 'network-removed') this.#paths.delete(event.network)
  }

  async #add(block: NetworkBlock, encoded: Record<string, unknown>): Promise<string> {
    try {
      return String((await this.#target.call('AddNetwork', 'a{sv}', [encoded]))[0])
    } catch (error) {
      if (!isSupplicantError(error, 'invalid-argument')) throw error
      const keys = Object.keys(block).join(', ')
      throw new SupplicantError(
        'invalid-block',
        `network block ${block.id_str} was refused: the supplicant does not know or accept one of ${keys}`,
        { cause: error },
      )
    }
  }

  async #stored(): Promise<Stored[]> {
    const all = await Promise.all([...this.#paths].map(path => this.#read(path)))
    return all.filter(stored => stored !== undefined)
  }

  async #read(path: string): Promise<Stored | undefined> {
    try {
      const all = await this.#target.properties(path, NETWORK)
      const stored = Object.entries(all['Properties'] ?? {}).map(([key, value]): [string, string] => [
        key,
        String(value),
      ])
      return { path, enabled: all['Enabled'] === true, properties: Object.fromEntries(stored) }
    } catch (error) {
      // Somebody took it out between the list and the question.
      if (isSupplicantError(error, 'network-unknown', 'interface-unknown')) return undefined
      throw error
    }
  }
}

/** The call, whose refusal with one of these codes means that there is nothing left to do. */
async function ignoring(call: Promise<unknown>, ...codes: SupplicantError['code'][]): Promise<void> {
  try {
    await call
  } catch (error) {
    if (!isSupplicantError(error, ...codes)) throw error
  }
}
