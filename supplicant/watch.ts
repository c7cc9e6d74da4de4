import { advance, type Attempt, beginAttempt } from './attempt.ts'
import { nextDeadline } from './deadlines.ts'
import type { SupplicantError } from './errors.ts'
import type { InterfaceNews, SupplicantInterface } from './interface.ts'
import { isJoining } from './join.ts'
import type { State } from './signals.ts'

/** What can happen to a joined network. After `carrier-back` and `reauthentication-failed` it must be joined again. */
export type WatchEvent =
  | { kind: 'reauthenticated'; attempt: Attempt }
  | { kind: 'reauthentication-failed'; attempt: Attempt }
  | { kind: 'carrier-lost' }
  | { kind: 'carrier-back' }
  | { kind: 'disconnected'; reason: number | undefined }
  | { kind: 'reconnected' }
  | { kind: 'roamed'; bss: string }
  | { kind: 'gone'; error: SupplicantError }

/**
 * Watches a joined interface until disposed or `gone`. State alone lies: it stays `completed` over carrier loss and a
 * failed re-authentication, so EAP signals and the carrier are watched as well. A re-authentication is an attempt of
 * its own, with its own deadline, counted from the first EAP signal. What a `join` of the same interface causes is told
 * by that join, not here.
 */
export function watch(target: SupplicantInterface, listener: (event: WatchEvent) => void): Disposable {
  return new Watch(target, listener)
}

class Watch implements Disposable {
  readonly #target: SupplicantInterface
  readonly #listener: (event: WatchEvent) => void
  readonly #subscription: Disposable
  #attempt: Attempt | undefined
  #began = 0
  #timer: NodeJS.Timeout | undefined
  #reason: number | undefined
  #bss: string | undefined
  #connected = true

  constructor(target: SupplicantInterface, listener: (event: WatchEvent) => void) {
    this.#target = target
    this.#listener = listener
    this.#subscription = target.on((news, at) => {
      this.#heard(news, at)
    })
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#subscription[Symbol.dispose]()
  }

  #heard(news: InterfaceNews, at: number): void {
    if (isJoining(this.#target) && news.kind !== 'carrier' && news.kind !== 'gone') {
      clearTimeout(this.#timer)
      this.#attempt = undefined
      if (news.kind === 'bss' && news.bss !== '/') this.#bss = news.bss
      if (news.kind === 'state') this.#connected = news.state === 'completed'
      return
    }
    switch (news.kind) {
      case 'eap':
      case 'certificate':
      case 'request':
        this.#reauthentication(news, at)
        break
      case 'carrier':
        this.#listener({ kind: news.up ? 'carrier-back' : 'carrier-lost' })
        break
      case 'disconnect-reason':
        this.#reason = news.reason
        break
      case 'bss':
        this.#moved(news.bss)
        break
      case 'state':
        this.#changed(news.state)
        break
      case 'gone':
        clearTimeout(this.#timer)
        this.#listener(news)
        break
      case 'selected':
      case 'auth-mode':
      case 'auth-status':
      case 'assoc-status':
      case 'current-network':
      case 'network-added':
      case 'network-removed':
      case 'blob-removed':
      case 'psk-mismatch':
      case 'scan-done':
      case 'enabled':
        break
    }
  }

  #moved(bss: string): void {
    if (bss === '/') return
    if (this.#bss !== undefined && bss !== this.#bss) this.#listener({ kind: 'roamed', bss })
    this.#bss = bss
  }

  #changed(state: State): void {
    if (this.#connected && (state === 'disconnected' || state === 'interface_disabled')) {
      this.#connected = false
      this.#listener({ kind: 'disconnected', reason: this.#reason })
    } else if (!this.#connected && state === 'completed') {
      this.#connected = true
      this.#listener({ kind: 'reconnected' })
    }
  }

  #reauthentication(
    news: Extract<InterfaceNews, { kind: 'eap' | 'certificate' | 'request' }>,
    at: number,
  ): void {
    if (this.#attempt === undefined) {
      this.#began = at
      this.#attempt = beginAttempt(true, {}, 'none', this.#target.medium)
    }
    this.#attempt = advance(this.#attempt, { ...news, ms: at - this.#began })
    this.#conclude()
  }

  #conclude(): void {
    clearTimeout(this.#timer)
    const attempt = this.#attempt
    if (attempt === undefined) return
    const deadline = nextDeadline(attempt)
    const ended = attempt.outcome !== undefined || attempt.times.authenticated !== undefined
    if (!ended && deadline !== undefined) {
      const wait = deadline.ms - (performance.now() - this.#began)
      this.#timer = setTimeout(
        () => {
          this.#attempt = advance(attempt, { kind: 'tick', ms: performance.now() - this.#began })
          this.#conclude()
        },
        Math.max(1, Math.ceil(wait)),
      )
      return
    }
    this.#attempt = undefined
    const failed = attempt.outcome?.kind === 'failed'
    this.#listener({ kind: failed ? 'reauthentication-failed' : 'reauthenticated', attempt })
  }
}
