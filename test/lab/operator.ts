import { connect } from 'node:net'
import { MqttClient } from 'mqtt'
import { Journal } from './journal.ts'

/** What came on a topic under `sonde/`; `document` is its JSON, undefined for an empty payload (a retained document deleted). */
export type Message = { at: number; topic: string; document: unknown; retained: boolean }

const prefix = 'sonde'

function parse(payload: Buffer): unknown {
  return payload.length === 0 ? undefined : (JSON.parse(payload.toString()) as unknown)
}

/** The operator's side: a real MQTT client of the lab's broker, connected through its Unix socket. It hears everything. */
export class Operator implements AsyncDisposable {
  readonly messages = new Journal<Message>('mqtt', ({ topic, document }) =>
    `${topic} ${JSON.stringify(document)}`.slice(0, 600),
  )
  readonly #client: MqttClient

  constructor(socket: string) {
    this.#client = new MqttClient(() => connect(socket), {
      clientId: `operator-${process.pid}-${Date.now()}`,
      protocolVersion: 5,
      reconnectPeriod: 100,
    })
    this.#client.on('message', (topic, payload, { retain }) => {
      const at = performance.now()
      this.messages.add({ at, topic, document: parse(payload), retained: retain })
    })
    this.#client.on('error', () => undefined) // the broker is away: it reconnects
  }

  async connect(): Promise<void> {
    await this.#client.subscribeAsync(`${prefix}/#`, { qos: 1 })
  }

  /** Publishes and resolves when the broker has acknowledged. */
  async publish(topic: string, document: unknown, retain: boolean): Promise<void> {
    const payload = document === undefined ? '' : JSON.stringify(document)
    await this.#client.publishAsync(`${prefix}/${topic}`, payload, { qos: 1, retain })
  }

  /** A network profile, retained; undefined empties the topic. */
  async network(id: string, profile: unknown): Promise<void> {
    await this.publish(`networks/${id}`, profile, true)
  }

  /** A sensor document, retained. */
  async desired(sensor: string, document: unknown): Promise<void> {
    await this.publish(`sensors/${sensor}/desired`, document, true)
  }

  async command(sensor: string, command: unknown): Promise<void> {
    await this.publish(`sensors/${sensor}/commands`, command, false)
  }

  /** The first document on `topic` (without prefix) that `wanted` accepts, counting from message `since`. */
  async heard<T>(
    topic: string,
    wanted: (document: T) => boolean,
    sentence: string,
    ms = 15_000,
    since = 0,
  ): Promise<T> {
    const read = (message: Message) =>
      message.topic === `${prefix}/${topic}` &&
      message.document !== undefined &&
      wanted(message.document as T)
        ? { document: message.document as T }
        : undefined
    return (await this.messages.find(read, sentence, ms, since)).document
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.messages.fail('the operator has gone') // or a wait that nobody needs any more would keep the process alive
    await this.#client.endAsync(true)
  }
}

export async function operator(socket: string): Promise<Operator> {
  let timer: NodeJS.Timeout | undefined
  const joined = new Operator(socket)
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the operator is not connected after 10 s')), 10_000)
  })
  try {
    await Promise.race([joined.connect(), late])
    return joined
  } catch (error) {
    await joined[Symbol.asyncDispose]() // or it would try to connect for ever
    throw error
  } finally {
    clearTimeout(timer)
  }
}
