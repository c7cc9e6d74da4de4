/**
 * What goes over one connection: subscriptions, presence, the report, events and replies.
 * Ends with its connection; what was not acknowledged is sent again by the next one.
 */
import { type Change } from '../change.ts'
import type { Connection, Message } from './connection.ts'
import type { Outbox } from './outbox.ts'
import { online, readPresence } from './presence.ts'
import { Subscriptions, usualPace, type SubscriptionPace } from './subscriptions.ts'
import { Timeline } from './timeline.ts'
import { networkOfTopic, type Topics } from '../desired/topics.ts'
import { either } from '../within.ts'

/** What arrives. A returned promise delays the PUBACK until it settles; none of these may throw. */
export interface Inbox {
  sensorDocument: (payload: Buffer) => void
  networkProfile: (id: string, payload: Buffer) => void
  command: (message: Message) => void | Promise<void>
}

export interface Reply {
  payload: string
  /** MQTT 5: the topic and the mark the command asked for. */
  responseTopic?: string | undefined
  correlationData?: Buffer | undefined
  /** Connections that ended while it was on its way: a broker may end one for a topic or a size that it does not take. */
  lost?: number
}

/** What is to be sent, whichever connection carries it; owned by the link. */
export interface Outgoing {
  topics: Topics
  instance: string
  networks: ReadonlySet<string>
  report: object | undefined
  replies: Set<Reply>
  outbox: Outbox
  /** The report or the replies changed. */
  changed: Change
  /** Our own presence came back from the broker, in this process. */
  known: boolean
  /** By the sensor's clock. */
  now: () => Date
}

export interface SessionEvents {
  /** The broker has this report. */
  reported: (report: object, connection: Connection) => void
  /** Another instance is using our id. */
  cloned: (instance: string) => void
  /** The broker refused something for good; the connection goes on. */
  refused: (what: string, error: unknown) => void
}

/** Milliseconds between two reports. */
const reportEvery = 1000
/** A reply that has been on its way when so many connections ended is given up; the id still has it. */
const mostLost = 8

export class Session {
  readonly #connection: Connection
  readonly #outgoing: Outgoing
  readonly #inbox: Inbox
  readonly #events: SessionEvents
  readonly #over = new AbortController()
  readonly #subscriptions: Subscriptions
  readonly #pace: SubscriptionPace
  #unanswered = 0
  #published: object | undefined
  #corrected = 0
  #hurry = false

  constructor(
    connection: Connection,
    outgoing: Outgoing,
    inbox: Inbox,
    events: SessionEvents,
    pace: SubscriptionPace = usualPace,
  ) {
    this.#pace = pace
    this.#connection = connection
    this.#outgoing = outgoing
    this.#inbox = inbox
    this.#events = events
    this.#subscriptions = new Subscriptions(
      topics => connection.subscribe(topics),
      error => events.refused('subscribe', error),
      this.#over.signal,
      pace,
    )
    void connection.over.then(() => this.#over.abort())
  }

