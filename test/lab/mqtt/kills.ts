/**
 * Brokers that die while events are made. mosquitto acknowledges before it saves: what nobody was connected to hear dies with
 * its memory, and an old database hands out again what was acknowledged long ago. So the broker keeps nothing here, and the
 * sensor waits for the consumer: what is counted is the sensor's own promise.
 */
import net from 'node:net'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { Change } from '../../../agent/change.ts'
import { mosquitto } from './broker.ts'
import { operator } from './operator.ts'
import { sensor, until } from './sensor.ts'

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

/** Kills and restarts the broker `times` times; every event arrives, first occurrences in order, hardly any twice. */
export async function brokerKills(t: Test, times: number, seed: number): Promise<void> {
  t.comment(`seed ${seed}`)
  const random = seeded(seed)
  await using broker = await mosquitto(['allow_anonymous true', 'max_inflight_messages 0'])
  await using consumer = await operator(broker.url, ['sonde/sensors/k/events'], {
    reconnectPeriod: 10,
    clean: true,
  })
  await using self = await sensor({
    directory: t.testdir(),
    url: broker.url,
    name: 'k',
    backoff: { first: 10, most: 40 },
  })
  self.link.arrive(async (host, port, signal) => {
    while (!consumer.listening()) await pause(2, undefined, { signal })
    const socket = net.connect({ host, port })
    await once(socket, 'connect', { signal })
    return socket
  })
  await self.link.connected(AbortSignal.timeout(5000))
  const stop = new AbortController()
  const talking = talk(self.say, stop.signal)
  for (let i = 0; i < times; i++) {
    await pause(20 + random() * 80)
    await broker.stop(random() < 0.7 ? 'SIGKILL' : 'SIGTERM')
    await pause(random() * 40)
    await broker.start()
    await self.link.connected(AbortSignal.timeout(20_000))
  }
  stop.abort()
  const made = await talking
  await until(() => self.outbox.size === 0, 20_000)
  const numbers = () => consumer.received.map(({ json }) => Number(json()['number']))
  await until(() => new Set(numbers()).size === made, 5000).catch(() => undefined)
  const firsts = [...new Set(numbers())]
  t.same(
    firsts,
    Array.from({ length: made }, (_, i) => i + 1),
    `${made} events, each at least once, first occurrences in order`,
  )
  const duplicates = consumer.received.length - firsts.length
  t.comment(`${made} events, ${duplicates} twice, ${times} brokers killed`)
  t.ok(duplicates < made * 0.01, `${duplicates} of ${made} arrived twice`)
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
