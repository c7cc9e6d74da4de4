/**
 * The desired state of this sensor: raw documents in, the state in force out.
 * Decisions are pure and taken at once (compose.ts, trial.ts); the cache on disk follows behind them.
 */
import { readCache, writeCache } from './cache.ts'
import {
  compose,
  type Documents,
  staleness,
  subscriptionsOf,
  type Awaited,
  type Kept,
  type KnownNetwork,
  type Origin,
} from './compose.ts'
import { parseNetworkProfile, parseSensorDocument } from './parse.ts'
import type { Problem, TopicProblem } from './problems.ts'
import type { SensorDocument } from './sensor.ts'
import { giveUp, isSameWay, onTrial, propose, prove, type Trial } from './trial.ts'
export type { Applied, DesiredView, SensorInterface } from './view.ts'
import { appliedOf, desiredOf, nothingDesired, type DesiredView, type SensorInterface } from './view.ts'

export interface DesiredSettings {
  /** Private folder for the cache. */
  directory: string
  /** Where the documents come from, for the list of problems. */
  topics: { desired: string; network: (id: string) => string }
  interfaces: readonly SensorInterface[]
  /** Display name until a sensor document says another. */
  name?: string
  /** Documents of the settings; in force until the broker's arrive. */
  bootstrap?: { sensor?: unknown; networks: Record<string, unknown> }
  /** Milliseconds without the broker after which a new state is taken back (last-known-good). */
  revertAfter?: number
  /** Whether the broker is reached over tested networks (the default): else no state has a part in its absence. */
  overTested?: boolean
  /** The cache could not be written; the state in force is not affected. */
  onCacheError?: (error: unknown) => void
}

/** The topic of a document that came with the settings. */
const inSettings = 'settings bootstrap.'

/** Monotonic milliseconds: the wall clock of a sensor may jump by years. */
const monotonic = (): number => performance.now()

export class DesiredState implements AsyncDisposable {
  readonly #settings: DesiredSettings
  #sensor: Kept<SensorDocument> | undefined
  readonly #networks: Map<string, KnownNetwork>
  #trial: Trial
  /** Since when the state in force is in force, monotonic. */
  #since = monotonic()
  /** Problems of the last document of each topic. */
  readonly #refused = new Map<string, TopicProblem[]>()
  #awaited: Awaited[] = []
  #view: DesiredView
  #writing: Promise<void> = Promise.resolve()
  #dirty = false
  /** What the cache holds, by hashes. */
  #saved = ''

  /** Reads the cache and the bootstrap documents. Never throws for their content: it is in `view.problems`. */
  static async open(settings: DesiredSettings): Promise<DesiredState> {
    const { documents, trial } = await readCache(settings.directory)
    return new DesiredState(settings, documents.sensor, new Map(documents.networks), trial)
  }

  private constructor(
    settings: DesiredSettings,
    sensor: Kept<SensorDocument> | undefined,
    networks: Map<string, KnownNetwork>,
    trial: Trial,
  ) {
    this.#settings = settings
    this.#sensor = sensor?.from === 'bootstrap' ? undefined : sensor
    this.#networks = networks
    for (const [id, { latest }] of networks) if (latest.from === 'bootstrap') networks.delete(id)
    this.#trial = trial
    this.#view = this.#look()
    this.#takeBootstrap()
    this.#decide()
  }

  get view(): DesiredView {
    return this.#view
  }

  /** A message of the sensor's own topic. Returns whether the desired state in force changed. */
  offerSensorDocument(bytes: Uint8Array): boolean {
    return this.#takeSensor(this.#settings.topics.desired, bytes, 'broker') && this.#decide()
  }

