/** Last-known-good (design: docs/decisions.md): a desired state that cuts the sensor off from its broker is taken back. */
import type { DesiredState } from './desired/state.ts'
import type { LinkStatus } from './mqtt/link.ts'

export class Revert implements Disposable {
  readonly #state: DesiredState
  readonly #reverted: () => void
  #timer: NodeJS.Timeout | undefined

  /** `reverted` is called when another state has come into force. */
  constructor(state: DesiredState, reverted: () => void) {
    this.#state = state
    this.#reverted = reverted
  }

  /** Call whenever the link or the desired state changed. */
  arm(status: LinkStatus): void {
    clearTimeout(this.#timer)
    const at = status.state === 'connected' ? undefined : this.#state.decisionAt(status.since)
    if (at === undefined) return
    const decide = (): void => {
      if (this.#state.cutOff(status.since)) this.#reverted()
      else this.arm(status)
    }
    this.#timer = setTimeout(decide, Math.max(1000, at - performance.now()))
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}
