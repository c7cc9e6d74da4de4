/**
 * Five years of a sensor in a moment: the real planner and the real memory, with servers that fail, CAs with tempers, RADIUS servers
 * that refuse, and clocks that jump.
 */
import { planInterface } from '../../../agent/core/plan.ts'
import { dueAt, paceOf } from '../../../agent/core/renewal.ts'
import { basisOf, wantedRevision } from '../../../agent/core/want.ts'
import { Memory } from '../../../agent/memory.ts'
import type { Finding } from '../../../agent/errors.ts'
import type { Step } from '../../../agent/core/step.ts'
import type { Actual, CredentialState, Desired, Network } from '../../../agent/types.ts'
import { apply } from './model.ts'
import { actualOf, certificateOf, corp, day, desiredOf, now as start, queue } from './world.ts'

export const hour = 3_600_000
const end = start + 5 * 365 * day

export type Span = readonly [from: number, to: number]
export type Mood = 'issues' | 'refuses' | 'pends' | 'breaks'

export interface Server {
  /** Days its certificates are valid. */
  validity: number
  /** When it does not answer. */
  outages: readonly Span[]
  /** When its network cannot be joined. */
  closed: readonly Span[]
  /** What it does with the requests it gets, one after the other, for ever. */
  moods: readonly Mood[]
  /** Renews in this last part of the validity only. */
  window: number
  /** RADIUS refuses a new certificate this many times. */
  refusals: readonly number[]
}
export interface Jump {
  at: number
  by: number
}

const within = (spans: readonly Span[], at: number): boolean =>
  spans.some(([from, to]) => at >= from && at < to)
const finding = (
  code: string,
  side: Finding['side'],
  retry: Finding['retry'],
  retryAfter?: number,
): Finding => ({
  ...{ code, title: '', detail: '', hint: '', side, retry },
  ...(retryAfter !== undefined && { retryAfter }),
})

interface Attempt {
  network: string
  /** By the sensor's clock. */
  at: number
  pace: number
  poll: boolean
  /** The clock jumped since the one before. */
  jumped: boolean
  overtakes?: string | undefined
  /** The other one that was due longer, if any. */
  passed?: string | undefined
}

/** Runs one sensor. */
export class Years {
  readonly attempts: Attempt[] = []
  readonly expired: { network: string; usable: number }[] = []
  proofs = 0
  readonly #networks: Network[]
  readonly #desired: Desired
  readonly #servers: readonly Server[]
  readonly #jumps: Jump[]
  readonly #memory = new Memory()
  #actual: Actual
  #real = start
  #offset = 0
  #serial = 0
  #jumped = false
  readonly #asked = new Map<string, number>()
  readonly #dead = new Set<string>()
  readonly #refused = new Map<string, number>()