  /** Sends everything there is to say on a new connection; in one go, nothing waits for an answer. */
  start(): void {
    const { topics, networks, outbox, changed } = this.#outgoing
    const documents = [topics.desired, ...[...networks].map(topics.network)]
    this.#subscriptions.add(documents, [topics.commands, topics.presence])
    this.#announce()
    void this.#reports()
    const timeline = new Timeline({
      ...{ outbox, again: this.#pace.refused, over: this.#over.signal },
      publish: payload => this.#publish(topics.events, payload),
      acknowledged: () => changed.notify(),
      refused: error => {
        if (this.#connection.isOpen()) this.#events.refused(`publish ${topics.events}`, error)
      },
    })
    void timeline.run()
    void this.#replies()
  }

  /** Brings the subscriptions to `networks` in line with what is wanted. */
  subscribe(): void {
    const { topics, networks } = this.#outgoing
    if (!this.#connection.isOpen()) return
    const wanted = [...networks].map(topics.network)
    const isNetwork = (topic: string): boolean => networkOfTopic(topics.prefix, topic) !== undefined
    const fewer = this.#subscriptions.topics.filter(topic => isNetwork(topic) && !wanted.includes(topic))
    for (const topic of fewer) this.#subscriptions.delete(topic)
    const more = wanted.filter(topic => !this.#subscriptions.has(topic))
    if (more.length > 0) this.#subscriptions.add(more)
    if (fewer.length > 0) this.#ask('unsubscribe', this.#connection.unsubscribe(fewer))
  }

  receive(message: Message): void | Promise<void> {
    const { topics } = this.#outgoing
    const { topic, payload } = message
    const id = networkOfTopic(topics.prefix, topic)
    this.#subscriptions.heard(topic)
    if (topic === topics.commands) return this.#inbox.command(message)
    if (topic === topics.desired) this.#inbox.sensorDocument(payload)
    else if (topic === topics.presence) this.#presence(payload)
    else if (id !== undefined && this.#subscriptions.has(topic)) this.#inbox.networkProfile(id, payload)
    // A subscription that the broker kept from an earlier connection.
    else this.#ask('unsubscribe', this.#connection.unsubscribe([topic]))
  }

  /** Sends the last report and the events without waiting; resolves when all is acknowledged, or when `signal` aborts. */
  async flush(signal: AbortSignal): Promise<void> {
    const { changed, outbox } = this.#outgoing
    this.#hurry = true
    changed.notify()
    using whole = either(signal, this.#over.signal)
    await outbox.settled()
    for (;;) {
      const seen = changed.count
      const done = this.#unanswered === 0 && outbox.size === 0 && this.#published === this.#outgoing.report
      if (done || whole.signal.aborted) return
      await changed.beyond(seen, undefined, whole.signal)
    }
  }

  #announce(): void {
    const { topics, instance, now } = this.#outgoing
    const payload = JSON.stringify(online(instance, now()))
    this.#ask('publish presence', this.#publish(topics.presence, payload, { retain: true }))
  }

  #presence(payload: Buffer): void {
    const seen = readPresence(payload)
    if (seen === undefined) return
    if (seen.instance === this.#outgoing.instance && seen.state !== 'offline') this.#outgoing.known = true
    else if (seen.state !== 'offline' && this.#outgoing.known) this.#events.cloned(seen.instance)
    // The Will Message of an earlier connection came late: we are here; unless it is our own farewell.
    if (
      seen.state === 'offline' &&
      !this.#hurry &&
      this.#outgoing.known &&
      performance.now() - this.#corrected > reportEvery
    ) {
      this.#corrected = performance.now()
      this.#announce()
    }
  }

  async #reports(): Promise<void> {
    const { topics, changed } = this.#outgoing
    let last = -Infinity
    while (this.#connection.isOpen()) {
      const seen = changed.count
      const report = this.#outgoing.report
      const wait = this.#hurry ? 0 : last + reportEvery - performance.now()
      if (report === undefined || report === this.#published) await this.#change(seen)
      else if (wait > 0) await this.#change(seen, wait)
      else {
        last = performance.now()
        try {
          await this.#publish(topics.reported, JSON.stringify(report), { retain: true })
          this.#published = report
          this.#events.reported(report, this.#connection)
          changed.notify()
        } catch (error) {
          if (!this.#connection.isOpen()) return
          this.#events.refused(`publish ${topics.reported}`, error)
          last += this.#pace.refused - reportEvery
          if (this.#hurry) this.#published = report
        }
      }
    }
  }

  async #replies(): Promise<void> {
    const { topics, replies, changed } = this.#outgoing
    while (this.#connection.isOpen()) {
      const seen = changed.count
      for (const reply of [...replies]) {
        const { payload, responseTopic = '', correlationData, lost = 0 } = reply
        const topic = lost < 2 && mayBePublishedTo(responseTopic) ? responseTopic : topics.replies
        try {
          await this.#publish(topic, payload, correlationData && { correlationData })
          replies.delete(reply)
        } catch (error) {
          if (!this.#connection.isOpen()) {
            reply.lost = lost + 1
            if (lost < mostLost) return
          }
          // A response topic we may not write to: the plain topic always carries the reply.
          this.#events.refused(`publish ${topic}`, error)
          replies.delete(reply)
          if (topic !== topics.replies) replies.add({ payload })
        }
      }
      if (replies.size === 0) await this.#change(seen)
    }
  }

  async #publish(...publish: Parameters<Connection['publish']>): Promise<void> {
    this.#unanswered += 1
    try {
      await this.#connection.publish(...publish)
    } finally {
      this.#unanswered -= 1
      if (this.#unanswered === 0) this.#outgoing.changed.notify()
    }
  }

  #ask(what: string, answer: Promise<void>): void {
    answer.catch((error: unknown) => {
      if (this.#connection.isOpen()) this.#events.refused(what, error)
    })
  }

  #change(seen: number, ms?: number): Promise<void> {
    return this.#outgoing.changed.beyond(seen, ms, this.#over.signal)
  }
}

/** Wildcards end the connection, and what begins with $ is the broker's own. */
const mayBePublishedTo = (topic: string): boolean => /^[^$#+\0][^#+\0]{0,1023}$/.test(topic)
