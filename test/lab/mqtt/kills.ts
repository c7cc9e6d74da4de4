/**
 * Brokers that die while events are made: every (epoch, number) arrives at least once, first occurrences in order, hardly any
 * is published twice. That is counted where the sensor's publications arrive, in the log of the broker: a consumer also hears
 * again what the broker has handed over to it before, since an acknowledgement of its own can be lost in the same moment. (A
 * broker hands over with the lower of two qualities of service, so that a subscription at QoS 2 changes nothing.)
 * mosquitto acknowledges before it saves, so that what nobody was connected to hear dies with a killed one: there the
 * broker keeps nothing, the sensor waits for the consumer, and what is counted is the sensor's own promise. One that ends in
 * good order loses nothing, and a nats-server that is set up as config/nats says loses nothing however it ends: the consumer has a
 * session of its own, and comes back when it likes; another is away all the while, and hears all of it afterwards.
 */
import net from 'node:net'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { Change } from '../../../agent/change.ts'
import { mosquitto, natsThatKeeps, type Broker } from './broker.ts'
import { operator, type Operator } from './operator.ts'
import { sensor, standing, until, type Sensor } from './sensor.ts'

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Way {
  broker: () => Promise<Broker>
  ends: (random: number) => NodeJS.Signals
  /** The sensor waits until the consumer listens. */
  waits: boolean
  protocol: 5 | 4
  /** How often the broker ends for each seed. */
  times: number
  /** Milliseconds it lives longer each time: what is lost with one end is to be counted against enough. */
  calm?: number
  /** The line of its log for each event that it got from the sensor. */
  got: RegExp
}

