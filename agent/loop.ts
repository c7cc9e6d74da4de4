/**
 * The loop of the design: read desired, read actual, plan, do the first step, look again.
 * One lane per interface and one for what belongs to none; a lane does one step at a time.
 * This is the only place that starts a step, and the only one that logs how it ended.
 */
import { checkpoint } from './checkpoint.ts'
import { Change } from './change.ts'
import { planDevice } from './core/device-plan.ts'
import { planInterface, type Plan, type PlanOptions } from './core/plan.ts'
import type { Effects, Step } from './core/step.ts'
import { basisOf, findNetwork, purposeOf } from './core/want.ts'
import { AgentError, isAbortError, type Finding } from './errors.ts'
import type { Log } from './log.ts'
import type { Memory } from './memory.ts'
import type { Actual, Desired, TimelineEvent } from './types.ts'
import { either } from './within.ts'

export interface World {
  interfaces: string[]
  change: Change
  memory: Memory
  log: Log
  options: PlanOptions
  desired: () => Desired
  /** Reads the actual state anew. */
  observe: () => Promise<Actual>
  effects: Effects
  /** Steps that will follow the one being started: what of them can begin now does. */
  ahead: (steps: Step[], signal: AbortSignal) => void
  /** Nothing to do on any interface: time for what makes later work faster. */
  idle: () => void
  /** A lane has looked: the report is made from what it saw. */
  seen: (desired: Desired, actual: Actual) => void
  say: (event: Omit<TimelineEvent, 'at'>) => void
  /** Milliseconds since the epoch; a lower bound while the clock is not trusted. */
  now: () => number
  random: () => number
}

interface Running {
  step: Step
  purpose: string | undefined
  interrupt: AbortController
  since: number
}

/** Milliseconds. The longest step is an enrolment at a server that answers in its last second. */
const longestStep = 300_000

/** Milliseconds. A supplicant that hangs is given up after 5 s, call by call, which must not look like a loop that hangs. */
const patience = 20_000

const device = ''

export class Loop {
  readonly #world: World
  readonly #running = new Map<string, Running>()
  readonly #looked = new Map<string, number>()
  readonly #looks = new Change()
  #looking: { count: number; actual: Promise<Actual> } | undefined
  #busy = 0

  constructor(world: World) {
    this.#world = world
  }

