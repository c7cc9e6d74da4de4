import { isSupplicantError, type SupplicantInterface } from '../../supplicant/index.ts'
import type { InstalledBlock } from '../types.ts'
import { ownBlock } from './block.ts'

/**
 * The blocks of ours that the supplicant has. Read again only after a signal that says that somebody added one: a block is
 * some 150 properties on the bus, which takes longer than everything else of a look together.
 */
export class InstalledBlocks implements Disposable {
  readonly #handle: SupplicantInterface
  readonly #subscription: Disposable
  /** By object path; a block of somebody else is known as undefined. */
  readonly #known = new Map<string, InstalledBlock | undefined>()
  /** Added, and by whom has not been read. */
  readonly #unread = new Set<string>()
  /** Blocks of others that were disabled before anything of ours was there: they stay so when we let go. */
  readonly asleep = new Set<string>()
  #changes = 0
  #complete = false

  constructor(handle: SupplicantInterface) {
    this.#handle = handle
    this.#subscription = handle.on(news => {
      if (news.kind !== 'network-added' && news.kind !== 'network-removed') return
      this.#changes += 1
      this.#known.delete(news.network)
      this.asleep.delete(news.network)
      if (news.kind === 'network-added') this.#unread.add(news.network)
      else this.#unread.delete(news.network)
    })
  }

  /** What was just installed need not be read back. */
  learn(path: string, idStr: string): void {
    this.#unread.delete(path)
    this.#known.set(path, ownBlock(path, idStr))
  }

  /** Rejects like `SupplicantInterface.networks`. */
  async read(): Promise<InstalledBlock[]> {
    if (!this.#complete || this.#unread.size > 0) {
      const before = this.#changes
      const networks = await this.#handle.networks()
      const blocks = networks.map(({ path, idStr }) => [path, ownBlock(path, idStr)] as const)
      // SelectNetwork disables all others, so once one of ours is there nothing can be said of them.
      if (!this.#complete && blocks.every(([, block]) => block === undefined))
        for (const { path, enabled } of networks) if (!enabled) this.asleep.add(path)
      if (before !== this.#changes) return blocks.flatMap(([, block]) => block ?? [])
      this.#known.clear()
      this.#unread.clear()
      for (const [path, block] of blocks) this.#known.set(path, block)
      this.#complete = true
    }
    return [...this.#known.values()].filter(block => block !== undefined)
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
