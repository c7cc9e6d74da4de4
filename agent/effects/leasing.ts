/** Getting an address ends when the port is lost meanwhile: a network that is not there any more would be asked for 15 s. */
import { FINDINGS, isSupplicantError, SupplicantError, type WatchEvent } from '../../supplicant/index.ts'
import { AgentError } from '../errors.ts'
import { either } from '../within.ts'
import { asAgentError } from './findings.ts'

export class Leasing {
  #lost: AbortController | undefined

  /** Rejects with the reason of `lost`. */
  async during<T>(signal: AbortSignal, act: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const lost = new AbortController()
    this.#lost = lost
    using whole = either(signal, lost.signal)
    try {
      return await act(whole.signal)
    } finally {
      if (this.#lost === lost) this.#lost = undefined
    }
  }

  lost(reason: unknown): void {
    this.#lost?.abort(reason)
  }
}

/** What to say of an address that could not be got because of this; undefined where it may come all the same. */
export function lossOf(event: WatchEvent, kind: 'wired' | 'wireless'): unknown {
  switch (event.kind) {
    case 'gone':
      return asAgentError(unlessTakenOut(event.error))
    case 'reauthentication-failed': {
      const { attempt } = event
      const code = attempt.outcome?.kind === 'failed' ? attempt.outcome.code : 'rejected'
      return asAgentError(new SupplicantError(code, 'a re-authentication failed', { attempt }))
    }
    case 'disconnected': {
      const { title, detail, hint, side, retry } = FINDINGS['access-point-lost']
      if (kind === 'wired') return undefined
      return new AgentError({ code: 'access-point-lost', title, detail, hint, side, retry })
    }
    // The switch has locked the port again, however short that was: the step has no point, and the next login looks for the cable.
    case 'carrier-lost':
      return kind === 'wired' ? new DOMException('the link lost its carrier', 'AbortError') : undefined
    case 'carrier-back':
    case 'reauthenticated':
    case 'reconnected':
    case 'roamed':
      return undefined
  }
}

/** An interface that is not there any more is no failure of the network, which waits until it is back: the step is interrupted. */
export const unlessTakenOut = (error: unknown): unknown =>
  isSupplicantError(error, 'interface-gone') ? new DOMException(error.message, 'AbortError') : error
