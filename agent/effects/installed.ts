import { isSupplicantError, type SupplicantInterface } from '../../supplicant/index.ts'
import type { InstalledBlock } from '../types.ts'
import { ownBlock } from './block.ts'

/**
 * The blocks of ours that the supplicant has. Read again only after a signal that says that there are others: a block is some
 * 150 properties on the bus, which takes longer than everything else of a look together.
 */
export class InstalledBlocks implements Disposable {
  readonly #handle: SupplicantInterface
  readonly #subscription: Disposable
  #changes = 0
  #known: InstalledBlock[] | undefined

  constructor(handle: SupplicantInterface) {
    this.#handle = handle
    this.#subscription = handle.on(({ kind }) => {
      if (kind !== 'network-added' && kind !== 'network-removed') return
      this.#changes += 1
      this.#known = undefined
    })
  }

  /** Rejects like `SupplicantInterface.networks`. */
  async read(): Promise<InstalledBlock[]> {
    if (this.#known) return this.#known
    const before = this.#changes
    const networks = await this.#handle.networks()
    const blocks = networks.flatMap(entry => ownBlock(entry.path, entry.idStr) ?? [])
    if (before === this.#changes) this.#known = blocks
    return blocks
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }
}

/** The value, or undefined where the supplicant or the interface is not there (any more). */
export async function absent<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (isSupplicantError(error)) return undefined
    throw error
  }
}
