/** Waiting with an end. */

/** Resolves when `signal` aborts; never rejects. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })

/** Aborts after `ms` or with `signal`, and leaves nothing on `signal` behind. */
export function deadline(ms: number, signal: AbortSignal): { signal: AbortSignal } & Disposable {
  const controller = new AbortController()
  const follow = (): void => controller.abort(signal.reason)
  const timer = setTimeout(() => controller.abort(new Error(`no answer within ${String(ms / 1000)} s`)), ms)
  if (signal.aborted) follow()
  signal.addEventListener('abort', follow)
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', follow)
    },
  }
}

/** A look at the signal that no earlier look decides for the compiler. */
export const isOver = (signal: AbortSignal): boolean => signal.aborted
