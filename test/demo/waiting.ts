/** Waiting for what may never come. */
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

/** The agent ends only when it is told to: rejects when it ends. */
export async function ended(sensor: Sensor): Promise<never> {
  await sensor.process.ended
  throw new Error(`the agent ended:\n${sensor.process.output.tail(10)}`)
}
