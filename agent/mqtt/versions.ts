/** Which version of MQTT a broker speaks: 5 until it shows otherwise, and it may have been exchanged since. */
import { ConnectionRefused } from './connection.ts'

type Version = 5 | 4

/** The version to try after `tried`, at once: the other where the broker says so, 3.1.1 where it just closes. Undefined: that is not what it is about. */
export function versionAfter(tried: Version, error: unknown): Version | undefined {
  if (error instanceof ConnectionRefused) return error.version ? (tried === 5 ? 4 : 5) : undefined
  const closed = error instanceof Error && !('code' in error)
  return closed && tried === 5 ? 4 : undefined
}

export class Versions {
  readonly #spoken = new Map<string, Version>()
  /** Brokers that closed at MQTT 5 without a word. */
  readonly #silent = new Set<string>()

  /** The version to begin with. */
  of(url: string): Version {
    return this.#spoken.get(url) ?? 5
  }

  /** The broker has accepted us; `after`: what became of the other version. Who just closed may have been going down: MQTT 5 is tried once more. */
  spoke(url: string, version: Version, after?: unknown): void {
    const doubtful = version === 4 && after !== undefined && !(after instanceof ConnectionRefused)
    if (doubtful && !this.#silent.has(url)) {
      this.#silent.add(url)
      return
    }
    if (version === 5) this.#silent.delete(url)
    this.#spoken.set(url, version)
  }
}
