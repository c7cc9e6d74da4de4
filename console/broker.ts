/** The operator's connection to the broker: what is retained, what comes, what is published and confirmed. */
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { MqttClient } from 'mqtt'
import { exitCodes, Failure } from './failure.ts'
import { readJson } from './json.ts'
import { isRefusal, nameOf, opened, type BrokerOptions } from './login.ts'
import { quiet } from './quiet.ts'
import { isPrivate, secretsIn } from './secrets.ts'

/** Milliseconds for what was published to come back. */
const echo = 3000
/** Milliseconds between two tries to reach a broker that was lost; doubled each time, within half of it. */
const [shortest, longest] = [1000, 10_000]

export type Listener = (topic: string, payload: Buffer, retain: boolean) => void

export class Broker implements AsyncDisposable {
  readonly prefix: string
  #client: MqttClient
  readonly #options: BrokerOptions
  readonly #listeners = new Set<Listener>()
  /** Filters that were asked for. */
  readonly #subscribed = new Set<string>()
  /** Topics with something retained. */
  readonly #retained = new Set<string>()
  /** Bytes read when the last packet was whole. */
  #packetAt = 0
  /** Resolves when the connection ends by itself and is not made again. */
  readonly lost: Promise<Failure>
  #lose: (failure: Failure) => void = () => undefined
  /** Those who want the connection to be made again, by what they say of it. */
  readonly #outlasting = new Set<(text: string) => void>()
  #away: Failure | undefined
  readonly #back = new Set<() => void>()
  readonly #stop = new AbortController()
  /** Monotonic ms of the losses of the last minute. */
  #lost: number[] = []

  /** @throws Failure with exit code 3 when the broker is not reached or refuses */
  static async connect(options: BrokerOptions, signal: AbortSignal): Promise<Broker> {
    return new Broker(await opened(options, signal), options)
  }

