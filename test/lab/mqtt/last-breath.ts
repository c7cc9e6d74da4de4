/** What a broker acknowledged before it went away is not sent again. */
import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { onCheckpoint } from '../../../agent/checkpoint.ts'
import { mosquitto } from './broker.ts'
import { operator } from './operator.ts'
import { arrived, sensor, until } from './sensor.ts'

t.test(
  'an acknowledgement that lies in the socket counts, although the next event finds the connection reset',
  async t => {
    await using broker = await mosquitto()
    await using consumer = await operator(broker.url, ['sonde/sensors/s1/events'])
    await using front = await Front.before(broker.port)
    await using self = await sensor({ directory: t.testdir(), url: front.url })
    await arrived(self)
    const heard = () => consumer.received.map(({ json }) => json()['number'])
    for (let round = 1; round <= 3; round++) {
      front.hold()
      const first = self.say('first')
      await until(() => heard().includes(first))
      // The next event is being written: the connection ends when it is on disk, before anybody has looked.
      let struck = false
      using _ = onCheckpoint(name => {
        if (name !== 'write outbox' || struck) return
        struck = true
        process.nextTick(() => {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
          front.endWithWhatIsHeld()
        })
      })
      const second = self.say('second')
      await until(() => self.outbox.size === 0 && heard().includes(second))
      t.ok(struck)
      t.same(heard().slice(2 * (round - 1)), [first, second], `round ${round}: each once`)
    }
  },
)

/** In front of the broker: passes everything on, and holds back what the broker says when it is told to. */
class Front implements AsyncDisposable {
  readonly url: string
  readonly #server: net.Server
  #holding = false
  #waiting: Buffer[] = []
  #sensor: net.Socket | undefined
  #broker: net.Socket | undefined

  static async before(port: number): Promise<Front> {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Front(server, port)
  }

  private constructor(server: net.Server, port: number) {
    this.#server = server
    this.url = `mqtt://127.0.0.1:${(server.address() as net.AddressInfo).port}`
    server.on('connection', sensor => {
      const broker = net.connect(port, '127.0.0.1')
      this.#sensor = sensor
      this.#broker = broker
      sensor.setNoDelay(true).on('data', data => broker.write(data))
      sensor.on('error', () => undefined).on('close', () => broker.destroy())
      broker.on('error', () => undefined).on('close', () => sensor.destroy())
      broker.on('data', data => {
        if (this.#holding) this.#waiting.push(data)
        else sensor.write(data)
      })
    })
  }

  hold(): void {
    this.#holding = true
  }

  /** Within this call: what was held is on its way, and the connection is reset behind it. */
  endWithWhatIsHeld(): void {
    this.#sensor?.write(Buffer.concat(this.#waiting))
    this.#sensor?.resetAndDestroy()
    this.#holding = false
    this.#waiting = []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sensor?.destroy()
    this.#broker?.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
