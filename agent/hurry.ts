import type { Supplicant } from '../supplicant/index.ts'

/** Milliseconds. A call to a supplicant that hangs lasts 5 s, and letting go takes several. */
const patience = 2_000

/** Once we stop, the supplicant has so long to let go of us: then the bus is closed, which ends every call. */
export function hurry(supplicant: Supplicant, stop: AbortSignal): Disposable {
  let timer: NodeJS.Timeout | undefined
  const stopping = (): void => {
    timer = setTimeout(() => void supplicant[Symbol.asyncDispose](), patience)
  }
  stop.addEventListener('abort', stopping)
  return {
    [Symbol.dispose]: () => {
      stop.removeEventListener('abort', stopping)
      clearTimeout(timer)
    },
  }
}