  private constructor(client: MqttClient, options: BrokerOptions) {
    this.#client = client
    this.#options = options
    this.prefix = options.prefix
    this.lost = new Promise(resolve => (this.#lose = resolve))
    this.#take(client)
    this.#watch(client)
  }

  /**
   * While it is held, a connection that ends is made again, and what is retained read again: for who waits and has nothing half
   * done. It is said where there are ears for it.
   */
  outlast(say: (text: string) => void): Disposable {
    this.#outlasting.add(say)
    return { [Symbol.dispose]: () => this.#outlasting.delete(say) }
  }

  /** Why there is no connection now. */
  get away(): Failure | undefined {
    return this.#away
  }

  /** Called after each absence of the broker, when what is retained has been read again. */
  onReturn(hear: () => void): Disposable {
    this.#back.add(hear)
    return { [Symbol.dispose]: () => this.#back.delete(hear) }
  }

  /** @throws Failure with exit code 3 when it is away and does not come back in time */
  async here(): Promise<void> {
    if (this.#away === undefined) return
    const back = new Promise<void>(resolve => this.#back.add(resolve))
    await Promise.race([back, pause(this.#options.timeout, undefined, { ref: false })])
    const { away } = this
    if (away) throw away
  }

  #take(client: MqttClient): void {
    this.#client = client
    this.#packetAt = 0
    client.on('packetreceive', () => (this.#packetAt = (client.stream as Socket).bytesRead))
    client.on('message', (topic, payload, { retain }) => this.#hand(topic, payload, retain))
  }

  #hand(topic: string, payload: Buffer, retain: boolean): void {
    if (payload.length === 0) this.#retained.delete(topic)
    else if (retain || isDocument(topic)) this.#retained.add(topic)
    for (const listener of this.#listeners) listener(topic, payload, retain)
  }

  #watch(client: MqttClient): void {
    client.once('close', () => {
      if (this.#stop.signal.aborted) return
      const hint = 'look at the broker; what was published before stays'
      const failure = new Failure(`the connection to the broker ${nameOf(this.#options.url)} was lost`, {
        ...{ exit: exitCodes.unreachable, hint },
      })
      if (this.#outlasting.size === 0) this.#lose(failure)
      else void this.#comeBack(failure)
    })
  }

  #say(text: string): void {
    for (const say of this.#outlasting) say(text)
  }

  async #comeBack(failure: Failure): Promise<void> {
    const since = performance.now()
    this.#away = failure
    this.#lost = [...this.#lost.filter(at => since - at < 60_000), since]
    this.#say(`${failure.message}; it is asked again until it is back`)
    if (this.#lost.length === 3)
      this.#say('if the broker is there, another command of this account may push this one off')
    let said = ''
    // Where the user name is the client id, two commands of one person push each other off: each lets the other have its time.
    const first = Math.min(shortest * 2 ** (this.#lost.length - 1), longest)
    for (let wait = first; ; wait = Math.min(2 * wait, longest)) {
      await pause(wait * (0.5 + Math.random()), undefined, { signal: this.#stop.signal }).catch(
        () => undefined,
      )
      try {
        this.#stop.signal.throwIfAborted()
        await this.#connectAgain()
        break
      } catch (error) {
        if (this.#stop.signal.aborted) return
        if (error instanceof Failure && isRefusal(error)) {
          this.#lose(error)
          return
        }
        const why = error instanceof Error ? error.message : String(error)
        if (why !== said) this.#say(why)
        said = why
      }
    }
    this.#away = undefined
    this.#say(`the broker is back after ${((performance.now() - since) / 1000).toFixed(0)} s`)
    for (const hear of this.#back) hear()
  }

  /** With everything that was subscribed, and what has been taken away meanwhile. */
  async #connectAgain(): Promise<void> {
    const client = await opened(this.#options, this.#stop.signal)
    const before = [...this.#retained]
    this.#retained.clear()
    this.#take(client)
    try {
      await this.#read([...this.#subscribed])
      if (!client.connected) throw new Error('it ended the connection again')
    } catch (error) {
      for (const topic of before) this.#retained.add(topic)
      client.end(true)
      throw error
    }
    this.#watch(client)
    for (const topic of before) if (!this.#retained.has(topic)) this.#hand(topic, Buffer.alloc(0), true)
  }

  listen(listener: Listener): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /**
   * Filters below the prefix. Resolves once everything retained there has come. At QoS 0: the session ends with the connection, so
   * that QoS 1 would add nothing, and of it a broker keeps no more than its queue for one client holds: mosquitto 1,000 messages
   * by itself, beyond which the rest of a fleet was not there.
   */
  async subscribe(filters: readonly string[]): Promise<void> {
    const fresh = filters.filter(filter => !this.#subscribed.has(filter))
    if (fresh.length === 0) return
    for (const filter of fresh) this.#subscribed.add(filter)
    try {
      await this.#read(fresh)
    } catch (error) {
      // It comes with everything else when the broker is back.
      if (this.#away === undefined) throw error
      await new Promise<void>(resolve => this.#back.add(resolve))
    }
  }

  async #read(filters: readonly string[]): Promise<void> {
    const asked = performance.now()
    const topics = filters.map(filter => `${this.prefix}/${filter}`)
    if (topics.length === 0) return
    try {
      await this.#client.subscribeAsync(topics, { qos: 0 })
    } catch (cause) {
      const hint = 'look at the rights of this user'
      throw new Failure(`the broker refused to show ${topics.join(', ')}`, { cause, hint })
    }
    await quiet(this, () => this.#afterPacket(), performance.now() - asked)
  }

  /** Bytes that came after the last whole packet. */
  #afterPacket(): number {
    return (this.#client.stream as Socket).bytesRead - this.#packetAt
  }

  /** Retained unless said otherwise; resolves with the broker's acknowledgement. `undefined` empties the topic. */
  async publish(topic: string, document: unknown, retain = true): Promise<void> {
    const payload = document === undefined ? '' : JSON.stringify(document)
    this.mayCarry(document)
    await this.here()
    try {
      await this.#client.publishAsync(`${this.prefix}/${topic}`, payload, { qos: 1, retain })
    } catch (cause) {
      throw new Failure(`the broker refused ${this.prefix}/${topic}`, {
        cause,
        hint: 'look at the rights of this user',
      })
    }
  }

  /**
   * Retained documents, all at once but for the first: a broker that lets this user read and not write says nothing over MQTT 3.1.1,
   * so that one has to come back. The topics are those of a subscription.
   */
  async publishAll(documents: readonly (readonly [topic: string, document: unknown])[]): Promise<void> {
    const [first, ...others] = documents
    if (first === undefined) return
    const [topic, document] = first
    const bytes = Buffer.from(document === undefined ? '' : JSON.stringify(document))
    let seen: (here: true) => void = () => undefined
    const back = new Promise<true>(resolve => (seen = resolve))
    using _ = this.listen((from, payload) => {
      if (from === `${this.prefix}/${topic}` && payload.equals(bytes)) seen(true)
    })
    await this.publish(topic, document)
    const late = pause(echo, false, { ref: false })
    if (!(await Promise.race([back, late])))
      throw new Failure(`the broker has taken ${this.prefix}/${topic} and does not hand it out`, {
        hint: 'look at the rights of this user: it may read, and probably not write',
      })
    await Promise.all(others.map(([to, content]) => this.publish(to, content)))
  }

  /** Resolves when everything has come that the broker had for us at this moment: it answers in order. */
  async turn(): Promise<void> {
    // A connection that ends is told by `lost`.
    await this.#client.unsubscribeAsync(`${this.prefix}/nothing`).catch(() => undefined)
  }

  /**
   * Outside the prefix: asks one of the broker's own control topics. mosquitto sends the answer a turn of its loop after the
   * acknowledgement, so that after a few more round trips nobody will answer: undefined.
   * @param isOurs whether it answers this document: others may be asking, too
   */
  async control(
    topic: string,
    document: unknown,
    answer: string,
    isOurs: (answer: unknown) => boolean,
  ): Promise<unknown> {
    this.mayCarry(document)
    let found: unknown
    using _ = this.listen((from, payload) => {
      const said = from === answer ? readJson(payload) : undefined
      if (isOurs(said)) found ??= said
    })
    await this.#client.subscribeAsync(answer, { qos: 1 })
    await this.#client.publishAsync(topic, JSON.stringify(document), { qos: 1 })
    for (let turn = 0; turn < 5 && found === undefined; turn++) {
      await this.#client.subscribeAsync(answer, { qos: 1 })
      await pause(10 * turn)
    }
    return found
  }

  /** @throws Failure for a document with a secret over an open network; for those who change something before they publish it */
  mayCarry(document: unknown): void {
    if (this.#options.insecure || secretsIn(document).length === 0 || isPrivate(this.#options.url)) return
    throw new Failure('the document holds a secret, and the connection to the broker is not encrypted', {
      hint: 'use mqtts://, or --insecure where the network is trusted',
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#client.endAsync()
  }
}

/** Topics below which a broker keeps the last document. */
const isDocument = (topic: string): boolean => /\/(networks\/[^/]+|(desired|reported|presence))$/.test(topic)