  constructor(servers: readonly Server[], jumps: readonly Jump[], testEvery: number) {
    this.#servers = servers
    this.#jumps = [...jumps].sort((a, b) => a.at - b.at)
    this.#networks = servers.map((_, index) => ({ ...corp, id: `n${index}`, assignment: `a${index}` }))
    this.#desired = desiredOf({ tested: this.#networks, enrollment: [], testEvery })
    const credentials = this.#networks.map(({ id, assignment }, index): [string, CredentialState] => [
      id,
      { assignment, current: this.#issue(index) },
    ])
    this.#actual = actualOf({ credentials: Object.fromEntries(credentials) })
  }

  get #now(): number {
    return this.#real + this.#offset
  }

  #issue(index: number): NonNullable<CredentialState['current']> {
    const fingerprint = `f${++this.#serial}`
    const notBefore = this.#real
    const notAfter = notBefore + (this.#servers[index]?.validity ?? 1) * day
    return { generation: fingerprint, certificate: { ...certificateOf(fingerprint), notBefore, notAfter } }
  }

  run(): this {
    const options = { brokerOverTested: false, queue }
    for (let steps = 0; this.#real < end; steps += 1) {
      if (steps > 100_000) throw new Error('it spins')
      this.#actual = { ...this.#actual, history: this.#memory.all() }
      const { steps: todo, wakeAt } = planInterface(this.#desired, this.#actual, 'eth0', this.#now, options)
      const [step] = todo
      if (step) this.#perform(step)
      else this.#wait(wakeAt === undefined ? hour : Math.max(1, wakeAt - this.#now))
      this.#look()
    }
    return this
  }

  #wait(ms: number): void {
    const [jump] = this.#jumps
    const until = Math.min(this.#real + ms, this.#real + 30 * day)
    if (!jump || jump.at > until) this.#real = until
    else {
      this.#jumps.shift()
      this.#real = Math.max(this.#real, jump.at)
      this.#offset += jump.by
      this.#jumped = true
    }
  }

  /** Notes what has expired, and how long its server could have helped when it was its turn whatever else there was. */
  #look(): void {
    for (const [index, { id }] of this.#networks.entries()) {
      const current = this.#actual.credentials[id]?.current
      if (!current || this.#dead.has(id) || this.#now <= current.certificate.notAfter) continue
      this.#dead.add(id)
      const { notAfter } = current.certificate
      const due = dueAt(current.certificate, { when: 'half-life' }) ?? notAfter
      const server = this.#servers[index]
      const [from, to] = [notAfter - (notAfter - due) / 10, notAfter]
      const away = [...(server?.outages ?? []), ...(server?.closed ?? [])]
      const cuts = [from, to, ...away.flat()].filter(at => at >= from && at <= to).sort((a, b) => a - b)
      const spans = cuts.slice(1).map((at, place): number => {
        const before = cuts[place] ?? at
        return within(away, (before + at) / 2) ? 0 : at - before
      })
      this.expired.push({ network: id, usable: Math.max(0, ...spans) })
    }
  }

  #perform(step: Step): void {
    const index = this.#networks.findIndex(({ id }) => id === step.network)
    const network = this.#networks[index]
    const server = this.#servers[index]
    if (!network || !server) throw new Error('a step of nobody')
    this.#real += 1000
    const at = this.#now
    const problem = this.#problem(step, network, index, server)
    if (!problem) {
      if (step.action === 'prove') this.#memory.proved(network.id)
      if (step.action === 'inspect') this.#memory.inspected(network.id, { fingerprint: step.fingerprint, at })
      if (step.action === 'test')
        this.#memory.tested(
          network.id,
          { at, passed: true, probes: [] },
          { revision: wantedRevision(network, this.#actual, at) ?? '', targets: '[]' },
        )
      if (step.action !== 'renew') this.#actual = apply(step, this.#desired, this.#actual, at)
      this.#memory.succeeded(network.id, step.action, at)
      return
    }
    const basis = basisOf(network, this.#desired, this.#actual)
    const generation = step.action === 'prove' ? { generation: step.generation } : {}
    this.#memory.failed(network.id, { action: step.action, finding: problem, basis, ...generation }, at, 0.5)
    if (step.action === 'prove' || step.action === 'join') this.#alone()
  }

  /** A refused login leaves the interface on no network. */
  #alone(): void {
    const { eth0 } = this.#actual.interfaces
    const { joined: _, lease: __, ...rest } = eth0 ?? { name: 'eth0', supplicant: true, blocks: [] }
    this.#actual = { ...this.#actual, interfaces: { eth0: rest } }
  }

  #problem(step: Step, network: Network, index: number, server: Server): Finding | undefined {
    const login = step.action === 'prove' || step.action === 'join'
    if (login && within(server.closed, this.#real)) return finding('no-authenticator', 'network', 'change')
    if (step.action === 'prove') {
      this.proofs += 1
      const left =
        this.#refused.get(step.generation) ?? server.refusals[this.#serial % server.refusals.length] ?? 0
      this.#refused.set(step.generation, left - 1)
      return left > 0 ? finding('rejected', 'server', 'change') : undefined
    }
    return step.action === 'renew' ? this.#renew(step, network, index, server) : undefined
  }

  #renew(
    step: Extract<Step, { action: 'renew' }>,
    network: Network,
    index: number,
    server: Server,
  ): Finding | undefined {
    const { id } = network
    const state = this.#actual.credentials[id]
    const certificate = state?.current?.certificate
    if (!state || !certificate) throw new Error('nothing to renew')
    const at = this.#now
    const { overtakes } = step
    const poll = state.open?.pending === true
    this.attempts.push({
      network: id,
      at,
      pace: paceOf(certificate, queue.interval),
      poll,
      jumped: this.#jumped,
      overtakes,
      passed: this.#longerDue(id),
    })
    this.#jumped = false
    this.#actual = { ...this.#actual, renewals: { ...this.#actual.renewals, lastAttempt: at } }
    if (within(server.outages, this.#real)) return finding('scep-connect-failed', 'network', 'backoff')
    const left = certificate.notAfter - at
    if (left > (certificate.notAfter - certificate.notBefore) * server.window)
      return finding('scep-renewal-too-early', 'server', 'backoff', Math.round(left / 4000))
    const count = this.#asked.get(id) ?? 0
    this.#asked.set(id, count + 1)
    const put = (next: CredentialState): void => {
      this.#actual = { ...this.#actual, credentials: { ...this.#actual.credentials, [id]: next } }
    }
    const { open: _, ...closed } = state
    switch (server.moods[count % server.moods.length] ?? 'issues') {
      case 'refuses':
        put(closed)
        return finding('scep-rejected', 'server', 'change')
      case 'breaks':
        return finding('scep-http-status', 'server', 'backoff')
      case 'pends':
        put({
          ...closed,
          open: { transactionId: 't', preparedAt: state.open?.preparedAt ?? at, pending: true },
        })
        return finding('scep-pending', 'server', 'backoff', 60)
      case 'issues':
        put({ ...closed, candidate: this.#issue(index) })
        this.#memory.renewed(id)
        return undefined
    }
  }

  /** Another network whose certificate is valid and was due before this one's; pending, refused too early and expired ones aside. */
  #longerDue(id: string): string | undefined {
    const dueOf = (network: string): number | undefined => {
      const certificate = this.#actual.credentials[network]?.current?.certificate
      if (!certificate || this.#now > certificate.notAfter) return undefined
      const early = this.#actual.history[network]?.failedRenewal
      const opens =
        early?.finding.code === 'scep-renewal-too-early'
          ? Math.min(early.last, this.#now) + (early.finding.retryAfter ?? 0) * 1000
          : 0
      const open = this.#actual.credentials[network]?.open?.preparedAt ?? Infinity
      return Math.max(opens, Math.min(open, dueAt(certificate, { when: 'half-life' }) ?? 0))
    }
    const own = dueOf(id) ?? 0
    return this.#networks
      .map(network => network.id)
      .find(other => other !== id && (dueOf(other) ?? Infinity) < own)
  }
}