  /**
   * A message of a network's topic; an empty one suspends it. Returns whether the desired state in force changed.
   * One that nothing needs is not looked at: it comes again when its topic is subscribed.
   */
  offerNetwork(id: string, bytes: Uint8Array): boolean {
    if (!this.#view.subscriptions.includes(id)) return false
    return this.#takeNetwork(this.#settings.topics.network(id), id, bytes, 'broker') && this.#decide()
  }

  /**
   * The broker acknowledged a report whose `applied.state` is `state`; of another state than the one in force it proves nothing.
   * It proves the state when the connection does not depend on it (`independent`: a management interface; or it goes the way of the
   * one before), was made after the state was applied, or has outlived it by the whole limit.
   * @param connectedAt monotonic ms (performance.now()) of the CONNACK
   */
  reached(state: string, connectedAt: number, independent: boolean): void {
    if (state !== this.#view.applied.state) return
    const held = monotonic() - this.#since >= this.#limit
    if (independent || isSameWay(this.#trial) || connectedAt > this.#since || held)
      this.#become(prove(this.#trial))
  }

  /**
   * Monotonic ms at which `cutOff` has something to decide, for a link that is down since `since`; undefined: never.
   */
  decisionAt(since: number): number | undefined {
    const { overTested = true } = this.#settings
    return overTested && onTrial(this.#trial) ? Math.max(since, this.#since) + this.#limit : undefined
  }

  /** The link is down since `since` (monotonic ms). Takes the state back, or restores it, once the limit is over; returns whether it did. */
  cutOff(since: number): boolean {
    const at = this.decisionAt(since)
    return at !== undefined && monotonic() >= at && this.#become(giveUp(this.#trial))
  }

  /** Resolves when everything decided so far is in the cache (or has been reported by `onCacheError`). */
  async settled(): Promise<void> {
    await this.#writing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.settled()
  }

  get #limit(): number {
    return this.#settings.revertAfter ?? 600_000
  }

  #takeBootstrap(): void {
    const { sensor, networks = {} } = this.#settings.bootstrap ?? {}
    for (const [id, document] of Object.entries(networks)) {
      if (this.#networks.has(id)) continue
      this.#takeNetwork(`${inSettings}networks.${id}`, id, Buffer.from(JSON.stringify(document)), 'bootstrap')
    }
    if (sensor !== undefined && this.#sensor === undefined) {
      this.#takeSensor(`${inSettings}sensor`, Buffer.from(JSON.stringify(sensor)), 'bootstrap')
    }
  }

  #takeSensor(topic: string, bytes: Uint8Array, from: Origin): boolean {
    if (bytes.length === 0) {
      const message = 'was taken away; the last one stays in force'
      return this.#refuse(topic, this.#sensor === undefined ? [] : [{ path: '', message }])
    }
    const result = parseSensorDocument(bytes)
    if (!result.ok) return this.#refuse(topic, result.problems)
    const stale = staleness(result.document.value, this.#sensor)
    if (stale !== undefined) {
      const next = `publish it with version ${String((this.#sensor?.value.version ?? 0) + 1)}, or a higher epoch`
      return this.#refuse(topic, [{ path: 'version', message: stale, hint: next }])
    }
    this.#sensor = { ...result.document, from }
    return this.#accept(topic)
  }

  #takeNetwork(topic: string, id: string, bytes: Uint8Array, from: Origin): boolean {
    const known = this.#networks.get(id)
    if (bytes.length === 0) {
      if (known) this.#networks.set(id, { ...known, emptied: true })
      return this.#accept(topic)
    }
    const result = parseNetworkProfile(bytes, id)
    if (!result.ok) return this.#refuse(topic, result.problems)
    this.#networks.set(id, { latest: { ...result.document, from }, emptied: false })
    return this.#accept(topic)
  }

  #accept(topic: string): true {
    this.#refused.delete(topic)
    return true
  }

  /** A document that is refused changes nothing but the list of problems. */
  #refuse(topic: string, problems: Problem[]): false {
    this.#refused.set(
      topic,
      problems.map(problem => ({ topic, ...problem })),
    )
    this.#view = this.#look()
    return false
  }

  #decide(): boolean {
    const { composition, awaited } = compose(this.#documents, this.#trial.inForce)
    this.#awaited = awaited
    return this.#become(propose(this.#trial, composition))
  }

  #become(trial: Trial): boolean {
    const changed = trial.inForce?.id !== this.#trial.inForce?.id
    if (changed) this.#since = monotonic()
    this.#trial = trial
    this.#dropUnused()
    this.#view = this.#look()
    this.#save()
    return changed
  }

  #look(): DesiredView {
    const { inForce, setAside, phase } = this.#trial
    const name = this.#settings.name ?? ''
    return {
      desired: inForce ? desiredOf(inForce, this.#settings.interfaces, name) : nothingDesired(name),
      problems: [...this.#refused.values()].flat(),
      awaited: this.#awaited.map(entry =>
        this.#refused.has(this.#settings.topics.network(entry.network))
          ? { ...entry, why: 'its profile was refused: see the problems' }
          : entry,
      ),
      subscriptions: this.#subscriptions(),
      applied: appliedOf(inForce),
      ...(setAside && { rejected: appliedOf(setAside) }),
      phase,
      confirmed: phase === 'confirmed',
    }
  }

  #subscriptions(): string[] {
    return subscriptionsOf(this.#documents, this.#trial.inForce)
  }

  /** Profiles that nothing refers to any more, and their problems. */
  #dropUnused(): void {
    const used = new Set(this.#subscriptions())
    const { desired, network } = this.#settings.topics
    const topics = new Set([desired, ...[...used].map(network)])
    for (const [id, { latest }] of this.#networks) {
      if (!used.has(id) && latest.from !== 'bootstrap') this.#networks.delete(id)
    }
    for (const topic of this.#refused.keys()) {
      if (!topics.has(topic) && !topic.startsWith(inSettings)) this.#refused.delete(topic)
    }
  }

  /** One write at a time; what changes meanwhile goes into the next one. */
  #save(): void {
    if (this.#dirty) return
    this.#dirty = true
    this.#writing = this.#writing.then(async () => {
      this.#dirty = false
      const { inForce, previous, setAside, phase } = this.#trial
      const networks = [...this.#networks].map(([id, { latest, emptied }]) => [id, latest.sha256, emptied])
      const content = [this.#sensor?.sha256, networks, inForce?.id, previous?.id, setAside?.id, phase]
      const wanted = JSON.stringify(content)
      if (wanted === this.#saved) return
      try {
        await writeCache(this.#settings.directory, { documents: this.#documents, trial: this.#trial })
        this.#saved = wanted
      } catch (error) {
        this.#settings.onCacheError?.(error)
      }
    })
  }

  get #documents(): Documents {
    return { ...(this.#sensor && { sensor: this.#sensor }), networks: this.#networks }
  }
}