  /** Steps that are being done now, by interface. */
  get running(): Step[] {
    return [...this.#running.values()].map(running => running.step)
  }

  /**
   * Whether every lane turns: it looks within so many milliseconds when asked to, or its step is younger than any
   * step may become.
   */
  async alive(within = patience): Promise<boolean> {
    const asked = performance.now()
    this.#world.change.notify()
    const late = AbortSignal.timeout(within)
    const turning = (lane: string): boolean => {
      const running = this.#running.get(lane)
      return running ? asked - running.since < longestStep : (this.#looked.get(lane) ?? 0) >= asked
    }
    while (!late.aborted) {
      if ([device, ...this.#world.interfaces].every(turning)) return true
      await this.#looks.beyond(this.#looks.count, undefined, late)
    }
    return false
  }

  /** Ends when `signal` aborts and every lane has let go of its step. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([device, ...this.#world.interfaces].map(lane => this.#lane(lane, signal)))
  }

  /** Call after a change of the desired state: interrupts the steps that it makes pointless, and wakes every lane. */
  desiredChanged(): void {
    const desired = this.#world.desired()
    for (const { step, purpose, interrupt } of this.#running.values()) {
      const pointless = purposeOf(step.network, desired) !== purpose
      if (pointless && !indelible.has(step.action)) interrupt.abort()
    }
    this.#world.change.notify()
  }

  async #lane(lane: string, signal: AbortSignal): Promise<void> {
    const world = this.#world
    let done = { what: '', times: 0 }
    while (!signal.aborted) {
      const seen = world.change.count
      const desired = world.desired()
      const actual = await this.#look()
      world.seen(desired, actual)
      this.#looked.set(lane, performance.now())
      this.#looks.notify()
      const plan = this.#plan(lane, desired, actual)
      const step = plan.steps[0]
      if (!step) {
        done = { what: '', times: 0 }
        if (this.#busy === 0) world.idle()
        await world.change.beyond(seen, plan.wakeAt && plan.wakeAt - world.now(), signal)
        continue
      }
      const what = JSON.stringify([step, purposeOf(step.network, desired)])
      if (done.what !== what) done = { what, times: 0 }
      if (await this.#perform(lane, plan.steps, desired, actual, done.times, signal)) done.times += 1
    }
  }

  /** Lanes that look after the same change share one look while it is under way: reading costs more than planning. */
  #look(): Promise<Actual> {
    const { count } = this.#world.change
    if (this.#looking?.count === count) return this.#looking.actual
    const actual = this.#world.observe().finally(() => {
      if (this.#looking?.actual === actual) this.#looking = undefined
    })
    this.#looking = { count, actual }
    return actual
  }

  #plan(lane: string, desired: Desired, actual: Actual): Plan {
    if (lane === device) return planDevice(desired, actual, this.#world.now())
    return planInterface(desired, actual, lane, this.#world.now(), this.#world.options)
  }

  /** Whether the first of the steps was done; `times` says how often that was so before, for the same purpose. */
  async #perform(
    lane: string,
    steps: Step[],
    desired: Desired,
    actual: Actual,
    times: number,
    stop: AbortSignal,
  ): Promise<boolean> {
    const [step, ...following] = steps
    if (!step) return false
    const network = findNetwork(desired, step.network)
    const basis = network && basisOf(network, desired, actual)
    const interrupt = new AbortController()
    using whole = either(stop, interrupt.signal)
    const { signal } = whole
    const started = performance.now()
    this.#running.set(lane, { step, purpose: purposeOf(step.network, desired), interrupt, since: started })
    this.#busy += 1
    this.#world.seen(desired, actual)
    this.#started(step)
    try {
      this.#world.ahead(following, signal)
      if (times >= mostRepeats) throw noProgress(step)
      await act(this.#world.effects, step, signal)
      this.#done(step, performance.now() - started)
      return true
    } catch (error) {
      if (signal.aborted || isAbortError(error)) this.#interrupted(step)
      else this.#failed(step, basis ?? '', error, performance.now() - started)
      return false
    } finally {
      this.#running.delete(lane)
      this.#busy -= 1
      // Another lane may have waited for what this step changed.
      this.#world.change.notify()
    }
  }

  #started(step: Step): void {
    checkpoint(`step ${step.action}`)
    this.#world.log.info({ step }, 'step started')
    const data = { ...step }
    this.#world.say({ event: 'step-started', severity: 'debug', text: sentence(step), ...about(step), data })
  }

  #done(step: Step, ms: number): void {
    checkpoint(`done ${step.action}`)
    this.#world.memory.succeeded(step.network, step.action, this.#world.now())
    this.#world.log.info({ step, ms: Math.round(ms) }, 'step done')
    const data = { ms: Math.round(ms), ...step }
    this.#world.say({ event: 'step-done', severity: 'info', text: sentence(step), ...about(step), data })
  }

  #interrupted(step: Step): void {
    this.#world.log.info({ step }, 'step interrupted')
    this.#world.say({ event: 'step-interrupted', severity: 'debug', text: sentence(step), ...about(step) })
  }

  #failed(step: Step, basis: string, error: unknown, ms: number): void {
    const finding = findingOf(error)
    const { log, memory, now, random } = this.#world
    const generation = step.action === 'prove' ? { generation: step.generation } : {}
    memory.failed(step.network, { action: step.action, finding, basis, ...generation }, now(), random())
    const { until, count } = memory.of(step.network).setback ?? {}
    log.warn({ step, ms: Math.round(ms), finding, count, err: error }, 'step failed')
    const data = { ms: Math.round(ms), ...step, problem: finding, count, nextTry: until }
    const text = `${sentence(step)}: ${finding.title}`
    this.#world.say({ event: 'step-failed', severity: 'error', text, ...about(step), data })
  }
}

/** Steps that a change of the desired state never makes pointless. */
const indelible: ReadonlySet<Step['action']> = new Set(['forget', 'uninstall', 'warn'])

/** A step that succeeds again and again without changing anything would spin for ever. */
const mostRepeats = 5

const about = (step: Step): { network: string; interface?: string } => ({
  network: step.network,
  ...(step.interface !== '' && { interface: step.interface }),
})

function act(effects: Effects, step: Step, signal: AbortSignal): Promise<void> {
  // The record is typed per action; the union has to be narrowed by hand once.
  const effect = effects[step.action] as (step: Step, signal: AbortSignal) => Promise<void>
  return effect(step, signal)
}

export function sentence(step: Step): string {
  switch (step.action) {
    case 'uninstall':
      return `take ${step.network} out of the supplicant: ${step.why}`
    case 'install':
      return `hand ${step.network} to the supplicant`
    case 'join':
      return `join ${step.network}`
    case 'lease':
      return `get an address on ${step.network}`
    case 'enroll':
      return `obtain a certificate for ${step.network} over ${step.over}`
    case 'renew':
      return `renew the certificate of ${step.network} over ${step.over}`
    case 'prove':
      return `log in to ${step.network} with the new certificate`
    case 'inspect':
      return `look whether the certificate of ${step.network} was revoked`
    case 'warn':
      return `the certificate of ${step.network} is near its end`
    case 'test':
      return `test ${step.network}`
    case 'forget':
      return `delete the credential of ${step.network}`
  }
}

const findingOf = (error: unknown): Finding =>
  error instanceof AgentError
    ? error.finding
    : {
        code: 'internal',
        title: 'The agent failed',
        detail: error instanceof Error ? error.message : String(error),
        hint: 'this is a defect of the agent: send the diagnostics bundle with the log around this time',
        side: 'sensor',
        retry: 'backoff',
      }

const noProgress = (step: Step): AgentError =>
  new AgentError({
    code: 'no-progress',
    title: 'A step does not reach its end',
    detail: `${sentence(step)} succeeded ${String(mostRepeats)} times and changed nothing`,
    hint: 'this is a defect of the agent: send the diagnostics bundle with the log around this time',
    side: 'sensor',
    retry: 'backoff',
  })
