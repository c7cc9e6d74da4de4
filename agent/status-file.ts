/**
 * `$RUNTIME_DIRECTORY/reported.json`: the reported state for `sonde status` on the device, where there may be no broker.
 * Written at most once a second, replaced whole, not synced: it does not outlive the agent.
 */
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export class StatusFile {
  readonly #path: string
  #reported: object | undefined
  #beside: object = {}
  #timer: NodeJS.Timeout | undefined

  constructor(folder: string) {
    this.#path = join(folder, 'reported.json')
  }

  show(reported: object): void {
    this.#reported = reported
    this.#soon()
  }

  /** What the device alone is told: why the broker is not reached. */
  beside(facts: object): void {
    this.#beside = facts
    if (this.#reported !== undefined) this.#soon()
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.#write()
    }, 1000).unref()
  }

  /** A runtime folder that is missing or full costs `sonde status`, nothing else. */
  async #write(): Promise<void> {
    const draft = `${this.#path}.new`
    try {
      await writeFile(draft, JSON.stringify({ ...this.#reported, ...this.#beside }), { mode: 0o640 })
      await rename(draft, this.#path)
    } catch {
      return
    }
  }
}
