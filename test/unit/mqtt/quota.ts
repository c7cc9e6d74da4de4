/** How much goes over a connection at once: a broker that says what it takes (mosquitto says it, and takes more), and one that sends too much. */
import { once } from 'node:events'
import net from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import mqttPacket, { type Packet } from 'mqtt-packet'
import t from 'tap'
import { connect, type Connection } from '../../../agent/mqtt/connection.ts'
import { findingOf } from '../../../agent/mqtt/findings.ts'
import { directly } from '../../../agent/mqtt/socket.ts'

/** Answers a turn late, so that what is sent meanwhile is on the way with the others. */
function strict(properties: { receiveMaximum: number; maximumPacketSize: number }) {
  const seen: string[] = []
  let [flying, most] = [0, 0]
  const server = net.createServer(socket => {
    const parser = mqttPacket.parser({ protocolVersion: 5 })
    const say = (packet: Packet) => socket.write(mqttPacket.generate(packet, { protocolVersion: 5 }))
    const answer = async (packet: Packet) => {
      if (packet.cmd === 'connect') say({ cmd: 'connack', reasonCode: 0, sessionPresent: false, properties })
      if (packet.cmd !== 'publish') return
      flying += 1
      most = Math.max(most, flying)
      seen.push(packet.payload.toString())
      await turn()
      flying -= 1
      say({ cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode: 0 })
    }
    parser.on('packet', packet => void answer(packet))
    socket.on('data', data => parser.parse(data)).on('error', () => undefined)
  })
  return { server, seen, most: () => most }
}

t.test(
  'no more is on the way at once than the broker takes, in order, and the end of the connection ends the wait',
  async t => {
    const broker = strict({ receiveMaximum: 3, maximumPacketSize: 1000 })
    broker.server.listen(0, '127.0.0.1')
    await once(broker.server, 'listening')
    const { port } = broker.server.address() as net.AddressInfo
    const signal = AbortSignal.timeout(5000)
    const will = { topic: 'x', payload: '', delay: 0 }
    const login = { ...{ clientId: 's1', protocol: 5 as const, keepAlive: 60, sessionExpiry: 0 }, will }
    const open = async (): Promise<Connection> =>
      connect(await directly('127.0.0.1', port, signal), login, () => undefined, signal)
    const connection = await open()
    const numbers = Array.from({ length: 40 }, (_, n) => String(n))
    await Promise.all(numbers.map(n => connection.publish('x', n)))
    t.same(broker.seen, numbers)
    t.equal(broker.most(), 3)
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
    broker.server.close()
  },
)

t.test(
  'no message, however large, costs more memory than a document may: the connection ends, and says why',
  async t => {
    const server = net.createServer(socket => {
      const parser = mqttPacket.parser()
      parser.on('packet', ({ cmd }) => {
        if (cmd !== 'connect') return
        socket.write(mqttPacket.generate({ cmd: 'connack', returnCode: 0, sessionPresent: false }))
        // The beginning of one of 256 MB, which never ends.
        socket.write(Buffer.from([0x32, 0xff, 0xff, 0xff, 0x7f]))
        const more = () => {
          while (socket.writable && socket.write(Buffer.alloc(65_536))) sent += 65_536
        }
        socket.on('drain', more)
        more()
      })
      socket.on('data', data => parser.parse(data)).on('error', () => undefined)
    })
    let sent = 0
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const signal = AbortSignal.timeout(5000)
    const will = { topic: 'x', payload: '', delay: 0 }
    const login = { ...{ clientId: 's1', protocol: 4 as const, keepAlive: 60, sessionExpiry: 0 }, will }
    const connection = await connect(
      await directly('127.0.0.1', port, signal),
      login,
      () => undefined,
      signal,
    )
    const { reason, detail } = await connection.over
    t.equal(reason, 'lost')
    const finding = findingOf('mqtt://b', new Error(detail))
    t.match(finding, {
      code: 'broker-message-too-large',
      detail: 'b: a message of more than 1048576 bytes came',
    })
    t.ok(sent < 16_000_000, `${String(sent)} bytes`)
    server.close()
  },
)