const mosquittoGot = /: Received PUBLISH from k \(.* 'sonde\/sensors\/k\/events'/
const natsGot = / - "k" - <<- \[PUBLISH sonde\/sensors\/k\/events /

const limitless = 'max_inflight_messages 0'
const nothing = {
  broker: () => mosquitto(['allow_anonymous true', limitless]),
  ends: (random: number) => (random < 0.7 ? 'SIGKILL' : 'SIGTERM') as NodeJS.Signals,
  ...{ waits: true, times: 20, got: mosquittoGot },
}
/** Saves when it ends. */
const saving = ['allow_anonymous true', 'persistence true', 'persistence_location %d/', limitless]
/** NATS calls it lame duck mode: its clients are sent away first, one a second. What it takes meanwhile it does not acknowledge: six events at once. */
const lameDuck = ['lame_duck_duration: "30s"', 'lame_duck_grace_period: "1ms"']

export const ways: Record<string, Way> = {
  'a mosquitto that keeps nothing, over MQTT 5': { ...nothing, protocol: 5 },
  'a mosquitto that keeps nothing, over MQTT 3.1.1': { ...nothing, protocol: 4 },
  'a mosquitto that ends in good order': {
    broker: () => mosquitto(saving),
    ends: () => 'SIGTERM',
    ...{ waits: false, protocol: 5, times: 20, got: mosquittoGot },
  },
  'a nats-server that is killed or told to stop': {
    broker: () => natsThatKeeps(['trace: true']),
    ends: random => (random < 0.5 ? 'SIGKILL' : random < 0.75 ? 'SIGTERM' : 'SIGINT'),
    ...{ waits: false, protocol: 4, times: 20, calm: 250, got: natsGot },
  },
  'a nats-server in lame duck mode': {
    broker: () => natsThatKeeps(['trace: true', ...lameDuck]),
    ends: () => 'SIGUSR2',
    ...{ waits: false, protocol: 4, times: 2, calm: 2000, got: natsGot },
  },
}

/** The share of events that may be published twice. */
const twice = 0.01

/** The broker ends and comes back `way.times` times while events are made. */
export async function brokerKills(t: Test, way: Way, seed: number): Promise<void> {
  t.comment(`seed ${seed}`)
  const random = seeded(seed)
  await using broker = await way.broker()
  const got = broker.counts(way.got)
  await using consumer = await operator(broker.url, [], {
    reconnectPeriod: way.waits ? 10 : 50,
    clean: way.waits,
  })
  // Whom nothing is handed over again acknowledges nothing: a write that finds the connection reset would cost what lies in the socket.
  await consumer.subscribe('sonde/sensors/k/events', way.waits ? 0 : 1)
  if (!way.waits) await (await absent(broker))[Symbol.asyncDispose]()
  await using self = await sensor({
    ...{
      directory: t.testdir(),
      url: broker.url,
      name: 'k',
      protocol: way.protocol,
      backoff: { first: 10, most: 40 },
    },
  })
  const tell = () => standing(self)
  if (way.waits) self.link.arrive(whenHeard(consumer))
  else self.link.arrive()
  await self.link.connected(AbortSignal.timeout(20_000))
  const stop = new AbortController()
  const talking = talk(self.say, stop.signal)
  for (let i = 0; i < way.times; i++) {
    await pause((way.calm ?? 0) + 20 + random() * 80)
    await broker.stop(way.ends(random()))
    await pause(random() * 40)
    await broker.start()
    await self.link.connected(AbortSignal.timeout(20_000))
  }
  stop.abort()
  const made = await talking
  await until(() => self.outbox.size === 0, 20_000, tell)
  await using late = way.waits ? undefined : await absent(broker)
  await judge(t, way, got, consumer, self, made)
  if (late === undefined) return
  await hears(late, made)
  const heard = [...new Set(heardBy(late))]
  t.same(heard, everything(self, made), 'all of it and in order also for who was away all the while')
}

/** A consumer with a session of its own. */
const absent = (broker: Broker): Promise<Operator> =>
  operator(broker.url, ['sonde/sensors/k/events'], { clientId: 'absent' })

/** The events as they arrived. */
const heardBy = ({ received }: Operator): string[] =>
  received.map(({ json }) => `${String(json()['epoch'])}/${String(json()['number'])}`)

/** All of them, or 20 s are over. What it has heard is read only when it may be all. */
const hears = (consumer: Operator, made: number): Promise<void> =>
  until(() => consumer.received.length >= made && new Set(heardBy(consumer)).size === made, 20_000).catch(
    () => undefined,
  )

const everything = ({ outbox }: Sensor, made: number): string[] =>
  Array.from({ length: made }, (_, i) => `${outbox.epoch}/${i + 1}`)

/** What the broker got and the consumer heard of the events 1 to `made`. */
async function judge(
  t: Test,
  { waits }: Way,
  got: () => number,
  consumer: Operator,
  self: Sensor,
  made: number,
): Promise<void> {
  await hears(consumer, made)
  const firsts = [...new Set(heardBy(consumer))]
  t.same(firsts, everything(self, made), `${made} events, each at least once, first occurrences in order`)
  const [duplicates, again] = [got() - made, consumer.received.length - firsts.length]
  t.comment(`${made} events, ${duplicates} published twice, ${again} heard twice`)
  t.ok(duplicates >= 0, 'the broker says of every event that it has come')
  t.ok(duplicates < made * twice, `${duplicates} of ${made} were published twice`)
  // At QoS 0 nothing is handed over again.
  if (waits) t.ok(again < made * twice, `${again} of ${made} were heard twice`)
}

const whenHeard =
  (consumer: Operator) =>
  async (host: string, port: number, signal: AbortSignal): Promise<net.Socket> => {
    while (!consumer.listening()) await pause(2, undefined, { signal })
    const socket = net.connect({ host, port })
    await once(socket, 'connect', { signal })
    return socket
  }

async function talk(say: (text: string) => number, signal: AbortSignal): Promise<number> {
  let made = 0
  const beat = new Change()
  while (!signal.aborted) {
    made = say('still here')
    await beat.beyond(0, 4, signal)
  }
  return made
}
