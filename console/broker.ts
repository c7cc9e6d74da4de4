/** The operator's connection to the broker: what is retained, what comes, what is published and confirmed. */
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import mqtt, { type MqttClient } from 'mqtt'
import { exitCodes, Failure, interrupted } from './failure.ts'
import { readJson } from './json.ts'
import { clientOptions, unreachable } from './login.ts'

export interface BrokerOptions {
  url: string
  username?: string | undefined
  password?: string | undefined
  /** Paths of PEM files. */
  ca?: string | undefined
  certificate?: string | undefined
  key?: string | undefined
  prefix: string
  /** Documents with secrets may go over an open network. */
  insecure: boolean
  /** Milliseconds. */
  timeout: number
}

/** Milliseconds for what was published to come back. */
const echo = 3000

export type Listener = (topic: string, payload: Buffer, retain: boolean) => void

export class Broker implements AsyncDisposable {
  readonly prefix: string
  readonly #client: MqttClient
  readonly #options: BrokerOptions
  readonly #listeners = new Set<Listener>()
  /** Sets of subscriptions asked for already. */
  readonly #subscribed = new Set<string>()
  /** Bytes read when the last packet was whole. */
  #packetAt = 0
  /** Resolves when the connection ends by itself. */
  readonly lost: Promise<Failure>

  /** @throws Failure with exit code 3 when the broker is not reached or refuses */
  static async connect(options: BrokerOptions, signal: AbortSignal): Promise<Broker> {
    const client = mqtt.connect(options.url, await clientOptions(options))
    const broker = new Broker(client, options)
    await new Promise<void>((resolve, reject) => {
      const fail = (error: Error): void => {
        clearTimeout(late)
        client.end(true)
        reject(signal.aborted ? interrupted() : unreachable(options.url, error))
      }
      const abort = (): void => fail(new Error('interrupted'))
      const late = setTimeout(
        () => fail(new Error(`no answer within ${String(options.timeout / 1000)} s`)),
        options.timeout,
      )
      // As a TLS listener does to who speaks no TLS to it.
      const closed = (): void => fail(new Error('it closed the connection before it answered'))
      signal.addEventListener('abort', abort)
      client.once('error', fail).once('close', closed)
      client.once('connect', () => {
        clearTimeout(late)
        signal.removeEventListener('abort', abort)
        client.off('error', fail).off('close', closed)
        resolve()
      })
    })
    client.on('error', () => undefined)
    // A fleet of documents at once must not wait for each other's acknowledgement.
    ;(client.stream as Socket).setNoDelay(true)
    return broker
  }

  private constructor(client: MqttClient, options: BrokerOptions) {
    this.#client = client
    this.#options = options
    this.prefix = options.prefix
    const { protocol, host } = new URL(options.url)
    const words = `the connection to the broker ${protocol}//${host} was lost`
    const hint = 'look at the broker; what was published before stays'
    this.lost = new Promise(resolve => {
      client.once('close', () => resolve(new Failure(words, { exit: exitCodes.unreachable, hint })))
    })
    client.on('packetreceive', () => (this.#packetAt = (client.stream as Socket).bytesRead))
    client.on('message', (topic, payload, { retain }) => {
      for (const listener of this.#listeners) listener(topic, payload, retain)
    })
  }

  listen(listener: Listener): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** Filters below the prefix, at QoS 1. Resolves once everything retained there has come. */
  async subscribe(filters: readonly string[]): Promise<void> {
    const fresh = filters.filter(filter => !this.#subscribed.has(filter))
    if (fresh.length === 0) return
    for (const filter of fresh) this.#subscribed.add(filter)
    const asked = performance.now()
    const topics = fresh.map(filter => `${this.prefix}/${filter}`)
    try {
      await this.#client.subscribeAsync(topics, { qos: 1 })
    } catch (cause) {
      const hint = 'look at the rights of this user'
      throw new Failure(`the broker refused to show ${topics.join(', ')}`, { cause, hint })
    }
    await this.#quiet(performance.now() - asked)
  }

  /**
   * Nothing that was retained has come for a moment, which is longer the longer the broker takes to answer (ms); and longer while
   * it has not even begun. What is published meanwhile comes without the mark: a large fleet is never silent. A long document on a
   * slow line is bytes without a packet for a while.
   */
  #quiet(answer: number): Promise<void> {
    return new Promise(resolve => {
      const settle = (): void => {
        clearTimeout(timer)
        clearTimeout(latest)
        listening[Symbol.dispose]()
        resolve()
      }
      let bytes = this.#afterPacket()
      const look = (): void => {
        const before = bytes
        bytes = this.#afterPacket()
        if (bytes === 0 || bytes === before) settle()
        else timer = setTimeout(look, 120 + 2 * answer)
      }
      let timer = setTimeout(look, 250 + 2 * answer)
      const latest = setTimeout(settle, 30_000)
      const listening = this.listen((_, __, retained) => {
        if (!retained) return
        clearTimeout(timer)
        timer = setTimeout(look, 120 + 2 * answer)
      })
    })
  }

  /** Bytes that came after the last whole packet. */
  #afterPacket(): number {
    return (this.#client.stream as Socket).bytesRead - this.#packetAt
  }

  /** Retained unless said otherwise; resolves with the broker's acknowledgement. `undefined` empties the topic. */
  async publish(topic: string, document: unknown, retain = true): Promise<void> {
    const payload = document === undefined ? '' : JSON.stringify(document)
    this.mayCarry(document)
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
    await this.#client.endAsync()
  }
}

/** Encrypted, or not leaving this machine. */
export function isPrivate(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'mqtts:' || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
}

const secretKeys = new Set(['challengePassword', 'password', 'passphrase'])

/** By its name, or because it is a URL with a password before the `@`. */
export const isSecret = (key: string, value: unknown): boolean =>
  secretKeys.has(key) || (typeof value === 'string' && /^https?:\/\/[^/?#]*@/i.test(value))

/** Where a document holds secrets: `scep.challengePassword`. */
export function secretsIn(document: unknown): string[] {
  if (typeof document !== 'object' || document === null) return []
  return Object.entries(document).flatMap(([key, value]) =>
    isSecret(key, value)
      ? value === undefined
        ? []
        : [key]
      : secretsIn(value).map(path => `${key}.${path}`),
  )
}

/** The document without its secrets. */
export function withoutSecrets<T>(document: T): T {
  if (Array.isArray(document)) return document.map(withoutSecrets) as T
  if (typeof document !== 'object' || document === null) return document
  return Object.fromEntries(
    Object.entries(document).flatMap(([key, value]) =>
      isSecret(key, value) ? [] : [[key, withoutSecrets(value as unknown)]],
    ),
  ) as T
}
