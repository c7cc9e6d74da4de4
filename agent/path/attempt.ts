import { checkpoint } from '../checkpoint.ts'
import { hasCarrier, interfaceIndex, receivedFrames } from './counters.ts'
import type { DhcpAttempt, DhcpOptions, LeaseWatcher } from './dhcp.ts'
import { PathError } from './errors.ts'
import { ClientLine } from './client-line.ts'
import { forgetInterfaces, ip } from './ip.ts'
import { isolate } from './isolation.ts'
import type { DhcpEvent, Lease } from './lease.ts'
import { onNetworkChange } from './monitor.ts'
import { noLease } from './no-lease.ts'
import { isDiscover } from './udhcpc.ts'

/**
 * Pauses in ms after which a client that was not answered is replaced by a new one, which asks at once. The client is freed
 * at the very moment the port opens and may be a little early: its DISCOVER is lost, or is answered in the segment that the port is
 * leaving, and nobody acknowledges in the next. udhcpc repeats after 1 s at the earliest, waits another one when told to hurry by SIGUSR1,
 * and clings to an offer for 4 s. A new client has a new transaction id, which makes an answer on its way useless, hence few; the last stays.
 */
const repeats = { discovering: [150, 300, 500], requesting: [300, 600] } as const
const releaseDeadlineMs = 300
/** A switch opens its port some ms after it has said so (that of the laboratory 0.4 to 2): a client that is armed would be that much too early. */
const portOpensMs = 5

type Phase = 'held' | 'discovering' | 'requesting' | 'bound' | 'rebinding' | 'released' | 'ended'

export class Attempt implements DhcpAttempt {
  readonly interface: string
  notInForce: readonly string[] = []
  readonly #options: DhcpOptions
  readonly ready: Promise<void>
  readonly #first: Promise<Lease>
  #stand: () => void = () => undefined
  #resolve: (lease: Lease) => void = () => undefined
  #reject: (error: PathError) => void = () => undefined
  readonly #client: ClientLine
  /** The monitor tells nothing about when it listens, so it is started long before there is something to watch. */
  readonly #stopMonitor = onNetworkChange(() => undefined)
  #phase: Phase = 'held'
  #current: Lease | undefined
  /** By the monotonic clock: the time of day jumps when a sensor learns it. */
  #leasedAt = 0
  #watcher: LeaseWatcher | undefined
  #lostBeforeWatched: PathError | undefined
  #released: () => void = () => undefined
  #timers = new Set<NodeJS.Timeout>()
  #repeat: NodeJS.Timeout | undefined
  /** The client stands before its DISCOVER. */
  #announced = false
  /** Messages sent, by what they are. */
  readonly #sent = { discovering: 0, requesting: 0 }
  #offerFrom: string | undefined
  #nak: string | undefined
  #receivedBefore: Promise<number> = Promise.resolve(0)

