import { startDhcp, type DhcpAttempt } from '../path/index.ts'

const never = new AbortController().signal

/** A DHCP client that stands ready before the join that will need it: to start one takes as long as 802.1X itself. */
export class Standby {
  readonly #interface: string
  #attempt: DhcpAttempt | undefined

  constructor(interfaceName: string) {
    this.#interface = interfaceName
  }

  /** A join is to be expected. One that cannot start shows its error when it is needed, by another try. */
  prepare(): void {
    if (this.#attempt) return
    const attempt = startDhcp(this.#interface)
    this.#attempt = attempt
    attempt.lease(never).catch(() => {
      if (this.#attempt === attempt) this.#attempt = undefined
    })
  }

  /** The join comes next: the client that stands ready goes on to the moment before its DISCOVER. */
  arm(): void {
    this.#attempt?.arm()
  }

  /** The client that stands ready, or a new one. It belongs to the caller. */
  take(): DhcpAttempt {
    const attempt = this.#attempt ?? startDhcp(this.#interface)
    this.#attempt = undefined
    return attempt
  }

  /** The interface is another one, or will not be used any more. */
  async drop(): Promise<void> {
    const attempt = this.#attempt
    this.#attempt = undefined
    await attempt?.[Symbol.asyncDispose]()
  }
}
