/**
 * What is remembered between steps: results and setbacks. Never what is true on disk or in the supplicant.
 * Lost with the process: after a restart everything is tried at once.
 */
import type { Finding } from './errors.ts'
import { setback } from './core/setback.ts'
import type { Authority, NetworkHistory, Notice, TestResult } from './types.ts'

/**
 * A join needs what these were for. A supplicant that died while a block was to be taken out has nothing left to take out, so that
 * step never comes again to end its setback.
 */
const isBehind = (failed: string, succeeded: string): boolean =>
  succeeded === 'join' && (failed === 'uninstall' || failed === 'install')

interface Failure {
  action: string
  finding: Finding
  basis: string
  /** Of the candidate, when a proof failed. */
  generation?: string
}

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

  tested(network: string, result: TestResult, of: { revision: string; targets: string }): void {
    this.#update(network, { lastTest: { ...result, ...of } })
  }

  succeeded(network: string, action: string, at: number): void {
    const { setback: held, failedProof, ...rest } = this.of(network)
    this.#networks.set(network, {
      ...rest,
      ...(held && held.action !== action && !isBehind(held.action, action) && { setback: held }),
      // The certificate in force works: so it is the candidate that was refused.
      ...(failedProof && {
        failedProof: { ...failedProof, judged: failedProof.judged || action === 'join' },
      }),
      lastAction: { action, at },
    })
  }

  /** A step failed. A failed renewal or proof holds nothing else back: the queue and the planner decide on the next. */
  failed(network: string, failure: Failure, now: number, random: number): void {
    const { action, finding, basis, generation = '' } = failure
    const lastAction = { action, at: now, problem: finding }
    if (action === 'renew') this.#renewalFailed(network, finding, basis, now)
    else if (action === 'prove')
      this.#update(network, { failedProof: { generation, at: now, finding, judged: false } })
    else this.#update(network, { setback: setback(this.of(network).setback, failure, now, random) })
    this.#update(network, { lastAction })
  }

  #renewalFailed(network: string, finding: Finding, basis: string, now: number): void {
    const before = this.of(network).failedRenewal
    const same = before?.basis === basis
    const failedRenewal = {
      ...{ finding, basis, last: now },
      since: same ? before.since : now,
      count: same ? before.count + 1 : 1,
    }
    this.#update(network, { failedRenewal })
  }

  /** A new certificate was issued: there is nothing to say of renewals that failed before. */
  renewed(network: string): void {
    const { failedRenewal: _, failedProof: __, ...rest } = this.of(network)
    this.#networks.set(network, rest)
  }

  /** The login with the candidate succeeded. */
  proved(network: string): void {
    const { failedProof: _, setback: __, ...rest } = this.of(network)
    this.#networks.set(network, rest)
  }

  warned(network: string, fingerprint: string, days: number): void {
    this.#update(network, { warned: { ...this.of(network).warned, [fingerprint]: days } })
  }

  /** What `by` has to say of the network now; nothing takes back what it said before. */
  noticed(network: string, by: string, notices: Notice[]): void {
    const { [by]: _, ...others } = this.of(network).notices ?? {}
    this.#update(network, { notices: notices.length > 0 ? { ...others, [by]: notices } : others })
  }

  /** The certificates of the SCEP server, as it showed them now. */
  sawAuthorities(network: string, ca: NonNullable<NetworkHistory['ca']>): void {
    this.#update(network, { ca })
  }

  inspected(network: string, inspected: NonNullable<NetworkHistory['inspected']>): void {
    this.#update(network, { inspected })
  }

  /** The RADIUS server's certificate at a login. */
  met(network: string, server: Authority): void {
    this.#update(network, { server })
  }

  /** A lease named this gateway. */
  sawGateway(network: string, gateway: string): void {
    this.#update(network, { gateway })
  }

  /** What steps failed for want of may be there again: they are tried at once, and the problem stands until that succeeds. */
  relieve(codes: readonly string[], now: number, only?: string): void {
    for (const [network, { setback: held }] of this.#networks)
      if (held && codes.includes(held.finding.code) && (only ?? network) === network)
        this.#update(network, { setback: { ...held, until: now } })
  }

  /** A person asked: nothing is held back any more. */
  clear(network: string): void {
    const { setback: _, lastTest: __, ...rest } = this.of(network)
    this.#networks.set(network, rest)
  }

  /** A person wants a test now. */
  retest(network: string): void {
    const { lastTest: _, setback: __, ...rest } = this.of(network)
    this.#networks.set(network, rest)
  }

  forget(network: string): void {
    this.#networks.delete(network)
  }

  #update(network: string, facts: NetworkHistory): void {
    this.#networks.set(network, { ...this.of(network), ...facts })
  }
}
