/** `renewals.json`: the pace of the queue and who asked, so that a restart neither shortens nor forgets them (S1-22..25). */
import { join } from 'node:path'
import { readIfThere, writeDurable } from './durable.ts'
import type { RenewalQueue } from './types.ts'

export class RenewalQueueFile {
  readonly #path: string
  #state: RenewalQueue

  static async open(folder: string): Promise<RenewalQueueFile> {
    const path = join(folder, 'renewals.json')
    return new RenewalQueueFile(path, readState(await readIfThere(path)))
  }

  private constructor(path: string, state: RenewalQueue) {
    this.#path = path
    this.#state = state
  }

  get state(): RenewalQueue {
    return this.#state
  }

  /** A person asked for this network's renewal: it does not wait. */
  async request(network: string): Promise<void> {
    await this.#become({ ...this.#state, requested: [...new Set([...this.#state.requested, network])] })
  }

  /** A person asked for a certificate afresh. */
  async requestEnrolment(network: string): Promise<void> {
    await this.#become({ ...this.#state, enrolments: [...new Set([...this.#state.enrolments, network])] })
  }

  /** A renewal attempt begins. Who asked for it is remembered until it has ended: a power cut must not lose the wish. */
  async began(at: number): Promise<void> {
    await this.#become({ ...this.#state, lastAttempt: at })
  }

  /** What a person asked for has ended, well or not: it is not repeated by itself. */
  async ended(what: 'renew' | 'enroll', network: string): Promise<void> {
    const list = what === 'renew' ? 'requested' : 'enrolments'
    const others = this.#state[list].filter(other => other !== network)
    if (others.length < this.#state[list].length) await this.#become({ ...this.#state, [list]: others })
  }

  async #become(state: RenewalQueue): Promise<void> {
    this.#state = state
    await writeDurable(this.#path, JSON.stringify(state))
  }
}

/** A file that cannot be read costs the pace of one attempt, not the agent. */
function readState(text: string | undefined): RenewalQueue {
  try {
    const { lastAttempt, requested, enrolments } = JSON.parse(text ?? '{}') as Partial<RenewalQueue>
    return {
      requested: ids(requested),
      enrolments: ids(enrolments),
      ...(typeof lastAttempt === 'number' && { lastAttempt }),
    }
  } catch {
    return { requested: [], enrolments: [] }
  }
}

const ids = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter(id => typeof id === 'string') : []
