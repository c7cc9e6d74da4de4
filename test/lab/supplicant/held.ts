import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { slowness } from '../command.ts'
import type { Operator } from '../operator.ts'
import { checkout } from '../pki.ts'
import type { Sensor } from '../sensor.ts'
import { matchRules } from './match-rules.ts'

/** Of an agent whose holdings are to be counted. */
export const observed = {
  NODE_OPTIONS: `--import=${join(checkout(), 'test/lab/supplicant/inner.mjs')}`,
}

/** What could leak: counted by the bus, by the kernel, and by Node (inner.mjs). */
export interface Held {
  matchRules: unknown
  files: number
  timers: number
  listeners: Record<'emitters' | 'signals' | 'sets', number>
}

type Inner = Pick<Held, 'timers' | 'listeners'> & { heap: number }

export interface HoldingsOptions {
  sensor: Sensor
  operator: Operator
  /** Address of the system bus. */
  bus: string
  /** Milliseconds after which what has not changed will not change. */
  still: number
}

/** What an agent holds on to, on the wire and on the air. It was started with `observed`. */
export class Holdings {
  readonly #options: HoldingsOptions
  readonly #heaps: number[] = []
  #before: Held | undefined

  constructor(options: HoldingsOptions) {
    this.#options = options
  }

  /**
   * What it holds at rest. A test of the network is the last thing that it has done each time, so that what that keeps open is the
   * same. At first that is what no longer changes, and afterwards it has to be the same again: gives both.
   */
  async atRest(): Promise<{ now: Held; before: Held }> {
    const { sensor, operator, still } = this.#options
    const before = this.#before
    const since = operator.messages.end
    await operator.command(sensor.id, { id: `rest-${since}`, command: 'test', network: 'corp' })
    const isTested = ({ event }: Record<string, unknown>): boolean => event === 'test-passed'
    await sensor.event(isTested, 'it has tested', 20_000 * slowness, since)
    const end = performance.now() + 15_000 + (before === undefined ? still : 0)
    let unchanged = performance.now()
    let last = await this.#held()
    const isOver = (): boolean =>
      before === undefined ? performance.now() - unchanged >= still : isDeepStrictEqual(last, before)
    while (!isOver() && performance.now() < end) {
      await setTimeout(100 * slowness)
      const now = await this.#held()
      if (!isDeepStrictEqual(now, last)) unchanged = performance.now()
      last = now
    }
    this.#before ??= last
    if (before !== undefined) this.#heaps.push((await this.#inner()).heap)
    return { now: last, before: this.#before }
  }

  /** Megabytes that it had half-way and at the end of all the times at rest. */
  get heap(): { half: number; last: number } {
    const [half = 0, last = 0] = [this.#heaps[Math.floor(this.#heaps.length / 2)], this.#heaps.at(-1)]
    return { half, last }
  }

  async #held(): Promise<Held> {
    const files = await readdir(`/proc/${this.#options.sensor.process.pid ?? 0}/fd`)
    const { timers, listeners } = await this.#inner()
    return { matchRules: await matchRules(this.#options.bus), files: files.length, timers, listeners }
  }

  /** What the agent's process says of itself. */
  async #inner(): Promise<Inner> {
    const { process: agent } = this.#options.sensor
    const since = agent.output.end
    if (agent.pid !== undefined) process.kill(agent.pid, 'SIGUSR2')
    const [, said = ''] = await agent.waitFor(
      /^inner (.*)/,
      'the process says what it holds',
      5_000 * slowness,
      since,
    )
    return JSON.parse(said) as Inner
  }
}
