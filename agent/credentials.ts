/** The credentials of every network: `credentials/dot1x/`, a folder each. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { CredentialFolder } from './credential-folder.ts'
import { privateFolder } from './durable.ts'
import type { SpareKeys } from './keys.ts'
import type { CredentialState } from './types.ts'

export class Credentials {
  readonly spare: SpareKeys | undefined
  readonly #root: string
  readonly #folders = new Map<string, CredentialFolder>()

  constructor(root: string, spare: SpareKeys | undefined) {
    this.#root = join(root, 'dot1x')
    this.spare = spare
  }

  /** The folder of one network; it need not exist. */
  of(network: string): CredentialFolder {
    const known = this.#folders.get(network)
    if (known) return known
    const folder = new CredentialFolder(join(this.#root, network))
    this.#folders.set(network, folder)
    return folder
  }

  /** The state of every network that has a folder. */
  async readAll(): Promise<Record<string, CredentialState>> {
    const states = (await this.#networks()).map(async (id): Promise<[string, CredentialState]> => [
      id,
      await this.of(id).read(),
    ])
    return Object.fromEntries(await Promise.all(states))
  }

  /**
   * Finishes what a power cut interrupted. Call once at start, before the first `readAll`. What a disk that takes nothing keeps
   * from being finished is `told`, and finished at a later start.
   */
  async recover(told: (error: unknown) => void): Promise<void> {
    await privateFolder(this.#root)
    for (const network of await this.#networks()) await this.of(network).recover().catch(told)
  }

  async #networks(): Promise<string[]> {
    const entries = await readdir(this.#root, { withFileTypes: true })
    return entries.filter(entry => entry.isDirectory()).map(entry => entry.name)
  }
}
