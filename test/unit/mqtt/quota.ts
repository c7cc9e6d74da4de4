/** Brokers as no real one is on command: one that says how much it takes and means it, one that sends too much, one that talks nonsense. */
import { once } from 'node:events'
import net from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import mqttPacket, { type Packet } from 'mqtt-packet'
import t from 'tap'
import { connect, type Connection } from '../../../agent/mqtt/connection.ts'
import { findingOf } from '../../../agent/mqtt/findings.ts'
import { directly } from '../../../agent/mqtt/socket.ts'

type Say = (packet: Packet) => boolean

/** @param hear what it does with each packet of a client */
async function broker(protocol: 4 | 5, hear: (packet: Packet, socket: net.Socket, say: Say) => void) {
  const options = { protocolVersion: protocol }
  const server = net.createServer(socket => {
    const parser = mqttPacket.parser(options)
    parser.on('packet', packet =>
      hear(packet, socket, said => socket.write(mqttPacket.generate(said, options))),
    )
    socket.on('data', data => parser.parse(data)).on('error', () => undefined)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const open = async (): Promise<Connection> => {
    const signal = AbortSignal.timeout(5000)
    const will = { topic: 'x', payload: '', delay: 0 }
    const login = { ...{ clientId: 's1', protocol, keepAlive: 60, sessionExpiry: 0 }, will }
    return connect(await directly('127.0.0.1', port, signal), login, () => undefined, signal)
  }
  return { open, [Symbol.dispose]: () => server.close() }
}

t.test(
  'no more is on the way at once than the broker takes, in order, and the end of the connection ends the wait',
  async t => {
    const properties = { receiveMaximum: 3, maximumPacketSize: 1000 }
    const seen: string[] = []
    let [flying, most] = [0, 0]
    const answer = async (packet: Packet, say: Say) => {
      if (packet.cmd === 'connect') say({ cmd: 'connack', reasonCode: 0, sessionPresent: false, properties })
      if (packet.cmd !== 'publish') return
      flying += 1
      most = Math.max(most, flying)
      seen.push(packet.payload.toString())
      // A turn late, so that what is sent meanwhile is on the way with the others.
      await turn()
      flying -= 1
      say({ cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode: 0 })
    }
    using strict = await broker(5, (packet, _, say) => void answer(packet, say))
    const connection = await strict.open()
    const numbers = Array.from({ length: 40 }, (_, n) => String(n))
    await Promise.all(numbers.map(n => connection.publish('x', n)))
    t.same(seen, numbers)
    t.equal(most, 3)
    await t.rejects(connection.publish('x', 'x'.repeat(1000)), {
      message: /bytes, and the broker takes 1000/,
    })
    const left = numbers.map(n => connection.publish('x', n))
    connection.destroy()
    const ends = await Promise.allSettled(left)
    t.ok(
      ends.some(({ status }) => status === 'rejected'),
      'nobody waits for ever',
    )
  },
)

t.test(
  'no message, however large, costs more memory than a document may: the connection ends, and says why',
  async t => {
    let sent = 0
    using endless = await broker(4, ({ cmd }, socket, say) => {
      if (cmd !== 'connect') return
      say({ cmd: 'connack', returnCode: 0, sessionPresent: false })
      // The beginning of one of 256 MB, which never ends.
      socket.write(Buffer.from([0x32, 0xff, 0xff, 0xff, 0x7f]))
      const more = () => {
        while (socket.writable && socket.write(Buffer.alloc(65_536))) sent += 65_536
      }
      socket.on('drain', more)
      more()
    })
    const { reason, detail } = await (await endless.open()).over
    t.equal(reason, 'lost')
    const finding = findingOf('mqtt://b', new Error(detail))
    t.match(finding, {
      code: 'broker-message-too-large',
      detail: 'b: a message of more than 1048576 bytes came',
    })
    t.ok(sent < 16_000_000, `${String(sent)} bytes`)
  },
)

t.test('what is no MQTT ends the connection, and nothing else', async t => {
  const nonsense = ['6200', '620100', '4000', '9000', 'b000', '32020001', '3400', 'f000', '7000', '50020001']
  for (const protocol of [4, 5] as const)
    for (const hex of nonsense) {
      using odd = await broker(protocol, ({ cmd }, socket, say) => {
        if (cmd !== 'connect') return
        say({ cmd: 'connack', returnCode: 0, reasonCode: 0, sessionPresent: false })
        setImmediate(() => socket.end(Buffer.from(hex, 'hex')))
      })
      const ended = await odd.open().then(connection => connection.over, String)
      t.ok(ended, `${hex}, MQTT ${String(protocol)}`)
    }
})
