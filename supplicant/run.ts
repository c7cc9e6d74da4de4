import { advance, type Attempt, type AttemptNews } from './attempt.ts'
import { endOf, nextAct, nextDeadline } from './deadlines.ts'
import { joinError, type SupplicantError } from './errors.ts'
import type { SupplicantInterface } from './interface.ts'

export interface Joined {
  /** Object path of the network block. */
  network: string
  attempt: Attempt
  /** From SelectNetwork to the open port. */
  ms: number
}

export interface RunOptions {
  /** Told after every event, e.g. to show progress; what it throws ends the join. */
  onProgress?: (attempt: Attempt) => void
  /**
   * Told when `noAuthenticator` has passed, and each time it has passed again. With it such an attempt does not fail: it goes on
   * until EAP begins or the signal ends it.
   */
  onSilence?: (error: SupplicantError) => void
}

/** A lost EAPOL-Start is followed by another within this time, as long as the authenticator may be starting up. */
const PACE = { eager: 800, patient: 5_000, eagerUntil: 95_000 }

/** The effects of one attempt: it listens, keeps the timers, and makes the calls that the fold calls for. */
export class Run implements Disposable {
  readonly #target: SupplicantInterface
  readonly #network: string
  readonly #options: RunOptions
  readonly #wired: boolean
  readonly #patience: number
  readonly #subscription: Disposable
  #attempt: Attempt
  #start = performance.now()
  /** Selections of ours that the supplicant has not told of: what it says before belongs to what was joined before. */
  #unselected = 0
  #carrierAt = this.#start
  #deadline: NodeJS.Timeout | undefined
  #act: NodeJS.Timeout | undefined
  #again: NodeJS.Timeout | undefined
  /** Why the join is not wanted any more. */
  #abandoned: { reason: unknown; ms: number } | undefined
  #end: NodeJS.Timeout | undefined
  #settle: { resolve: (joined: Joined) => void; reject: (error: unknown) => void } | undefined

  constructor(target: SupplicantInterface, network: string, attempt: Attempt, options: RunOptions) {
    this.#target = target
    this.#network = network
    this.#wired = target.medium === 'wired'
    this.#attempt = {
      ...attempt,
      ...(this.#wired && target.carrier !== undefined ? { carrier: target.carrier } : {}),
      down: target.enabled === false,
    }
    this.#options = options
    this.#patience = attempt.deadlines.noAuthenticator
    this.#subscription = target.on((news, at) => {
      if (news.kind === 'gone') this.#settle?.reject(news.error)
      else if (news.kind === 'carrier' || news.kind === 'enabled') {
        if (this.#wired || news.kind === 'enabled') this.#next(news, at)
      } else if (news.kind === 'selected' && news.network === this.#network) {
        this.#unselected = Math.max(0, this.#unselected - 1)
        if (this.#unselected === 0) this.#next(news, at)
      } else if (this.#unselected === 0) this.#next(news, at)
    })
  }

  readonly #fail = (error: unknown): void => {
    this.#settle?.reject(error)
  }

