/** Idle time is spent on the key of the next enrolment or renewal (design: docs/decisions.md, spare keys). */
import type { SpareKeys } from './keys.ts'
import type { Log } from './log.ts'
import type { Desired } from './types.ts'

export class SpareKeyKeeper {
  readonly #spare: SpareKeys
  readonly #log: Pick<Log, 'warn'>
  #busy = false

  constructor(spare: SpareKeys, log: Pick<Log, 'warn'>) {
    this.#spare = spare
    this.#log = log
  }

  /**
   * Makes one spare key of each kind that the assigned networks ask for, one after the other; returns at once. A network that
   * is about to ask for its first certificate `hasBegun` nothing: it makes its key itself, and two searches would hold each other up.
   */
  refill(desired: Desired, hasBegun: (network: string) => boolean): void {
    if (this.#busy) return
    this.#busy = true
    const networks = desired.tested.filter(({ id }) => hasBegun(id))
    const kinds = new Set(networks.flatMap(({ profile }) => profile.scep?.key ?? []))
    this.#all([...kinds])
      .catch((error: unknown) => {
        this.#log.warn({ err: error }, 'a spare key cannot be made')
      })
      .finally(() => {
        this.#busy = false
      })
  }

  async #all(kinds: Parameters<SpareKeys['refill']>[0][]): Promise<void> {
    for (const kind of kinds) await this.#spare.refill(kind)
  }
}
