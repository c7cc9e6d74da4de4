/**
 * The link to the broker: one connection at a time over the path it is given, kept up with backoff.
 * Losing it never stops anything else: what has to be said waits in the outbox and in the last report.
 */
import { randomUUID } from 'node:crypto'
import { Change } from '../change.ts'
import type { Finding } from '../errors.ts'
import { delays } from './backoff.ts'
import { connect, type Connection, type Receive } from './connection.ts'
import { aborted, deadline, isOver } from './deadline.ts'
import { findingOf, identityInUse } from './findings.ts'
import type { Outbox } from './outbox.ts'
import { away, offline } from './presence.ts'
import type { Login } from './login.ts'
import { Session, type Inbox, type Outgoing, type Reply, type SessionEvents } from './session.ts'
import type { SubscriptionPace } from './subscriptions.ts'
import { directly, openSocket, type Reach, type TlsSettings } from './socket.ts'
import { versionAfter, Versions } from './versions.ts'
import type { Presence } from '../desired/messages.ts'
import type { Topics } from '../desired/topics.ts'

export interface LinkSettings extends TlsSettings {
  topics: Topics
  /** mqtt:// or mqtts://, tried in turn. */
  urls: readonly string[]
  username?: string | undefined
  password?: string | undefined
  /** Default: 5, and 3.1.1 (4) where the broker does not speak it. */
  protocol?: 5 | 4
  /** Seconds. */
  keepAlive?: number
  /** Seconds the broker keeps what is queued for us while we are away (MQTT 5). */
  sessionExpiry?: number
  /** Seconds the broker waits before it says that we are offline (MQTT 5). */
  willDelay?: number
  /** Milliseconds for one attempt to connect. */
  connectTimeout?: number
  /** Milliseconds between attempts. */
  backoff?: { first: number; most: number }
  /** The sensor's clock, for presence; ms since the epoch. */
  now?: () => number
  /** When documents are asked for again. */
  pace?: SubscriptionPace
}

export interface LinkEvents extends Inbox {
  /** Connected, lost, or failed to connect: look at `status`. */
  changed?: (status: LinkStatus) => void
  /** The broker acknowledged this report; hand `connectedAt` on to DesiredState.reached. */
  reported?: (report: object, connectedAt: number) => void
  /** The same id is in use elsewhere (a cloned card). */
  cloned?: (finding: Finding) => void
}

export interface LinkStatus {
  state: 'connected' | 'connecting' | 'away'
  /** Monotonic ms: since when it is (not) connected. */
  since: number
  url?: string
  protocol?: 5 | 4
  /** What the last attempt or refusal says; gone with a connection that works. */
  problem?: Finding
}

/** How long another user of our id is given way, in ms. */
const giveWay = 60_000
/** Milliseconds for what is on the way when the link is closed. */
const farewell = 1500

export class Link implements AsyncDisposable {
  readonly #settings: LinkSettings
  readonly #events: LinkEvents
  readonly #outgoing: Outgoing
  readonly #versions = new Versions()
  readonly #change = new Change()
  #status: LinkStatus = { state: 'away', since: performance.now() }
  #session: { connection: Connection; session: Session } | undefined
  #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #clone: Finding | undefined
  /** The last report without its time. */
  #content = ''