  async result(signal: AbortSignal): Promise<Joined> {
    const abort = () => this.#abandon(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    try {
      return await new Promise<Joined>((resolve, reject) => {
        this.#settle = { resolve, reject }
        if (this.#target.gone !== undefined) reject(this.#target.gone)
        else this.#select('select')
      })
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
    clearTimeout(this.#deadline)
    clearTimeout(this.#act)
    clearTimeout(this.#again)
    clearTimeout(this.#end)
    this.#settle = undefined
  }

  #abandon(reason: unknown): void {
    this.#abandoned = { reason, ms: performance.now() - this.#start }
    this.#armEnd()
  }

  #armEnd(): void {
    clearTimeout(this.#end)
    if (this.#abandoned === undefined) return
    const { reason, ms } = this.#abandoned
    const wait = this.#wired ? endOf(this.#attempt, ms) - (performance.now() - this.#start) : 0
    if (wait <= 0) this.#fail(reason)
    else
      this.#end = setTimeout(() => {
        this.#fail(reason)
      }, Math.ceil(wait))
  }

  #next(news: AttemptNews, at = performance.now()): void {
    if (this.#attempt.outcome !== undefined) return
    const before = this.#attempt
    this.#attempt = this.#afterSilence(
      before,
      advance(before, { ...news, ms: Math.max(0, at - this.#start) }),
    )
    try {
      this.#options.onProgress?.(this.#attempt)
    } catch (error) {
      this.#fail(error)
    }
    const { outcome } = this.#attempt
    if (outcome?.kind === 'joined')
      this.#settle?.resolve({ network: this.#network, attempt: this.#attempt, ms: outcome.ms })
    else if (outcome?.kind === 'failed')
      this.#fail(this.#abandoned?.reason ?? joinError(this.#target.name, outcome.code, this.#attempt))
    else this.#react(news, before)
  }

  /** An attempt that nobody has answered may go on: see `onSilence`. */
  #afterSilence(before: Attempt, next: Attempt): Attempt {
    const { outcome } = next
    const { onSilence } = this.#options
    if (onSilence === undefined || outcome?.kind !== 'failed' || outcome.code !== 'no-authenticator')
      return next
    onSilence(joinError(this.#target.name, outcome.code, next))
    const { deadlines } = before
    return { ...before, deadlines: { ...deadlines, noAuthenticator: outcome.ms + this.#patience } }
  }

  #react(news: AttemptNews, before: Attempt): void {
    this.#armEnd()
    this.#armDeadline()
    this.#armNext()
    if (news.kind === 'carrier' && news.up && before.carrier === false) {
      this.#carrierAt = performance.now()
      this.#select('reselect')
    } else if (!this.#wired) return
    else if (this.#attempt.times['eap-started'] !== undefined) {
      clearTimeout(this.#again)
      if (this.#attempt.stage === 'authenticated') this.#target.nudge().catch(this.#fail)
    } else if (news.kind === 'state' && news.state === 'associated') this.#associated()
  }

  // Disconnecting first makes the selection take effect also when the network is selected already, spares the 100 ms
  // which the supplicant waits when it changes networks by itself, and resets its count of unanswered EAPOL-Starts,
  // without which the third one would be followed by 60 s of silence. A logoff outlives the disconnection, and has to
  // be taken back before the link is up again: afterwards the Start would be held back as if nothing had been said.
  #select(act: 'select' | 'reselect' | 'restart'): void {
    clearTimeout(this.#again)
    if (this.#abandoned !== undefined) return
    const disconnect = act !== 'select' || this.#target.state !== 'disconnected'
    this.#unselected += 1
    if (act === 'select') this.#start = performance.now()
    else this.#next({ kind: 'act', act })
    const calls = [
      ...(disconnect ? [this.#target.disconnect()] : []),
      ...(this.#attempt.eap ? [this.#target.logon()] : []),
      this.#target.select(this.#network).then(() => this.#target.nudge()),
    ]
    Promise.all(calls).catch(this.#fail)
    this.#armDeadline()
    this.#armAgain()
  }

  /** Nobody hears an EAPOL-Start over a cable that is out, and every one too many counts: hostapd forgets who sends a third. */
  #associated(): void {
    if (this.#attempt.eap && this.#attempt.carrier !== false) this.#logon()
  }

  #logon(): void {
    this.#next({ kind: 'act', act: 'logon' })
    this.#target.logon().catch(this.#fail)
  }

  #armDeadline(): void {
    clearTimeout(this.#deadline)
    const deadline = nextDeadline(this.#attempt)
    if (deadline === undefined || deadline.ms === Infinity) return
    const wait = deadline.ms - (performance.now() - this.#start)
    this.#deadline = setTimeout(
      () => {
        this.#next({ kind: 'tick' })
        if (this.#attempt.outcome === undefined) this.#armDeadline()
      },
      Math.max(1, Math.ceil(wait)),
    )
  }

  #armNext(): void {
    clearTimeout(this.#act)
    const next = nextAct(this.#attempt)
    if (next === undefined || next.ms === Infinity) return
    this.#act = setTimeout(
      () => {
        if (next.act === 'logon') this.#logon()
        else this.#select(next.act)
      },
      Math.max(1, Math.ceil(next.ms - (performance.now() - this.#start))),
    )
  }

  /** On the wire: an EAPOL-Start that got lost. */
  #armAgain(): void {
    if (!this.#attempt.eap || !this.#wired) return
    const eager = performance.now() - this.#carrierAt < PACE.eagerUntil
    this.#again = setTimeout(
      () => {
        if (this.#attempt.carrier === false) this.#armAgain()
        else this.#select('reselect')
      },
      eager ? PACE.eager : PACE.patient,
    )
  }
}
