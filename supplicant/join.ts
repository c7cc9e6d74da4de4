import {
  advance,
  type Attempt,
  type AttemptNews,
  beginAttempt,
  DEADLINES,
  type Deadlines,
  nextDeadline,
  type Passphrase,
} from './attempt.ts'
import { type Blob, type NetworkBlock, usesEap } from './block.ts'
import { demand, frequencies, milliseconds, optional, shape } from './checks.ts'
import { isSupplicantError, type JoinFailure, SupplicantError } from './errors.ts'
import type { SupplicantInterface } from './interface.ts'
import { heard, scan } from './scan.ts'

export interface JoinOptions {
  blobs?: readonly Blob[]
  /** Overrides of `DEADLINES`; `noAuthenticator: Infinity` keeps trying until the signal ends it. */
  deadlines?: Partial<Deadlines>
  /** MHz where the network was met before: the radio looks there first, and everywhere only when it is not there. */
  frequencies?: readonly number[]
  /** Told after every event, e.g. to show progress; what it throws ends the join. */
  onProgress?: (attempt: Attempt) => void
}

export interface Joined {
  /** Object path of the network block. */
  network: string
  attempt: Attempt
  /** From SelectNetwork to the open port. */
  ms: number
}

/** A lost EAPOL-Start is followed by another within this time, as long as the authenticator may be starting up. */
const PACE = { eager: 800, patient: 5_000, eagerUntil: 95_000 }

/**
 * Joins one network: installs the block where it is missing, selects it, and resolves when the port is open. Rejects
 * with a `SupplicantError` whose code says how it ended and whose `attempt` has the evidence for `triage`; the
 * interface is then disconnected. One join at a time: a second one waits for the first.
 */
