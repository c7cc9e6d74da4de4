/** When everything that is retained has come: MQTT does not say. */
import type { Broker } from './broker.ts'

/**
 * Nothing that was retained has come for a moment, which is longer the longer the broker takes to answer (ms); and longer while
 * it has not even begun. What is published meanwhile comes without the mark: a large fleet is never silent. A long document on a
 * slow line is bytes without a packet for a while.
 * @param part bytes of a packet that is not whole yet
 */
export function quiet(broker: Pick<Broker, 'listen'>, part: () => number, answer: number): Promise<void> {
  return new Promise(resolve => {
    const settle = (): void => {
      clearTimeout(timer)
      clearTimeout(latest)
      listening[Symbol.dispose]()
      resolve()
    }
    let bytes = part()
    const look = (): void => {
      const before = bytes
      bytes = part()
      if (bytes === 0 || bytes === before) settle()
      else timer = setTimeout(look, 120 + 2 * answer)
    }
    let timer = setTimeout(look, 250 + 2 * answer)
    const latest = setTimeout(settle, 30_000)
    const listening = broker.listen((_, __, retained) => {
      if (!retained) return
      clearTimeout(timer)
      timer = setTimeout(look, 120 + 2 * answer)
    })
  })
}
