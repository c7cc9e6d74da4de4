/**
 * One MQTT connection, from CONNECT to its end; never reconnects, keeps nothing for later.
 * The only file that runs MQTT.js. Its queues and stores are not used: the link and the outbox decide what is sent.
 */
import mqtt, { type MqttClient as Client } from 'mqtt'
import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { largest, optionsOf, type Login } from './login.ts'

export interface Message {
  topic: string
  payload: Buffer
  retain: boolean
  /** MQTT 5: where the sender wants the answer, and what to put on it. */
  responseTopic?: string
  correlationData?: Buffer
}

export interface PublishOptions {
  retain?: boolean
  /** Seconds the broker may keep it for a subscriber that is away (MQTT 5). */
  expiry?: number
  correlationData?: Buffer
}

/** Why a connection is over. `taken`: the same client id connected elsewhere (MQTT 5 says so). */
export interface Ending {
  reason: 'left' | 'lost' | 'taken'
  detail: string
}

/** The broker answered CONNECT with a refusal; `version`: it does not speak this protocol version. */
export class ConnectionRefused extends Error {
  readonly code: number
  readonly version: boolean
  constructor(code: number, message: string) {
    super(message)
    this.name = 'ConnectionRefused'
    this.code = code
    this.version = code === 1 || code === 132
  }
}

/** A message was taken by `receive`; the broker gets its PUBACK when that returns. It must not throw. */
export type Receive = (message: Message) => void | Promise<void>

/**
 * Speaks CONNECT over an open socket. The socket is the connection's from here on, also when it throws.
 * @throws ConnectionRefused on a refusing CONNACK
 */
export function connect(
  socket: Socket,
  login: Login,
  receive: Receive,
  signal: AbortSignal,
): Promise<Connection> {
  const client = new mqtt.MqttClient(() => socket, optionsOf(login))
  // QoS 2 is never asked for, and of a PUBREL without an id, or behind the end, MQTT.js makes an error that nobody catches.
  client.on('packetreceive', packet => {
    if (packet.cmd !== 'pubrel') return
    Object.assign(packet, { cmd: 'pingresp' })
    client.stream.destroy()
  })
  client.handleMessage = (packet, done) => {
    const { topic, payload, retain, properties } = packet
    const message: Message = {
      topic,
      payload: Buffer.from(payload),
      retain,
      ...(properties?.responseTopic !== undefined && { responseTopic: properties.responseTopic }),
      ...(properties?.correlationData !== undefined && { correlationData: properties.correlationData }),
    }
    const taken = receive(message)
    if (taken === undefined) done()
    else void taken.finally(() => done())
  }
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      signal.removeEventListener('abort', aborted)
      client.removeAllListeners('connect').on('error', () => undefined)
      client.end(true)
      reject(error instanceof Error ? error : new Error(String(error)))
    }
    const aborted = (): void => fail(signal.reason)
    const closed = (): void => fail(new Error('the broker closed the connection before CONNACK'))
    const refused = (error: Error & { code?: unknown }): void =>
      fail(typeof error.code === 'number' ? new ConnectionRefused(error.code, error.message) : error)
    if (signal.aborted) {
      aborted()
      return
    }
    signal.addEventListener('abort', aborted)
    client.once('close', closed).once('error', refused)
    client.once('connect', packet => {
      signal.removeEventListener('abort', aborted)
      client.off('close', closed).off('error', refused)
      const { receiveMaximum, maximumPacketSize } = packet.properties ?? {}
      resolve(
        new Connection(client, login.protocol, packet.sessionPresent, { receiveMaximum, maximumPacketSize }),
      )
    })
  })
}

/** What the broker says it takes (MQTT 5); it ends the connection of who sends more. */
interface Limits {
  /** Publications on the way at once. */
  receiveMaximum?: number | undefined
  /** Bytes of one packet. */
  maximumPacketSize?: number | undefined
}

/** What the end of a connection says that had more than `largest` to read. */
export const tooLarge = `a message of more than ${String(largest)} bytes came`

/** Bytes that may have come behind the last packet that was looked at, beside a part of the next. */
const behind = 256 * 1024

/** Bytes of a PUBLISH beside topic, payload and correlation data, at most. */
const frame = 32

export class Connection {
  readonly protocol: 5 | 4
  readonly sessionPresent: boolean
  /** Monotonic ms of the CONNACK. */
  readonly connectedAt = performance.now()
  /** Resolves, never rejects, when the connection is over. */
  readonly over: Promise<Ending>
  readonly #client: Client
  /** What waits for an acknowledgement: MQTT.js forgets its callbacks when a connection with a session ends. */
  readonly #unanswered = new Set<(error: Error) => void>()
  #ended = false
  #leaving = false
  /** Shared by what is published meanwhile, so that it leaves in one write. */
  #turn: Promise<void> | undefined
  readonly #limits: Limits
  #flying = 0
  /** Those who wait for room on the way, in order. */
  readonly #waiting: (() => void)[] = []