export async function join(
  target: SupplicantInterface,
  block: NetworkBlock,
  options: JoinOptions = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Joined> {
  signal.throwIfAborted()
  demand('join.deadlines', options.deadlines, optional(deadlines))
  demand('join.frequencies', options.frequencies, optional(frequencies))
  const before = queue.get(target)
  let done: () => void = () => undefined
  const turn = new Promise<void>(resolve => (done = resolve))
  queue.set(target, turn)
  try {
    await before
    const network = await target.install(block, options.blobs)
    await Promise.all([
      target.medium === 'wireless' ? target.forgetKeys(network) : undefined,
      lookWhereItWas(target, block, options.frequencies ?? [], signal),
    ])
    signal.throwIfAborted()
    const attempt = beginAttempt(usesEap(block), options.deadlines, passphraseOf(block), target.medium)
    return await attemptOn(target, network, attempt, options, signal)
  } catch (error) {
    throw await withOffers(target, block, error)
  } finally {
    if (queue.get(target) === turn) queue.delete(target)
    done()
  }
}

const deadlines = shape(
  Object.fromEntries(Object.keys(DEADLINES).map(name => [name, optional(milliseconds)])),
)

const queue = new WeakMap<SupplicantInterface, Promise<void>>()

/** Whether a join of this interface is under way: what it says meanwhile belongs to that. */
export const isJoining = (target: SupplicantInterface): boolean => queue.has(target)

/** The supplicant takes up what it has heard in the last seconds; only without that it scans all channels. */
async function lookWhereItWas(
  target: SupplicantInterface,
  { ssid }: NetworkBlock,
  frequencies: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  if (frequencies.length === 0 || ssid === undefined || target.medium === 'wired') return
  const known = scan(target, { frequencies, ssids: [ssid], deadline: 3_000 }, signal)
  await known.catch(() => undefined)
}

function passphraseOf({ psk, sae_password: sae, key_mgmt: management }: NetworkBlock): Passphrase {
  if (psk === undefined && sae === undefined) return 'none'
  return management.split(' ').includes('SAE') ? 'sae' : 'psk'
}

/** What is not found may be in range and not fit: then triage needs to know what is offered. */
async function withOffers(
  target: SupplicantInterface,
  { ssid }: NetworkBlock,
  error: unknown,
): Promise<unknown> {
  if (!isSupplicantError(error, 'not-found') || error.attempt === undefined || ssid === undefined)
    return error
  const name = Buffer.from(ssid)
  const all = await heard(target).catch(() => [])
  const offers = all.filter(bss => bss.age <= 30 && name.equals(bss.ssid))
  return joinError(target.name, 'not-found', { ...error.attempt, offers })
}

async function attemptOn(
  target: SupplicantInterface,
  network: string,
  first: Attempt,
  options: JoinOptions,
  signal: AbortSignal,
): Promise<Joined> {
  const run = new Run(target, network, first, options)
  try {
    return await run.result(signal)
  } catch (error) {
    if (target.gone === undefined) await target.disconnect().catch(() => undefined)
    throw error
  } finally {
    run[Symbol.dispose]()
  }
}

/** The effects of one attempt: it listens, keeps the two timers, and makes the calls that the fold calls for. */
class Run implements Disposable {
  readonly #target: SupplicantInterface
  readonly #network: string
  readonly #options: JoinOptions
  readonly #wired: boolean
  readonly #subscription: Disposable
  #attempt: Attempt
  #start = performance.now()
  #selected = false
  #carrierAt = this.#start
  #deadline: NodeJS.Timeout | undefined
  #again: NodeJS.Timeout | undefined
  #settle: { resolve: (joined: Joined) => void; reject: (error: unknown) => void } | undefined

  constructor(target: SupplicantInterface, network: string, attempt: Attempt, options: JoinOptions) {
    this.#target = target
    this.#network = network
    this.#wired = target.medium === 'wired'
    this.#attempt = {
      ...attempt,
      ...(this.#wired && target.carrier !== undefined ? { carrier: target.carrier } : {}),
      down: target.enabled === false,
    }
    this.#options = options
    this.#subscription = target.on((news, at) => {
      if (news.kind === 'gone') this.#settle?.reject(news.error)
      else if (news.kind === 'carrier' || news.kind === 'enabled') {
        if (this.#wired || news.kind === 'enabled') this.#next(news, at)
      }
      // What was on its way before our own selection belongs to what was joined before.
      else if (this.#selected) this.#next(news, at)
      else if (news.kind === 'selected' && news.network === this.#network) {
        this.#selected = true
        this.#next(news, at)
      }
    })
  }

  readonly #fail = (error: unknown): void => {
    this.#settle?.reject(error)
  }

  async result(signal: AbortSignal): Promise<Joined> {
    const abort = () => this.#settle?.reject(signal.reason)
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
    clearTimeout(this.#again)
    this.#settle = undefined
  }

  #next(news: AttemptNews, at = performance.now()): void {
    if (this.#attempt.outcome !== undefined) return
    const before = this.#attempt
    this.#attempt = advance(before, { ...news, ms: Math.max(0, at - this.#start) })
    try {
      this.#options.onProgress?.(this.#attempt)
    } catch (error) {
      this.#fail(error)
    }
    const { outcome } = this.#attempt
    if (outcome?.kind === 'joined')
      this.#settle?.resolve({ network: this.#network, attempt: this.#attempt, ms: outcome.ms })
    else if (outcome?.kind === 'failed')
      this.#settle?.reject(joinError(this.#target.name, outcome.code, this.#attempt))
    else this.#react(news, before)
  }

  #react(news: AttemptNews, before: Attempt): void {
    this.#armDeadline()
    if (news.kind === 'carrier' && news.up && before.carrier === false) {
      this.#carrierAt = performance.now()
      this.#select('reselect')
    } else if (this.#attempt.times['eap-started'] !== undefined) {
      clearTimeout(this.#again)
      if (this.#wired && this.#attempt.stage === 'authenticated') this.#target.nudge().catch(this.#fail)
    } else if (news.kind === 'state' && news.state === 'associated' && this.#attempt.eap && this.#wired)
      this.#logon()
  }

  // Disconnecting first makes the selection take effect also when the network is selected already, spares the 100 ms
  // which the supplicant waits when it changes networks by itself, and resets its count of unanswered EAPOL-Starts,
  // without which the third one would be followed by 60 s of silence. A logoff outlives the disconnection, and has to
  // be taken back before the link is up again: afterwards the Start would be held back as if nothing had been said.
  #select(act: 'select' | 'reselect'): void {
    clearTimeout(this.#again)
    const disconnect = act === 'reselect' || this.#target.state !== 'disconnected'
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

const SENTENCES: Record<JoinFailure, string> = {
  rejected: 'the server rejected the authentication',
  'radius-silent': 'EAP started but was never answered to the end',
  'no-authenticator': 'nobody answered with EAP',
  'parameter-needed': 'the supplicant asked for a secret or could not read a key, certificate or CA',
  'no-carrier': 'the link has no carrier',
  'interface-disabled': 'the interface is down, or its radio is blocked',
  'not-found': 'the network was not found',
  'association-rejected': 'the access point refused the association',
  'access-point-lost': 'the access point was lost on the way',
  'wrong-passphrase': 'the access point did not accept the passphrase',
  'handshake-timeout': 'the port did not open',
}

const joinError = (name: string, code: JoinFailure, attempt: Attempt): SupplicantError =>
  new SupplicantError(code, `${name}: ${SENTENCES[code]}`, { attempt })
