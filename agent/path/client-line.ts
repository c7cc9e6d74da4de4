import { startUdhcpc, type Udhcpc, type UdhcpcListener, type UdhcpcOptions } from './udhcpc.ts'

/**
 * The DHCP clients of one attempt, of which one counts at a time: what a replaced one still says is not heard.
 * A word to a client that is still starting reaches it when it has started; one that never started has failed the attempt.
 */
export class ClientLine {
  readonly #device: string
  readonly #listener: UdhcpcListener
  #present: Promise<Udhcpc> | undefined
  #number = 0
  #options: UdhcpcOptions = {}
  #armed = false
  #free = false
  #stopped = false
  readonly #replaced: Promise<unknown>[] = []

  constructor(device: string, listener: UdhcpcListener) {
    this.#device = device
    this.#listener = listener
  }

  /** Starts the first client; it is held until `free`. Rejects when it cannot be started. */
  async start(options: UdhcpcOptions): Promise<void> {
    if (this.#stopped) return
    this.#options = options
    const { event, progress, exit } = this.#listener
    this.#number += 1
    const number = this.#number
    const heard =
      <T>(hear: (said: T) => void) =>
      (said: T): void => {
        if (number === this.#number) hear(said)
      }
    const starting = startUdhcpc(this.#device, options, {
      event: heard(event),
      progress: heard(progress),
      exit: heard(exit),
    })
    this.#present = starting
    const client = await starting
    if (this.#free) client.free()
    else if (this.#armed) client.arm()
  }

  /** Takes the client to the moment before its DISCOVER, now or as soon as it has started. */
  arm(): void {
    this.#armed = true
    this.#tell(client => {
      client.arm()
    })
  }

  /** Lets the client ask, now or as soon as it has started. */
  free(): void {
    this.#free = true
    this.#tell(client => {
      if (!client.free()) this.replace(this.#options)
    })
  }

  /** Starts another client, which asks at once, without waiting for the end of the present one. */
  replace(options: UdhcpcOptions): void {
    const old = this.#present
    if (old !== undefined) this.#replaced.push(old.then(client => client.stop()).catch(() => undefined))
    this.#free = true
    this.start(options).catch((error: unknown) => {
      this.#listener.exit(String(error))
    })
  }

  signal(name: 'SIGUSR1' | 'SIGUSR2'): void {
    this.#tell(client => {
      client.signal(name)
    })
  }

  /** Ends all of them. */
  async stop(): Promise<void> {
    this.#stopped = true
    const present = await this.#present?.catch(() => undefined)
    await Promise.all([present?.stop(), ...this.#replaced])
  }

  #tell(word: (client: Udhcpc) => void): void {
    this.#present?.then(word, () => undefined)
  }
}
