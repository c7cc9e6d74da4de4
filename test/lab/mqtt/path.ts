/** Getting to a broker, and away from it. */
import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { plain, sensor as document } from '../../unit/desired/documents.ts'
import { freePort } from '../free-port.ts'
import { mosquitto } from './broker.ts'
import { operator } from './operator.ts'
import { arrived, sensor, standing, until } from './sensor.ts'

t.test(
  'a broker that speaks 3.1.1 alone is found out and remembered, also where it took the place of another',
  async t => {
    await using broker = await mosquitto()
    // In front of the broker: what a 3.1.1 broker does with MQTT 5 (RabbitMQ answers 1, NATS closes).
    for (const refusal of [Buffer.from([0x20, 2, 0, 1]), undefined]) {
      let [fives, speaksFive] = [0, true]
      const proxy = net.createServer(inner => {
        inner.once('data', (first: Buffer) => {
          if (first[first.indexOf('MQTT') + 4] === 5) fives += 1
          if ((first[first.indexOf('MQTT') + 4] === 5) !== speaksFive) {
            if (refusal) inner.write(refusal)
            inner.end()
            return
          }
          const outer = net.connect(broker.port, '127.0.0.1')
          outer.write(first)
          inner.pipe(outer).pipe(inner)
        })
        inner.on('error', () => undefined)
      })
      const port = await freePort()
      proxy.listen(port, '127.0.0.1')
      await once(proxy, 'listening')
      await using self = await sensor({ directory: t.testdir(), url: `mqtt://127.0.0.1:${port}` })
      await arrived(self)
      t.equal(self.link.status.protocol, 5)
      ;[fives, speaksFive] = [0, false]
      await self.link.leave()
      await arrived(self)
      t.equal(self.link.status.protocol, 4)
      for (let again = 0; again < 3; again += 1) {
        await self.link.leave()
        await arrived(self)
      }
      t.equal(
        fives,
        refusal ? 1 : 2,
        'who says so is tried once; who just closes may have been going down, and is tried twice',
      )
      proxy.close()
    }
  },
)

t.test(
  'of several brokers the next is taken when one is dead, and the one that worked comes first',
  async t => {
    await using broker = await mosquitto()
    const dead = `mqtt://127.0.0.1:${await freePort()}`
    await using self = await sensor({ directory: t.testdir(), urls: [dead, broker.url] })
    await arrived(self)
    t.equal(self.link.status.url, broker.url)
    t.equal(self.link.status.problem, undefined)
  },
)

t.test(
  'a broker that dies is followed by the next, with what was not said yet; one with old documents brings nothing old back',
  async t => {
    await using first = await mosquitto()
    await using second = await mosquitto()
    await using one = await operator(first.url, [])
    await using two = await operator(second.url, ['sonde/sensors/f/events'])
    const urls = [first.url, second.url]
    await using self = await sensor({ directory: t.testdir(), urls, name: 'f' })
    await one.publish(self.topics.network('wire'), plain, { retain: true })
    await one.publish(self.topics.desired, document(2, 'wire'), { retain: true })
    await two.publish(self.topics.desired, document(1), { retain: true })
    const on = (url: string) => () => self.link.status.state === 'connected' && self.link.status.url === url
    const look = () => standing(self)
    await arrived(self)
    t.ok(on(first.url)())
    await until(() => self.state.view.confirmed && self.changes.length === 1, 5000, look)
    self.say('on the first')
    await until(() => self.outbox.size === 0, 5000, look)
    await first.stop('SIGKILL')
    for (let i = 0; i < 5; i++) self.say('meanwhile')
    await until(on(second.url), 5000, look)
    await until(() => self.outbox.size === 0 && self.state.view.problems.length > 0, 5000, look)
    const numbers = two.on(self.topics.events).map(({ json }) => json()['number'])
    t.same(numbers, [2, 3, 4, 5, 6])
    t.match(self.state.view.problems, [{ topic: self.topics.desired, message: /version 1 is lower/ }])
    t.equal(self.state.view.applied.desired?.version, 2)
    await first.start()
    await second.stop('SIGKILL')
    await until(on(first.url), 5000, look)
  },
)

t.test('what is wrong is said while it is tried again', async t => {
  const url = `mqtt://127.0.0.1:${await freePort()}`
  await using self = await sensor({ directory: t.testdir(), url })
  self.link.arrive()
  await until(() => self.link.status.problem !== undefined)
  t.match(self.link.status, {
    state: 'connecting',
    problem: { code: 'broker-unreachable', detail: /ECONNREFUSED/ },
  })
  const silent = net.createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as net.AddressInfo
  await using mute = await sensor({
    directory: t.testdir(),
    url: `mqtt://127.0.0.1:${port}`,
    connectTimeout: 100,
  })
  mute.link.arrive()
  await until(() => mute.link.status.problem !== undefined)
  t.match(mute.link.status.problem, { code: 'broker-unreachable', detail: /no answer within 0.1 s/ })
  await mute.link.leave()
  silent.close()
})

t.test('a broker whose answer cannot be read is left at once, and that is said', async t => {
  // mosquitto answers what is longer with a reason code that a PUBACK cannot have; nothing behind it would be read.
  await using broker = await mosquitto(['allow_anonymous true', 'message_size_limit 300'])
  await using self = await sensor({ directory: t.testdir(), url: broker.url, protocol: 5 })
  self.link.arrive()
  await until(() => self.link.status.problem !== undefined)
  t.match(self.link.status.problem, { code: 'broker-unreachable', detail: /Invalid puback reason code/ })
})

t.test('a hundred times away and back leave nothing behind', async t => {
  await using broker = await mosquitto()
  await using self = await sensor({ directory: t.testdir(), url: broker.url })
  const count = () => process.getActiveResourcesInfo().filter(name => name !== 'FSReqCallback').length
  await arrived(self)
  const before = count()
  const start = performance.now()
  for (let i = 0; i < 100; i++) {
    if (i % 2 === 0) await self.link.leave()
    await arrived(self)
    self.say(`cycle ${i}`)
  }
  const each = (performance.now() - start) / 100
  await until(() => self.outbox.size === 0)
  await until(() => count() <= before + 1)
  t.ok(each < 100, `${each.toFixed(1)} ms a cycle`)
})

t.test(
  'a path that swallows everything is noticed by the keep-alive, and another connection is made',
  async t => {
    await using broker = await mosquitto()
    await using self = await sensor({ directory: t.testdir(), url: broker.url, keepAlive: 1 })
    const sockets: net.Socket[] = []
    self.link.arrive(async (host, port) => {
      const socket = net.connect({ host, port })
      await once(socket, 'connect')
      sockets.push(socket)
      return socket
    })
    await self.link.connected(AbortSignal.timeout(5000))
    const before = performance.now()
    // Nothing comes through any more, and nobody says so.
    sockets[0]?.pause()
    sockets[0]?.removeAllListeners('data').removeAllListeners('readable')
    await until(() => sockets.length === 2, 10_000)
    t.ok(performance.now() - before < 5000)
    await self.link.connected(AbortSignal.timeout(5000))
  },
)
