/**
 * The joins of one port. A switch may take a minute to begin with 802.1X after the link is up: the step that joins ends and says so
 * when it is time to, and the attempt goes on asking, so that the authenticator is met when it comes, not when the next try is due.
 * Another network's join ends it.
 */
import {
  type Attempt,
  type Blob,
  isSupplicantError,
  join,
  type Joined,
  type JoinOptions,
  type NetworkBlock,
  type SupplicantInterface,
  type WatchEvent,
} from '../../supplicant/index.ts'
import { radiusPatience } from '../core/setback.ts'
import type { Frequencies } from '../frequencies.ts'
import type { NetworkHistory } from '../types.ts'
import { Lookout, outOfRange, type Target } from './lookout.ts'

export interface JoiningOptions {
  kind: 'wired' | 'wireless'
  frequencies: Frequencies
  /** What steps of this network failed for want of, or of all networks, may be there: nobody waits for it any more. */
  relieved: (codes: readonly string[], network?: string) => void
  /** What is remembered of a network. */
  history: (network: string) => NetworkHistory
}

/** What is said of a port where nothing came back, not where somebody refused us: another cable may lead elsewhere. */
const ofTheCable = [
  ...['no-carrier', 'interface-disabled', 'no-authenticator'],
  ...['radius-silent', 'eap-stalled', 'eap-slow', 'port-not-open'],
]

export class Joining {
  readonly #options: JoiningOptions
  #open: OpenAttempt | undefined
  #lookout: Lookout | undefined

  constructor(options: JoiningOptions) {
    this.#options = options
  }

  /** Takes up the attempt that is open for the same block, or begins one. Rejects with a SupplicantError. */
  async join(
    handle: SupplicantInterface,
    target: Target,
    block: NetworkBlock,
    blobs: Blob[],
    signal: AbortSignal,
  ): Promise<Joined> {
    const { frequencies, history } = this.#options
    this.#lookNoMore()
    if (this.#open?.handle !== handle || !isSame(this.#open.target, target) || this.#open.isPast) {
      await this.end()
      const deadlines = { radiusSlow: radiusPatience(history(target.network)) }
      const options = { blobs, deadlines, frequencies: await frequencies.of(block.ssid) }
      this.#open = new OpenAttempt(handle, target, block, options, this.#options)
    }
    const open = this.#open
    try {
      const joined = await open.result(signal)
      void frequencies.learn(handle, block.ssid)
      return joined
    } catch (error) {
      if (isSupplicantError(error, ...outOfRange)) await this.#lookOut(handle, target, block)
      throw error
    } finally {
      if (open.over && this.#open === open) this.#open = undefined
    }
  }

  /** Ends the attempt that is open, if it is one of these; all are meant where none is named. */
  async end(targets?: readonly Target[]): Promise<void> {
    const isMeant = ({ target }: { target: Target }): boolean =>
      targets?.some(one => isSame(one, target)) !== false
    const open = this.#open
    if (this.#lookout && isMeant(this.#lookout)) this.#lookNoMore()
    if (open === undefined || !isMeant(open)) return
    this.#open = undefined
    await open.end()
  }

  /** A cable that is pulled ends the wait before the next try, which says so and is there when it is plugged in again. */
  happened({ kind }: WatchEvent): void {
    const isCable = kind === 'carrier-lost' || kind === 'carrier-back'
    if (isCable && this.#options.kind === 'wired') this.#options.relieved(ofTheCable)
  }

  async #lookOut(handle: SupplicantInterface, target: Target, { ssid }: NetworkBlock): Promise<void> {
    const known = await this.#options.frequencies.of(ssid)
    // Looking everywhere takes as long as the next try, which does so itself.
    if (ssid === undefined || known.length === 0) return
    this.#lookout = new Lookout(target, handle, ssid, known, () => {
      this.#options.relieved(outOfRange, target.network)
    })
  }

  #lookNoMore(): void {
    this.#lookout?.[Symbol.dispose]()
    this.#lookout = undefined
  }

  /** What was joined is lost: that nobody has taken it up yet makes no difference. */
  lost(): void {
    if (this.#open?.over === true) this.#open = undefined
  }
}

const isSame = (one: Target, other: Target): boolean =>
  one.network === other.network && one.revision === other.revision

class OpenAttempt {
  readonly handle: SupplicantInterface
  readonly target: Target
  over = false
  readonly #stop = new AbortController()
  readonly #outcome: Promise<Joined>
  readonly #relieved: JoiningOptions['relieved']
  /** Of the step that waits. */
  #giveUp: ((error: unknown) => void) | undefined
  #told = false

  constructor(
    handle: SupplicantInterface,
    target: Target,
    block: NetworkBlock,
    options: JoinOptions,
    { kind, relieved }: JoiningOptions,
  ) {
    this.handle = handle
    this.target = target
    this.#relieved = relieved
    const onSilence = (error: unknown): void => {
      this.#told = false
      this.#giveUp?.(error)
    }
    const whole = {
      ...options,
      onProgress: (attempt: Attempt) => {
        this.#progress(attempt)
      },
      ...(kind === 'wired' && { onSilence }),
    }
    this.#outcome = join(handle, block, whole, this.#stop.signal).finally(() => (this.over = true))
    this.#outcome.catch(() => undefined)
  }

  /** It ended while nobody waited, and without a word from the other side: that says nothing of now. */
  get isPast(): boolean {
    return this.over && !this.#told
  }

  /** How it ends, or the error to be told of meanwhile. */
  async result(signal: AbortSignal): Promise<Joined> {
    const abort = (): void => {
      this.#stop.abort(signal.reason)
    }
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
    try {
      return await new Promise<Joined>((resolve, reject) => {
        this.#giveUp = reject
        this.#outcome.then(resolve, reject)
      })
    } finally {
      this.#giveUp = undefined
      signal.removeEventListener('abort', abort)
    }
  }

  async end(): Promise<void> {
    this.#stop.abort()
    await this.#outcome.catch(() => undefined)
  }

  /** EAP has begun and the step had ended: the next one takes it up. */
  #progress({ times }: Attempt): void {
    if (this.#told || this.#giveUp !== undefined || times['eap-started'] === undefined) return
    this.#told = true
    this.#relieved(['no-authenticator'])
  }
}
