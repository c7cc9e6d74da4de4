/** A broker of MQTT 5 that refuses for a while what is published, as one does whose quota is used up or whose rights are being changed. */
import { once } from 'node:events'
import net from 'node:net'
import { join } from 'node:path'
import mqttPacket, { type Packet } from 'mqtt-packet'
import t from 'tap'
import { topicsOf } from '../../../agent/desired/topics.ts'
import { Link } from '../../../agent/mqtt/link.ts'
import { Outbox } from '../../../agent/mqtt/outbox.ts'

type Answer = (topic: string, payload: { number?: number; health?: { name: string } }) => number

/** Acknowledges with the reason code that `answer` gives for each publication. */
async function broker(answer: Answer) {
  const options = { protocolVersion: 5 } as const
  const server = net.createServer(socket => {
    const parser = mqttPacket.parser(options)
    const say = (packet: Packet) => socket.write(mqttPacket.generate(packet, options))
    parser.on('packet', packet => {
      const { cmd, messageId = 0 } = packet
      if (cmd === 'connect') say({ cmd: 'connack', reasonCode: 0, sessionPresent: false })
      if (cmd === 'subscribe') say({ cmd: 'suback', messageId, granted: packet.subscriptions.map(() => 1) })
      if (cmd !== 'publish') return
      const reasonCode = answer(packet.topic, JSON.parse(packet.payload.toString()) as object)
      say({ cmd: 'puback', messageId, reasonCode })
    })
    socket.on('data', data => parser.parse(data)).on('error', () => undefined)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  return { url: `mqtt://127.0.0.1:${String(port)}`, [Symbol.dispose]: () => server.close() }
}

for (const [code, name] of [
  [135, 'not authorized'],
  [151, 'quota exceeded'],
] as const)
  // prettier-ignore
  t.test(`what a broker refuses for now (${name}) is sent again over the same connection, before what is newer`, async t => {
    const topics = topicsOf('sonde', 's1')
    const heard: number[] = []
    const reports: string[] = []
    const pauses: number[] = []
    let refusals = 0
    let last = 0
    let done: () => void = () => undefined
    const all = new Promise<void>(resolve => (done = resolve))
    using odd = await broker((topic, { number = 0, health }) => {
      if (topic === topics.events && number >= 3 && refusals < 6) {
        if (number === 3) pauses.push(performance.now() - last)
        last = performance.now()
        refusals += 1
        return code
      }
      if (topic === topics.events) heard.push(number)
      if (topic === topics.reported && reports.push(health?.name ?? '') < 3) return code
      if (heard.length === 6 && reports.length === 3) done()
      return 0
    })
    await using outbox = await Outbox.open({ directory: join(t.testdir(), 'outbox') })
    const say = (text: string) => outbox.append({ at: 0, event: 'test', severity: 'info', text })
    for (const text of ['a', 'b', 'c', 'd', 'e']) say(text)
    await outbox.settled()
    const problems: unknown[] = []
    const pace = { again: 5_000, most: 5_000, refused: 20 }
    await using link = new Link({ topics, urls: [odd.url], pace }, outbox, {
      sensorDocument: () => undefined,
      networkProfile: () => undefined,
      command: () => undefined,
      changed: ({ problem }) => problems.push(problem?.code),
    })
    link.report({ health: { name: 'first' } })
    link.arrive()
    await link.connected(AbortSignal.timeout(5_000))
    say('f')
    await all
    t.strictSame(heard, [1, 2, 3, 4, 5, 6], 'nothing is lost, and all is in order')
    t.ok(problems.includes('broker-denied'), 'and it is said')
    t.strictSame(reports, ['first', 'first', 'first'], 'the report too is published again')
    t.ok(pauses.slice(1).every(ms => ms >= 15), 'after a pause each time')
    t.ok(refusals === 6 && pauses.length >= 3, 'after the first of them one alone is tried')
  })
