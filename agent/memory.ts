/**
 * What is remembered between steps: results and setbacks. Never what is true on disk or in the supplicant.
 * Lost with the process: after a restart everything is tried at once.
 */
import type { Finding } from './errors.ts'
import { setback } from './core/setback.ts'
import type { NetworkHistory, TestResult } from './types.ts'

export class Memory {
  readonly #networks = new Map<string, NetworkHistory>()

  all(): Record<string, NetworkHistory> {
    return Object.fromEntries(this.#networks)
  }

  of(network: string): NetworkHistory {
    return this.#networks.get(network) ?? {}
  }

  joined(network: string, lastJoin: NonNullable<NetworkHistory['lastJoin']>): void {
    this.#update(network, { lastJoin })
  }

  tested(network: string, result: TestResult, revision: string): void {
    this.#update(network, { lastTest: { ...result, revision } })
  }

  succeeded(network: string, action: string, at: number): void {
    const { setback: held, ...rest } = this.of(network)
    const kept = held && held.action !== action ? { setback: held } : {}
    this.#networks.set(network, { ...rest, ...kept, lastAction: { action, outcome: 'done', at } })
  }

  failed(
    network: string,
    failure: { action: string; finding: Finding; basis: string },
    now: number,
    random: number,
  ): void {
    this.#update(network, {
      setback: setback(this.of(network).setback, failure, now, random),
      lastAction: { action: failure.action, outcome: failure.finding.code, at: now },
    })
  }

  /** A person asked: nothing is held back any more. */
  clear(network: string): void {
    const { setback: _, lastTest: __, ...rest } = this.of(network)
    this.#networks.set(network, rest)
  }

  forget(network: string): void {
    this.#networks.delete(network)
  }

  #update(network: string, facts: NetworkHistory): void {
    this.#networks.set(network, { ...this.of(network), ...facts })
  }
}
