/** The operator's side: a plain MQTT client that keeps everything it is sent. */
import mqtt from 'mqtt'
import type { Socket } from 'node:net'
import { Change } from '../../../agent/change.ts'

export interface Received {
  topic: string
  retain: boolean
  payload: Buffer
  json: () => Record<string, unknown>
  at: number
  correlationData?: Buffer
}

export interface Operator extends AsyncDisposable {
  received: Received[]
  publish: (topic: string, document: unknown, options?: mqtt.IClientPublishOptions) => Promise<void>
  subscribe: (filter: string, qos?: 0 | 1) => Promise<void>
  /** The first message so far, or to come, that satisfies; fails with the sentence after `ms`. */
  until: (sentence: string, satisfies: (message: Received) => boolean, ms?: number) => Promise<Received>
  on: (topic: string) => Received[]
  /** Connected, and subscribed again. */
  listening: () => boolean
}

/** @param filters what to subscribe to, at QoS 1 */
export async function operator(
  url: string,
  filters: readonly string[],
  options: mqtt.IClientOptions = {},
): Promise<Operator> {
  const client = mqtt.connect(url, {
    protocolVersion: 4,
    clientId: `operator-${process.pid}`,
    clean: false,
    reconnectPeriod: 50,
    ...options,
  })
  const received: Received[] = []
  const change = new Change()
  let listening = false
  client.on('close', () => (listening = false))
  client.on('packetreceive', ({ cmd }) => (listening ||= cmd === 'suback'))
  client.on('message', (topic, payload, { retain, properties }) => {
    const json = () => JSON.parse(payload.toString()) as Record<string, unknown>
    const mark = properties?.correlationData
    received.push({
      ...{ topic, retain, payload, json },
      at: performance.now(),
      ...(mark && { correlationData: mark }),
    })
    change.notify()
  })
  // What a kept session brings comes right behind the CONNACK: whoever listens only now has missed it, and it is acknowledged.
  try {
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve()).once('error', reject)
    })
  } catch (error) {
    client.end(true)
    throw error
  }
  client.on('error', () => undefined)
  // Without it three documents at once leave 40 ms apart, and acknowledgements as late.
  const prompt = () => (client.stream as Socket).setNoDelay(true)
  prompt()
  client.on('connect', prompt)
  if (filters.length > 0) await client.subscribeAsync([...filters], { qos: 1 })
  const until: Operator['until'] = async (sentence, satisfies, ms = 5000) => {
    const signal = AbortSignal.timeout(ms)
    for (let looked = 0; ;) {
      const seen = change.count
      for (; looked < received.length; looked++) {
        const message = received[looked]
        if (message && satisfies(message)) return message
      }
      if (signal.aborted) throw new Error(`${sentence}: not within ${ms} ms`)
      await change.beyond(seen, undefined, signal)
    }
  }
  return {
    received,
    until,
    publish: async (topic, document, more = {}) => {
      const payload = Buffer.isBuffer(document)
        ? document
        : document === undefined
          ? ''
          : JSON.stringify(document)
      await client.publishAsync(topic, payload, { qos: 1, ...more })
    },
    subscribe: async (filter, qos = 1) => {
      await client.subscribeAsync(filter, { qos })
    },
    on: topic => received.filter(message => message.topic === topic),
    listening: () => client.connected && listening,
    [Symbol.asyncDispose]: async () => {
      await client.endAsync(true)
    },
  }
}
