/**
 * N clients in one process. `sonde`: the agent's link, documents and outbox. `bare`: mqtt.js with the same subscriptions and
 * publications, and nothing else. A line on standard input is answered by a line: `memory`, `connect`, `say`.
 */
import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import mqtt from 'mqtt'
import { topicsOf } from '../../../agent/desired/topics.ts'
import { sensor, type Sensor } from '../../lab/mqtt/sensor.ts'

const [kind = '', count = '', url = '', folder = ''] = process.argv.slice(2)
const names = Array.from({ length: Number(count) }, (_, i) => `f${i}`)
const sensors: Sensor[] = []
const clients: mqtt.MqttClient[] = []

async function sonde(name: string): Promise<void> {
  const directory = join(folder, name)
  await mkdir(directory)
  const self = await sensor({ directory, url, name, keepAlive: 600, connectTimeout: 60_000 })
  sensors.push(self)
  self.link.arrive()
  await self.link.connected(AbortSignal.timeout(300_000))
}

async function bare(name: string): Promise<void> {
  const topics = topicsOf('sonde', name)
  const will = {
    topic: topics.presence,
    payload: Buffer.from('{"state":"offline"}'),
    qos: 1,
    retain: true,
  } as const
  const client = await mqtt.connectAsync(url, {
    clientId: name,
    protocolVersion: 5,
    clean: false,
    keepalive: 600,
    connectTimeout: 60_000,
    will,
  })
  clients.push(client)
  const about = {
    sensor: name,
    serial: name,
    name,
    model: 'simulated',
    hostname: name,
    macs: {},
    version: '0',
    startedAt: '',
  }
  client.on('message', (topic, payload) => {
    if (!topic.startsWith('sonde/networks/')) return
    const networks = { all: createHash('sha256').update(payload).digest('hex') }
    void client.publishAsync(
      topics.reported,
      JSON.stringify({ schema: 1, at: new Date(), about, applied: { networks } }),
      { qos: 1, retain: true },
    )
  })
  await client.subscribeAsync([topics.desired, topics.commands, topics.presence, topics.network('all')], {
    qos: 1,
  })
  await client.publishAsync(topics.presence, '{"state":"online"}', { qos: 1, retain: true })
}

/** A hundred at a time: a broker's queue of connections is not endless. */
async function connect(): Promise<void> {
  const waiting = [...names]
  const lane = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
      await (kind === 'sonde' ? sonde : bare)(name)
  }
  await Promise.all(Array.from({ length: 100 }, lane))
}

async function say(): Promise<void> {
  for (const self of sensors) self.say('an event of every sensor')
  await Promise.all(
    clients.map((client, i) =>
      client.publishAsync(topicsOf('sonde', names[i] ?? '').events, '{"number":1}', { qos: 1 }),
    ),
  )
}

const actions: Record<string, () => Promise<void>> = { connect, say, memory: async () => undefined }

for await (const line of createInterface({ input: process.stdin })) {
  await actions[line]?.()
  globalThis.gc?.()
  process.stdout.write(`${process.memoryUsage().rss}\n`)
}
process.exit()
