/** The link against a real broker, in both versions of the protocol. */
import net from 'node:net'
import { once } from 'node:events'
import { corp, onboarding, plain, sensor as document } from '../../unit/desired/documents.ts'
import { onEveryBroker } from './brokers.ts'
import { operator } from './operator.ts'
import { arrived, sensor, until } from './sensor.ts'

onEveryBroker('the link', async (t, broker, protocol) => {
  const { url } = broker
  const own = { url, protocol }

  await t.test('documents are acted on as they arrive, in any order, and reported', async t => {
    await using console = await operator(url, ['sonde/sensors/s1/#'])
    await using self = await sensor({ directory: t.testdir(), ...own })
    await arrived(self)
    await console.until(
      'it says it is online',
      ({ topic, json }) => topic === self.topics.presence && json()['state'] === 'online',
    )
    const sent = performance.now()
    await Promise.all([
      console.publish(self.topics.desired, document(1, 'corp'), { retain: true }),
      console.publish(self.topics.network('corp'), corp, { retain: true }),
      console.publish(self.topics.network('onboarding'), onboarding, { retain: true }),
    ])
    const report = await console.until(
      'the version is reported',
      ({ topic, json }) =>
        topic === self.topics.reported &&
        (json()['applied'] as { desired?: { version: number } }).desired?.version === 1,
    )
    t.match(report.json(), {
      awaiting: [],
      problems: [],
      applied: { networks: { corp: /^[0-9a-f]{64}$/, onboarding: /^[0-9a-f]{64}$/ } },
    })
    const took = (self.changes[0] ?? Infinity) - sent
    t.ok(took < 1000, `acted on ${took.toFixed(1)} ms after publishing`)
    await until(() => self.state.view.confirmed)
  })

  await t.test('after a restart the retained documents come again and change nothing', async t => {
    await using self = await sensor({ directory: t.testdir(), ...own })
    await arrived(self)
    await until(() => self.changes.length === 1)
    const { applied } = self.state.view
    t.match(applied, { desired: { version: 1 } })
    await self.link.leave()
    await arrived(self)
    await using console = await operator(url, [])
    await console.publish(self.topics.commands, { mark: true })
    await until(() => self.commands.length === 1)
    t.equal(self.changes.length, 1)
  })

  await t.test(
    'a retained command is marked as such; a live one is not acknowledged before it is taken',
    async t => {
      await using console = await operator(url, [], { protocolVersion: protocol })
      let taken = false
      const onCommand = async () => {
        await new Promise(resolve => setTimeout(resolve, 50)) // a command that takes its time is what is tested
        taken = true
      }
      await using self = await sensor({ directory: t.testdir(), ...own, name: 's2', onCommand })
      await console.publish(self.topics.commands, { id: 'old' }, { retain: true })
      await arrived(self)
      await until(() => taken)
      t.match(self.commands, [{ retain: true }])
      await console.publish(
        self.topics.commands,
        { id: 'new' },
        { properties: { responseTopic: 'answers', correlationData: Buffer.from('42') } },
      )
      await until(() => self.commands.length === 2)
      t.match(
        self.commands[1],
        protocol === 5 ? { retain: false, responseTopic: 'answers' } : { retain: false },
      )
      t.equal(self.commands[1]?.correlationData?.toString(), protocol === 5 ? '42' : undefined)
    },
  )

  await t.test(
    'a response topic that no broker takes costs neither the reply nor the connection',
    async t => {
      if (protocol === 4) return
      await using console = await operator(url, ['sonde/sensors/s9/replies'], { protocolVersion: protocol })
      await using self = await sensor({
        directory: t.testdir(),
        ...{ ...own, name: 's9' },
        onCommand: ({ payload, responseTopic }) =>
          self.link.reply({ payload: payload.toString(), responseTopic }),
      })
      await arrived(self)
      const odd = ['answers/#', '+/answers', '', '$SYS/answers', 'x'.repeat(2000)]
      for (const [i, responseTopic] of odd.entries()) {
        await console.publish(self.topics.commands, { i }, { properties: { responseTopic } })
        await console.until(`the reply to ${responseTopic}`, ({ json }) => json()['i'] === i)
      }
      t.equal(self.link.status.state, 'connected')
      t.same(
        self.statuses.map(({ state }) => state),
        ['connecting', 'connected'],
      )
    },
  )

  await t.test('a command sent while the sensor is away reaches it when it is back', async t => {
    await using console = await operator(url, [])
    await using self = await sensor({ directory: t.testdir(), ...own, name: 's3' })
    await arrived(self)
    await self.link.leave()
    await console.publish(self.topics.commands, { id: 'later' })
    await arrived(self)
    await until(() => self.commands.length === 1)
  })

  await t.test(
    'presence: online, away before a planned absence, offline by the Will when the power goes',
    async t => {
      await using console = await operator(url, ['sonde/sensors/s4/presence'])
      const states = () => console.received.map(({ json }) => json()['state'])
      const self = await sensor({ directory: t.testdir(), ...own, name: 's4', willDelay: 1 })
      await arrived(self)
      const back = new Date(Date.now() + 60_000)
      await self.link.leave(back)
      await console.until('it is away', ({ json }) => json()['until'] === back.toISOString())
      t.same(states(), ['online', 'away'])
      const sockets: net.Socket[] = []
      self.link.arrive(async (host, port) => {
        if (sockets.length > 0) throw new Error('the power is gone')
        const socket = net.connect(port, host)
        sockets.push(socket)
        await once(socket, 'connect')
        return socket
      })
      await self.link.connected(AbortSignal.timeout(5000))
      await until(() => states().length === 3)
      sockets[0]?.destroy()
      await until(() => states().length === 4)
      t.same(states(), ['online', 'away', 'online', 'offline'])
      await self[Symbol.asyncDispose]()
    },
  )

  await t.test(
    'a lost connection comes back by itself; what was to be said is said then, with its own times',
    async t => {
      await using console = await operator(url, ['sonde/sensors/s5/events'])
      await using self = await sensor({ directory: t.testdir(), ...own, name: 's5' })
      await arrived(self)
      await broker.stop()
      await until(() => self.link.status.state === 'connecting')
      const before = Date.now()
      for (const text of ['a', 'b', 'c']) self.say(text)
      await self.outbox.settled()
      await broker.start()
      await console.until('the last event', ({ json }) => json()['number'] === 3)
      t.match(
        console.received.map(({ json }) => json()),
        [
          { epoch: self.outbox.epoch, number: 1, text: 'a' },
          { number: 2, text: 'b' },
          { number: 3, text: 'c' },
        ],
      )
      t.ok(Date.parse(String(console.received[0]?.json()['at'])) - before < 1000)
      await until(() => self.outbox.size === 0)
    },
  )

  await t.test('reports: the first at once, then at most one a second, the last one in any case', async t => {
    await using console = await operator(url, ['sonde/sensors/s6/reported'])
    await using self = await sensor({ directory: t.testdir(), ...own, name: 's6' })
    await arrived(self)
    const start = performance.now()
    for (let i = 1; i <= 20; i++) {
      self.facts = { i }
      self.report()
      await new Promise(resolve => setTimeout(resolve, 20)) // the pace of the changes is what is tested
    }
    await console.until('the last report', ({ json }) => json()['i'] === 20)
    t.ok(console.received.length <= 2, `${console.received.length} reports of 20 changes`)
    t.ok((console.received[0]?.at ?? Infinity) - start < 200)
  })

  await t.test(
    'the subscriptions follow the documents, and leftovers of an earlier connection go',
    async t => {
      await using console = await operator(url, [])
      const directory = t.testdir()
      const first = await sensor({ directory, ...own, name: 's7' })
      first.link.subscribeNetworks(['left-over'])
      await arrived(first)
      await first[Symbol.asyncDispose]()
      await using self = await sensor({ directory, ...own, name: 's7' })
      await arrived(self)
      await console.publish(self.topics.network('left-over'), plain)
      await console.publish(self.topics.desired, document(1, 'seven'), { retain: true })
      await console.publish(self.topics.network('seven'), plain, { retain: true })
      await until(() => self.changes.length === 1)
      await console.publish(self.topics.desired, document(2), { retain: true })
      await until(() => self.changes.length === 2)
      t.same(self.state.view.subscriptions, [])
    },
  )

  await t.test('two sensors with the same id notice each other and give way', async t => {
    await using one = await sensor({ directory: t.testdir({ a: {}, b: {} }) + '/a', ...own, name: 's8' })
    await arrived(one)
    await using console = await operator(url, ['sonde/sensors/s8/presence'])
    await console.until('one is online', ({ json }) => json()['state'] === 'online')
    await using two = await sensor({ directory: `${t.testdirName}/b`, ...own, name: 's8' })
    await arrived(two)
    if (protocol === 4) {
      // MQTT 3.1.1 has no word for it: the first comes back, finds the other's presence, and each knows.
      await one.link.connected(AbortSignal.timeout(5000))
    }
    await until(() => one.clones.length > 0)
    t.match(one.clones[0], { code: 'identity-in-use' })
  })
})
