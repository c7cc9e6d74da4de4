/** The promises of the link and of the documents, in numbers: about a tenth of it runs under `npm test`. */
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { generatedDocuments } from '../unit/desired/generated.ts'
import { plain, sensor as document } from '../unit/desired/documents.ts'
import { natsCluster } from '../lab/mqtt/cluster.ts'
import { brokerKills, ways } from '../lab/mqtt/kills.ts'
import { operator } from '../lab/mqtt/operator.ts'
import { rabbit, rabbitIsMissing } from '../lab/mqtt/rabbit.ts'
import { sensor, standing, until } from '../lab/mqtt/sensor.ts'
import { sample } from './sample.ts'

t.setTimeout(600_000)

/** A document is asked for again soon. */
const pace = { again: 500, most: 5000, refused: 1000 }

const base = Number(process.env['SONDE_SEED'] ?? Date.now() % 1_000_000)
const seeds = Array.from({ length: 10 }, (_, i) => base + i)

for (const [name, way] of Object.entries(ways))
  t.test(`the broker dies again and again while events are made: ${name}`, { timeout: 300_000 }, async t => {
    for (const seed of sample(seeds))
      await t.test(`${way.times} times, SONDE_SEED=${seed}`, { timeout: 60_000 }, t =>
        brokerKills(t, way, seed),
      )
  })

t.test('ten thousand generated documents', { timeout: 300_000 }, async t => {
  for (const seed of sample(seeds)) {
    await t.test(`SONDE_SEED=${seed}`, t => {
      generatedDocuments(t, seed, 200)
      t.end()
    })
  }
})

t.test(
  'one of three NATS nodes is killed: nothing is lost, and the state converges',
  { timeout: 200_000 },
  async t => {
    await using cluster = await natsCluster()
    const [first, second] = cluster.nodes
    const urls = cluster.nodes.map(({ url }) => url)
    await using self = await sensor({ directory: t.testdir(), urls, name: 'n', pace })
    const reached = (satisfied: () => boolean) => until(satisfied, 60_000, () => standing(self))
    self.link.arrive()
    await self.link.connected(AbortSignal.timeout(60_000))
    await using console = await operator(second?.url ?? '', ['sonde/sensors/n/#'], { connectTimeout: 60_000 })
    await console.publish(self.topics.desired, document(1, 'wire'), { retain: true })
    await console.publish(self.topics.network('wire'), plain, { retain: true })
    // Published on another node while the sensor subscribes on its own: NATS may keep it from both.
    await reached(() => self.state.view.confirmed && self.changes.length === 1)
    const on = cluster.nodes.find(({ url }) => url === self.link.status.url) ?? first
    const beside = on === second ? undefined : on
    for (let i = 0; i < 20; i++) self.say('before')
    await beside?.stop('SIGKILL')
    for (let i = 0; i < 20; i++) {
      self.say('after')
      await pause(20)
    }
    await console.publish(self.topics.desired, document(2), { retain: true })
    await reached(() => self.state.view.desired.version === 2)
    await reached(() => self.outbox.size === 0)
    const numbers = () => [
      ...new Set(console.on(self.topics.events).map(({ json }) => Number(json()['number']))),
    ]
    await until(() => numbers().length === 40, 30_000)
    t.same(
      numbers(),
      Array.from({ length: 40 }, (_, i) => i + 1),
    )
  },
)

t.test(
  "the sensor's side on RabbitMQ: documents, reports and events by their own topics",
  { timeout: 200_000, skip: rabbitIsMissing() },
  async t => {
    await using broker = await rabbit()
    await using console = await operator(broker.url, ['sonde/sensors/q/reported', 'sonde/sensors/q/events'])
    const directory = t.testdir()
    await using self = await sensor({ directory, url: broker.url, name: 'q', connectTimeout: 30_000 })
    self.link.arrive()
    await self.link.connected(AbortSignal.timeout(60_000))
    t.equal(self.link.status.protocol, 4, 'found out by itself')
    await console.publish(self.topics.network('wire'), plain, { retain: true })
    await console.publish(self.topics.desired, document(1, 'wire'), { retain: true })
    await until(() => self.state.view.confirmed && self.changes.length === 1, 30_000)
    for (let i = 0; i < 20; i++) self.say('heard')
    const numbers = () => [
      ...new Set(console.on(self.topics.events).map(({ json }) => Number(json()['number']))),
    ]
    await until(() => numbers().length === 20, 30_000)
    await broker.stop('SIGTERM')
    for (let i = 0; i < 20; i++) self.say('while it is away')
    await broker.start()
    await until(() => numbers().length === 40 && self.outbox.size === 0, 60_000)
    t.same(
      numbers(),
      Array.from({ length: 40 }, (_, i) => i + 1),
      'nothing is lost while the broker is away',
    )
    await self.link.leave()
    await console.publish(self.topics.desired, document(2), { retain: true })
    self.link.arrive()
    await until(() => self.state.view.desired.version === 2, 30_000)
  },
)
