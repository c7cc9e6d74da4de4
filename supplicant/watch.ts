import { advance, type Attempt, beginAttempt, nextDeadline } from './attempt.ts'
import type { SupplicantError } from './errors.ts'
import type { InterfaceNews, SupplicantInterface } from './interface.ts'

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
 * its own, with its own deadline, counted from the first EAP signal.
 */
export function watch(target: SupplicantInterface, listener: (event: WatchEvent) => void): Disposable {
  let attempt: Attempt | undefined
  let began = 0
  let timer: NodeJS.Timeout | undefined
  let reason: number | undefined
  let bss: string | undefined
  let connected = true

  const conclude = (kind: 'reauthenticated' | 'reauthentication-failed') => {
    clearTimeout(timer)
    const ended = attempt
    attempt = undefined
    if (ended !== undefined) listener({ kind, attempt: ended })
  }
  const reauthenticate = (news: InterfaceNews, at: number) => {
    if (news.kind !== 'eap' && news.kind !== 'certificate' && news.kind !== 'request') return
    if (attempt === undefined) {
      began = at
      attempt = beginAttempt(true)
    }
    attempt = advance(attempt, { ...news, ms: at - began })
    if (attempt.outcome?.kind === 'failed') conclude('reauthentication-failed')
    else if (attempt.times.authenticated !== undefined) conclude('reauthenticated')
    else {
      clearTimeout(timer)
      timer = setTimeout(
        tick,
        Math.max(1, Math.ceil((nextDeadline(attempt)?.ms ?? 0) - (performance.now() - began))),
      )
    }
  }
  const tick = () => {
    if (attempt === undefined) return
    attempt = advance(attempt, { kind: 'tick', ms: performance.now() - began })
    if (attempt.outcome !== undefined) conclude('reauthentication-failed')
  }

  const subscription = target.on((news, at) => {
    switch (news.kind) {
      case 'eap':
      case 'certificate':
      case 'request':
        reauthenticate(news, at)
        break
      case 'carrier':
        listener({ kind: news.up ? 'carrier-back' : 'carrier-lost' })
        break
      case 'disconnect-reason':
        reason = news.reason
        break
      case 'bss':
        if (bss !== undefined && news.bss !== '/' && news.bss !== bss)
          listener({ kind: 'roamed', bss: news.bss })
        if (news.bss !== '/') bss = news.bss
        break
      case 'state':
        if (connected && (news.state === 'disconnected' || news.state === 'interface_disabled')) {
          connected = false
          listener({ kind: 'disconnected', reason })
        } else if (!connected && news.state === 'completed') {
          connected = true
          listener({ kind: 'reconnected' })
        }
        break
      case 'gone':
        clearTimeout(timer)
        listener(news)
        break
      case 'selected':
      case 'auth-mode':
      case 'auth-status':
      case 'assoc-status':
      case 'current-network':
      case 'network-added':
      case 'network-removed':
      case 'psk-mismatch':
      case 'scan-done':
        break
    }
  })
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      subscription[Symbol.dispose]()
    },
  }
}