  constructor(client: Client, protocol: 5 | 4, sessionPresent: boolean, limits: Limits = {}) {
    this.#client = client
    this.#limits = limits
    this.protocol = protocol
    this.sessionPresent = sessionPresent
    let ending: Ending = { reason: 'lost', detail: 'the connection was closed' }
    // Of what comes behind a packet that cannot be read MQTT.js reads nothing: it would look connected, and be deaf.
    client.on('error', (error: Error) => {
      ending = { ...ending, detail: error.message }
      client.stream.destroy()
    })
    client.on('disconnect', ({ reasonCode }) => {
      const code = reasonCode ?? 0
      const words = (mqtt.ReasonCodes as Record<number, string | undefined>)[code] ?? 'reason code'
      ending = {
        reason: code === 142 ? 'taken' : 'lost',
        detail: `the broker disconnected: ${words} (${String(code)})`,
      }
    })
    const socket = client.stream as Socket
    let whole = 0
    client.on('packetreceive', () => (whole = socket.bytesRead))
    socket.on('data', () => {
      if (socket.bytesRead - whole <= largest + behind) return
      ending = { ...ending, detail: tooLarge }
      socket.destroy()
    })
    this.over = new Promise(resolve => {
      client.once('close', () => {
        this.#ended = true
        for (const reject of [...this.#unanswered]) reject(new Error('the connection ended'))
        resolve(this.#leaving ? { reason: 'left', detail: 'disconnected' } : ending)
      })
    })
  }

  isOpen(): boolean {
    return !this.#ended && !this.#leaving
  }

  /**
   * QoS 1; resolves with the PUBACK. Rejects when the connection ends first or the broker refuses. What has arrived is read
   * first: a write that finds the connection reset ends the socket with the acknowledgements that still lie in it, and what
   * the broker has would be sent a second time.
   */
  async publish(topic: string, payload: string | Buffer, options: PublishOptions = {}): Promise<void> {
    const { retain = false, expiry, correlationData } = options
    const bytes =
      Buffer.byteLength(topic) + Buffer.byteLength(payload) + (correlationData?.length ?? 0) + frame
    const { maximumPacketSize = Infinity } = this.#limits
    if (bytes > maximumPacketSize)
      throw new Error(`${String(bytes)} bytes, and the broker takes ${String(maximumPacketSize)} at most`)
    await (this.#turn ??= this.#beyondReading())
    const properties = {
      ...(expiry !== undefined && { messageExpiryInterval: expiry }),
      ...(correlationData && { correlationData }),
    }
    await this.#room()
    try {
      await this.#answered(done =>
        this.#client.publish(
          topic,
          payload,
          { qos: 1, retain, ...(this.protocol === 5 && { properties }) },
          done,
        ),
      )
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#flying -= 1
      else next()
    }
  }

  /**
   * QoS 1; the retained messages of the topics come (again). Rejects when the broker refuses one. The PINGREQ carries the
   * TCP acknowledgement of SUBACK: without it a broker whose sockets are not TCP_NODELAY (mosquitto's default) holds the
   * retained message back until the delayed acknowledgement, 40 ms later.
   */
  async subscribe(topics: readonly string[]): Promise<void> {
    if (topics.length === 0) return
    await this.#answered(done =>
      this.#client.subscribe([...topics], { qos: 1 }, error => {
        this.#client.sendPing()
        done(error ?? undefined)
      }),
    )
  }

  async unsubscribe(topics: readonly string[]): Promise<void> {
    if (topics.length === 0) return
    await this.#answered(done => this.#client.unsubscribe([...topics], done))
  }

  /** Sends DISCONNECT, so that there is no Will Message, and closes; after `ms` the socket is cut off. */
  async leave(ms: number): Promise<void> {
    this.#leaving = true
    if (this.#ended) return
    const timer = setTimeout(() => this.destroy(), ms)
    this.#client.end(false, { reasonCode: 0 })
    await this.over
    clearTimeout(timer)
  }

  /** Cuts the socket off, as a power cut would: the broker publishes the Will Message. */
  destroy(): void {
    this.#client.stream.destroy()
  }

  /** Room for one more on the way, which is taken. It is handed on to who waits longest. */
  async #room(): Promise<void> {
    const { receiveMaximum = Infinity } = this.#limits
    if (this.#flying < receiveMaximum) this.#flying += 1
    else await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  async #beyondReading(): Promise<void> {
    await nextTurn()
    this.#turn = undefined
  }

  #answered(ask: (done: (error?: Error) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.isOpen()) throw new Error('the connection ended')
      const fail = (error: Error): void => {
        this.#unanswered.delete(fail)
        reject(error)
      }
      this.#unanswered.add(fail)
      ask(error => {
        this.#unanswered.delete(fail)
        if (error) reject(error)
        else resolve()
      })
    })
  }
}
