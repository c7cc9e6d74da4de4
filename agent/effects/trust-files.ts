/**
 * CA files for wpa_supplicant, named by their content: `trust/<digest>.pem`.
 * A path and not a blob, because a blob takes one CA only and silently ignores the rest.
 */
import { join } from 'node:path'
import { digest12 } from '../core/hash.ts'
import { readIfThere, writeDurable } from '../durable.ts'

export class TrustFiles {
  readonly #folder: string
  readonly #written = new Set<string>()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** The path of a file with these certificates (PEM); undefined for none. */
  async file(certificates: readonly string[]): Promise<string | undefined> {
    if (certificates.length === 0) return undefined
    const text = certificates.map(pem => pem.trim() + '\n').join('')
    const path = join(this.#folder, `${digest12(text)}.pem`)
    // A card that can only be read any more keeps the sensor on its networks.
    if (!this.#written.has(path) && (await readIfThere(path)) !== text) await writeDurable(path, text)
    this.#written.add(path)
    return path
  }
}
