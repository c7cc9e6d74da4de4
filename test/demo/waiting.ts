/** Waiting for what may never come. */
import type { Lab } from '../lab/lab.ts'
import type { Sensor } from '../lab/sensor.ts'

/** The promise's outcome, or the signal's reason if that comes first. */
export async function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => undefined) // it may fail after the signal, when nobody waits for it any more
  signal.throwIfAborted()
  let abort: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Rejects when the agent ends, or a daemon without which nothing more would be heard; they end only when they are told to. */
export async function ended(sensor: Sensor, lab: Lab): Promise<never> {
  const daemons = [sensor.process, lab.broker.daemon, lab.supplicant, lab.bus.daemon]
  const died = await Promise.race(daemons.map(daemon => daemon.ended.then(() => daemon)))
  throw new Error(`${died === sensor.process ? 'the agent' : died.name} ended:\n${died.output.tail(10)}`)
}
