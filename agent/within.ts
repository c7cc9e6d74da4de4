/**
 * Reasons to stop, put together. `AbortSignal.any` will not do in a process that runs for years: on Node 20 it leaves something behind
 * on each source (70 bytes for every step, nodejs/node#54614), and it holds an `AbortSignal.timeout` weakly, so that a garbage
 * collection ends the deadline and the wait has no end (nodejs/node#57736).
 */

export interface Whole extends Disposable {
  readonly signal: AbortSignal
}

/** Aborts with any of the signals; leaves nothing on them when it is disposed of. */
export function either(...signals: readonly AbortSignal[]): Whole {
  const end = new AbortController()
  const follow = (event: Event): void => {
    end.abort((event.target as AbortSignal).reason)
  }
  for (const signal of signals) {
    if (signal.aborted) end.abort(signal.reason)
    else signal.addEventListener('abort', follow)
  }
  return {
    signal: end.signal,
    [Symbol.dispose]: () => {
      for (const signal of signals) signal.removeEventListener('abort', follow)
    },
  }
}

/** Aborts after `ms` too, with a DOMException `TimeoutError`. */
export function within(ms: number, ...signals: readonly AbortSignal[]): Whole {
  const late = new AbortController()
  const timer = setTimeout(() => {
    late.abort(new DOMException(`nothing within ${String(ms / 1000)} s`, 'TimeoutError'))
  }, ms)
  const whole = either(...signals, late.signal)
  return {
    signal: whole.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      whole[Symbol.dispose]()
    },
  }
}