  constructor(device: string, options: DhcpOptions) {
    this.interface = device
    this.#options = options
    this.#first = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#first.catch(() => undefined)
    this.ready = Promise.race([
      new Promise<void>(resolve => {
        this.#stand = resolve
      }),
      this.#first.then(() => undefined),
    ])
    this.ready.catch(() => undefined)
    this.#client = new ClientLine(device, {
      event: event => {
        this.#event(event)
      },
      progress: line => {
        this.#progress(line)
      },
      exit: detail => {
        this.#exited(detail)
      },
    })
    this.#prepare().catch((error: unknown) => {
      this.#fail(
        error instanceof PathError
          ? error
          : new PathError('dhcp-client-missing', 'its script cannot be written', { cause: error }),
      )
    })
  }

  arm(): void {
    if (this.#phase === 'held') this.#client.arm()
  }

  kick(): void {
    if (this.#phase !== 'held') return
    this.#phase = 'discovering'
    checkpoint('dhcp')
    this.#receivedBefore = receivedFrames(this.interface)
    const { leaseDeadlineMs = 14_000, carrierDeadlineMs = 5_000 } = this.#options
    this.#after(leaseDeadlineMs, () => this.#giveUp(leaseDeadlineMs))
    this.#after(Math.min(carrierDeadlineMs, leaseDeadlineMs - 1), () => this.#checkCarrier(carrierDeadlineMs))
    if (this.#announced)
      this.#after(portOpensMs, () => {
        this.#asked('discovering')
        this.#client.free()
      })
    else this.#client.free()
  }

  async lease(signal: AbortSignal): Promise<Lease> {
    signal.throwIfAborted()
    let onAbort: () => void = () => undefined
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => {
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', onAbort, { once: true })
    })
    try {
      return await Promise.race([this.#first, aborted])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  watch(watcher: LeaseWatcher): void {
    this.#watcher = watcher
    if (this.#lostBeforeWatched !== undefined) watcher.lost(this.#lostBeforeWatched)
  }

  renew(): void {
    if (this.#phase === 'bound') this.#client.signal('SIGUSR1')
  }

  async release(): Promise<void> {
    if (this.#phase !== 'bound') return
    this.#phase = 'released'
    await new Promise<void>(resolve => {
      this.#released = resolve
      this.#after(releaseDeadlineMs, resolve)
      this.#client.signal('SIGUSR2')
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#phase = 'ended'
    this.#clearTimers()
    this.#stopMonitor()
    this.#reject(new PathError('path-closed', `DHCP on ${this.interface} was given up`))
    await this.#client.stop()
  }

  async #prepare(): Promise<void> {
    await interfaceIndex(this.interface)
    forgetInterfaces()
    this.notInForce = await isolate(this.interface)
    await ip(`link set dev ${this.interface} up`)
    await this.#client.start(this.#options)
  }

  /** The client's log tells where the exchange stands; a word that changes there costs only the fast repeats. */
  #progress(line: string): void {
    if (this.#phase === 'held') this.#announced ||= isDiscover(line)
    if (this.#phase !== 'discovering' && this.#phase !== 'requesting') return
    if (isDiscover(line)) this.#asked('discovering')
    else if (/\bselect\b/.test(line)) {
      this.#offerFrom = line.replace(/^udhcpc: /, '')
      this.#asked('requesting')
    }
  }

  #asked(phase: keyof typeof repeats): void {
    this.#phase = phase
    const pause = repeats[phase][this.#sent[phase]]
    this.#sent[phase] += 1
    clearTimeout(this.#repeat)
    if (pause === undefined) return
    this.#repeat = this.#after(pause, () => {
      if (this.#phase === phase) this.#client.replace(this.#options)
    })
  }

  #event(event: DhcpEvent): void {
    switch (event.kind) {
      case 'lease':
        this.#leased(event.lease)
        break
      case 'nak':
        this.#nak = event.message || 'without a reason'
        if (this.#phase === 'bound') this.#lose(`the server refused to renew it: ${this.#nak}`)
        break
      case 'deconfig':
        this.#stand()
        if (this.#phase === 'released') this.#released()
        else if (this.#phase === 'bound') this.#lose('the lease ran out and no server renewed it')
        break
      case 'malformed':
        if (this.#current) this.#lose(event.detail)
        else this.#fail(new PathError('dhcp-bad-lease', `on ${this.interface} ${event.detail}`))
    }
  }

  #leased(lease: Lease): void {
    if (this.#phase === 'ended' || this.#phase === 'released') return
    const before = this.#current
    this.#clearTimers()
    this.#phase = 'bound'
    this.#current = lease
    this.#leasedAt = performance.now()
    if (before === undefined) this.#resolve(lease)
    else if (before.address !== lease.address || before.prefix !== lease.prefix)
      this.#lose(
        `the server gave ${lease.address}/${lease.prefix} instead of ${before.address}/${before.prefix}`,
      )
    else this.#watcher?.renewed(lease)
  }

  #exited(detail: string): void {
    switch (this.#phase) {
      case 'ended':
        return
      case 'released':
        this.#released()
        return
      case 'bound':
        this.#rebind(detail)
        return
      case 'rebinding':
        this.#lose(`the DHCP client ended: ${detail}`)
        return
      case 'held':
      case 'discovering':
      case 'requesting':
        this.#fail(
          new PathError(
            /ENOENT|No such file/.test(detail) ? 'dhcp-client-missing' : 'dhcp-client-failed',
            `udhcpc on ${this.interface}: ${detail}`,
          ),
        )
    }
  }

  /**
   * The client dies at every renewal where it may not bind port 68 (no CAP_NET_BIND_SERVICE). The address stays valid, so a new
   * client asks for it again from the start, by broadcast; only when the lease has run out is it lost.
   */
  #rebind(detail: string): void {
    const lease = this.#current
    if (lease === undefined) return
    const left = this.#leasedAt + Math.max(lease.seconds, 122) * 1000 - performance.now()
    this.#phase = 'rebinding'
    this.#after(Math.min(Math.max(left, 0), 2 ** 31 - 1), () => {
      this.#lose(`the DHCP client ended (${detail}) and the lease could not be had again`)
    })
    this.#client.replace({ ...this.#options, address: lease.address })
  }

  async #checkCarrier(deadline: number): Promise<void> {
    if (this.#phase !== 'discovering' || (await hasCarrier(this.interface))) return
    this.#fail(new PathError('no-carrier', `${this.interface} had no carrier after ${deadline} ms`))
  }

  async #giveUp(deadlineMs: number): Promise<void> {
    const received = (await receivedFrames(this.interface)) - (await this.#receivedBefore)
    const facts = { interface: this.interface, discovers: this.#sent.discovering, refused: this.#nak }
    const awaiting = this.#phase === 'requesting'
    this.#fail(noLease({ ...facts, deadlineMs, taken: this.#offerFrom, awaiting, received }))
  }

  #fail(error: PathError): void {
    this.#clearTimers()
    if (this.#phase !== 'ended') this.#phase = 'ended'
    this.#reject(error)
  }

  #lose(detail: string): void {
    this.#clearTimers()
    this.#phase = 'ended'
    const error = new PathError(
      'lease-lost',
      `${this.#current?.address ?? 'the address'} on ${this.interface}: ${detail}`,
    )
    this.#lostBeforeWatched = error
    this.#watcher?.lost(error)
  }

  #after(ms: number, action: () => void | Promise<void>): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void action()
    }, ms)
    this.#timers.add(timer)
    return timer
  }

  #clearTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
