/**
 * Which way the broker is reached. With a management interface that is the main routing table, always;
 * a sensor whose only interfaces are tested takes the link along from network to network.
 */
import type { Reach } from './mqtt/socket.ts'
import type { Path } from './path/index.ts'
import type { Desired } from './types.ts'

export interface Carried {
  arrive: (reach?: Reach) => void
  leave: (until?: Date) => Promise<void>
}

/** Seconds at most: a join with its lease, the obtaining of a certificate, and a test. */
const longest = { join: 60, enrolment: 300, test: 60 }

/**
 * When the link is back at the latest, after the network it goes over was left for `joining`, in ms since the epoch: the other
 * network may not reach the broker, so it is the time to join that one, to do there what it is for, and to come back.
 */
export function backAt(joining: string, desired: Pick<Desired, 'tested'>, now: number): number {
  const stay = desired.tested.some(({ id }) => id === joining) ? longest.test : longest.enrolment
  return now + 1000 * (2 * longest.join + stay)
}

export class Reachability {
  readonly #link: Carried
  readonly #overTested: boolean
  readonly #backAt: (joining: string) => number
  readonly #paths = new Set<Path>()
  #carrier: Path | undefined

  /** @param back when the link is back at the latest after its network was left for another, ms since the epoch */
  constructor(link: Carried, overTested: boolean, back: (joining: string) => number) {
    this.#link = link
    this.#overTested = overTested
    this.#backAt = back
    if (!overTested) link.arrive()
  }

  /** A network has an address: the link goes over it when it has no other way. */
  opened(path: Path): void {
    if (!this.#overTested) return
    this.#paths.add(path)
    if (!this.#carrier) this.#take(path)
  }

  /**
   * The network is about to be left, for `joining` where that is known: says `away`, and until when, and closes in good order;
   * or moves to another network that is joined.
   */
  async leaving(path: Path, joining?: string): Promise<void> {
    this.#paths.delete(path)
    if (this.#carrier !== path) return
    this.#carrier = undefined
    const until = joining === undefined ? undefined : new Date(this.#backAt(joining))
    if (!path.lost.aborted) await this.#link.leave(until)
    const [other] = this.#paths
    if (other) this.#take(other)
  }

  #take(path: Path): void {
    this.#carrier = path
    this.#link.arrive((host, port, signal) => path.connect(host, port, signal))
  }
}