  constructor(settings: LinkSettings, outbox: Outbox, events: LinkEvents) {
    this.#settings = settings
    this.#events = events
    this.#outgoing = {
      topics: settings.topics,
      instance: randomUUID(),
      networks: new Set(),
      report: undefined,
      replies: new Set(),
      outbox,
      changed: new Change(),
      known: false,
      now: () => new Date(settings.now?.() ?? Date.now()),
    }
  }

  get status(): LinkStatus {
    return this.#status
  }

  /** Resolves when the link is connected; rejects when `signal` aborts. */
  async connected(signal: AbortSignal): Promise<void> {
    for (;;) {
      const seen = this.#change.count
      if (this.#status.state === 'connected') return
      signal.throwIfAborted()
      await this.#change.beyond(seen, undefined, signal)
    }
  }

  /** Connects over this path (default: the main table) and stays connected; ends what there was over another one. */
  arrive(reach: Reach = directly): void {
    this.#stop.abort()
    const stop = new AbortController()
    this.#stop = stop
    this.#running = this.#running.then(() => this.#keep(reach, stop.signal))
  }

  /**
   * Before the network is left: sends what is waiting, says `away` and closes cleanly. Returns within about 1.5 s,
   * at once when there is no connection.
   */
  async leave(until?: Date): Promise<void> {
    await this.#close(away(this.#outgoing.instance, this.#outgoing.now(), until))
  }

  /** For the end of the process: as `leave`, and says `offline`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close(offline(this.#outgoing.instance))
  }

  /** The networks whose profiles are wanted; takes effect at once. */
  subscribeNetworks(ids: readonly string[]): void {
    this.#outgoing.networks = new Set(ids)
    this.#session?.session.subscribe()
  }

  /** The whole reported state: sent at once, then at most once a second; only the last one counts, and only a change of more than the time. */
  report(report: { health?: object | undefined }): void {
    const health = report.health && { ...report.health, uptime: undefined }
    const content = JSON.stringify({ ...report, at: undefined, health })
    if (content === this.#content) return
    this.#content = content
    this.#outgoing.report = report
    this.#outgoing.changed.notify()
  }

  /** Sent now or over the next connection. */
  reply(reply: Reply): void {
    this.#outgoing.replies.add(reply)
    this.#outgoing.changed.notify()
  }

  async #close(presence: Presence): Promise<void> {
    const current = this.#session
    if (current?.connection.isOpen() === true) {
      const { connection, session } = current
      const late = AbortSignal.timeout(farewell)
      await session.flush(late)
      const payload = JSON.stringify(presence)
      const said = connection.publish(this.#outgoing.topics.presence, payload, { retain: true })
      await Promise.race([said.catch(() => undefined), aborted(late)])
    }
    this.#stop.abort()
    await this.#running
  }

  async #keep(reach: Reach, signal: AbortSignal): Promise<void> {
    const { first, most } = this.#settings.backoff ?? { first: 500, most: 60_000 }
    let pauses = delays({ first, most, jitter: 0.5 })
    while (!signal.aborted) {
      for (const url of this.#inTurn()) {
        if (isOver(signal)) break
        this.#become({ ...this.#problem(), state: 'connecting', url })
        const lasted = await this.#attempt(url, reach, signal)
        if (lasted > most) pauses = delays({ first, most, jitter: 0.5 })
        if (lasted > 0) break
      }
      if (isOver(signal)) break
      const pause = this.#clone === undefined ? pauses.next().value : giveWay * (0.5 + Math.random())
      this.#clone = undefined
      await this.#change.beyond(this.#change.count, pause, signal)
    }
    this.#become({ state: 'away' })
  }

  /** The broker that was reached last comes first. */
  #inTurn(): string[] {
    const last = this.#settings.urls.indexOf(this.#status.url ?? '')
    return this.#settings.urls.map((_, i, urls) => urls[(i + Math.max(0, last)) % urls.length] ?? '')
  }

  /** Connects and serves until the connection ends. Returns how long it lasted in ms; 0 when there was none. */
  async #attempt(url: string, reach: Reach, signal: AbortSignal): Promise<number> {
    let connection: Connection
    try {
      connection = await this.#connect(url, reach, signal)
    } catch (error) {
      if (!signal.aborted) this.#become({ state: 'connecting', url, problem: findingOf(url, error) })
      return 0
    }
    const stop = (): void => void connection.leave(farewell)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    this.#become({ state: 'connected', url, protocol: connection.protocol })
    const ending = await connection.over
    signal.removeEventListener('abort', stop)
    this.#session = undefined
    if (ending.reason === 'taken') this.#cloned()
    const problem = this.#clone ?? findingOf(url, new Error(ending.detail))
    if (!signal.aborted) this.#become({ state: 'connecting', url, problem })
    return Math.max(1, performance.now() - connection.connectedAt)
  }

  /** What the broker spoke last comes first. */
  async #connect(url: string, reach: Reach, signal: AbortSignal): Promise<Connection> {
    const { protocol } = this.#settings
    const first = protocol ?? this.#versions.of(url)
    try {
      const connection = await this.#open(url, reach, first, signal)
      this.#versions.spoke(url, first)
      return connection
    } catch (error) {
      const other = protocol === undefined && !signal.aborted ? versionAfter(first, error) : undefined
      if (other === undefined) throw error
      const connection = await this.#open(url, reach, other, signal)
      this.#versions.spoke(url, other, error)
      return connection
    }
  }

  async #open(url: string, reach: Reach, protocol: 5 | 4, signal: AbortSignal): Promise<Connection> {
    const {
      topics,
      username,
      password,
      keepAlive = 60,
      sessionExpiry = 86_400,
      willDelay = 5,
    } = this.#settings
    const login: Login = {
      clientId: topics.sensor,
      protocol,
      username,
      password,
      keepAlive,
      sessionExpiry,
      will: {
        topic: topics.presence,
        payload: JSON.stringify(offline(this.#outgoing.instance)),
        delay: willDelay,
      },
    }
    using within = deadline(this.#settings.connectTimeout ?? 10_000, signal)
    const socket = await openSocket(new URL(url), reach, this.#settings, within.signal)
    let started: (session: Session) => void = () => undefined
    const session = new Promise<Session>(resolve => (started = resolve))
    // What the broker kept for us comes right behind the CONNACK.
    let receive: Receive = async message => (await session).receive(message)
    const connection = await connect(socket, login, message => receive(message), within.signal)
    const events: SessionEvents = {
      reported: (report, { connectedAt }) => this.#events.reported?.(report, connectedAt),
      cloned: () => this.#cloned(),
      refused: (what, error) => this.#become({ ...this.#status, problem: findingOf(url, error, what) }),
    }
    const current = new Session(connection, this.#outgoing, this.#events, events, this.#settings.pace)
    this.#session = { connection, session: current }
    current.start()
    receive = message => current.receive(message)
    started(current)
    return connection
  }

  #cloned(): void {
    const finding = identityInUse(this.#settings.topics.sensor)
    this.#clone = finding
    this.#events.cloned?.(finding)
  }

  #problem(): { problem?: Finding } {
    return this.#status.problem === undefined ? {} : { problem: this.#status.problem }
  }

  #become(status: Omit<LinkStatus, 'since'>): void {
    const same = (status.state === 'connected') === (this.#status.state === 'connected')
    this.#status = { ...status, since: same ? this.#status.since : performance.now() }
    if (status.state === 'connected') this.#change.notify()
    this.#events.changed?.(this.#status)
  }
}
