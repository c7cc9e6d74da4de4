/**
 * Which way the broker is reached. With a management interface that is the main routing table, always;
 * a sensor whose only interfaces are tested takes the link along from network to network.
 */
import type { Reach } from './mqtt/socket.ts'
import type { Path } from './path/index.ts'

export interface Carried {
  arrive: (reach?: Reach) => void
  leave: (until?: Date) => Promise<void>
}

export class Reachability {
  readonly #link: Carried
  readonly #overTested: boolean
  readonly #paths = new Set<Path>()
  #carrier: Path | undefined

  constructor(link: Carried, overTested: boolean) {
    this.#link = link
    this.#overTested = overTested
    if (!overTested) link.arrive()
  }

  /** A network has an address: the link goes over it when it has no other way. */
  opened(path: Path): void {
    if (!this.#overTested) return
    this.#paths.add(path)
    if (!this.#carrier) this.#take(path)
  }

  /** The network is about to be left: says `away` and closes in good order, or moves to another network that is joined. */
  async leaving(path: Path): Promise<void> {
    this.#paths.delete(path)
    if (this.#carrier !== path) return
    this.#carrier = undefined
    if (!path.lost.aborted) await this.#link.leave()
    const [other] = this.#paths
    if (other) this.#take(other)
  }

  #take(path: Path): void {
    this.#carrier = path
    this.#link.arrive((host, port, signal) => path.connect(host, port, signal))
  }
}
