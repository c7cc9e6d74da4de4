import type { Agent } from 'node:http'
import type { LookupFunction, Socket } from 'node:net'
import { either } from '../within.ts'
import { boundAgents, connectOver, type Binding } from './binding.ts'
import { interfaceIndex } from './counters.ts'
import { startDhcp, type DhcpAttempt, type DhcpOptions } from './dhcp.ts'
import { PathError } from './errors.ts'
import { ip } from './ip.ts'
import type { Lease } from './lease.ts'
import { onNetworkChange } from './monitor.ts'
import { lookupOver } from './resolver.ts'
import { verifyRoute } from './route-check.ts'
import {
  checkInterfaceName,
  configureCommands,
  outdatedCommands,
  prepareCommands,
  removeCommands,
  ruleCommands,
  tableOf,
  type AddressRow,
} from './routing.ts'
import { inspect, type Standing } from './standing.ts'

export type PathEvent =
  | { kind: 'renewed'; lease: Lease }
  /** Somebody else removed a rule, a route or the address; it was put back, and every connection was closed. */
  | { kind: 'repaired'; missing: string }
  | { kind: 'carrier'; up: boolean }
  | { kind: 'lost'; error: PathError }

export interface PathOptions extends DhcpOptions {
  dhcp: true
  /** Number of the interface's own routing table; 7700 + index of the interface unless told. */
  table?: number
  /** A client started earlier by `startDhcp`; it now belongs to the path, also when opening fails. */
  attempt?: DhcpAttempt
  /** For one name lookup, 5 s unless told. */
  lookupDeadlineMs?: number
  onEvent?: (event: PathEvent) => void
}

/** For `http.request` (`https.request` with `wire('https:')`). The agent checks the route before each connection. */
export interface Wire {
  localAddress: string
  family: 4
  lookup: LookupFunction
  agent: Agent
}

/** IP over one interface. Everything opened through it leaves on that interface or fails. */
export interface Path extends AsyncDisposable {
  readonly interface: string
  readonly address: string
  readonly prefix: number
  readonly gateway: string | undefined
  readonly dns: readonly string[]
  readonly ntp: readonly string[]
  readonly lease: Lease
  readonly table: number
  /** See `DhcpAttempt`: while `disable_ipv6` is among them the interface may still speak IPv6 by itself. */
  readonly notInForce: readonly string[]
  /** Aborted with a PathError when the lease is lost, refused or the interface is gone; `path-closed` after `close`. */
  readonly lost: AbortSignal
  /** Names by the network's own name servers, for `net.connect` and the like. */
  readonly lookup: LookupFunction
  wire: (protocol?: 'http:' | 'https:') => Wire
  /** Resolves when a packet to this address (a name is passed over) would leave on this interface; else a PathError. */
  verify: (host: string) => Promise<void>
  connect: (host: string, port: number, signal: AbortSignal) => Promise<Socket>
  /** Asks the DHCP server for a renewal now. */
  renew: () => void
  /** Gives the lease back and removes exactly our address, rules and routes. */
  close: () => Promise<void>
}

class OpenPath implements Path {
  readonly interface: string
  readonly table: number
  readonly address: string
  readonly prefix: number
  readonly lookup: LookupFunction
  readonly #lost = new AbortController()
  readonly lost = this.#lost.signal
  readonly #attempt: DhcpAttempt
  readonly #onEvent: (event: PathEvent) => void
  readonly #binding: Binding
  readonly #agents: ReturnType<typeof boundAgents>
  #lease: Lease
  #stopWatching: () => void
  #looking: Promise<void> | undefined
  #lookAgain = false
  #carrier = true
  #closing: Promise<void> | undefined

  constructor(attempt: DhcpAttempt, table: number, lease: Lease, options: PathOptions) {
    this.#attempt = attempt
    this.interface = attempt.interface
    this.table = table
    this.#lease = lease
    this.address = lease.address
    this.prefix = lease.prefix
    this.#onEvent = options.onEvent ?? (() => undefined)
    const verify = (host: string): Promise<void> => this.verify(host)
    const localAddress = lease.address
    this.lookup = lookupOver({
      servers: () => this.#lease.dns,
      search: () => this.#lease.search,
      localAddress,
      verify,
      deadlineMs: options.lookupDeadlineMs ?? 5_000,
    })
    this.#binding = { localAddress, lookup: this.lookup, verify, sockets: new Set() }
    this.#agents = boundAgents(this.#binding)
    this.#stopWatching = onNetworkChange(() => {
      this.#look()
    })
    attempt.watch({
      renewed: renewed => {
        void this.#renewed(renewed).catch((error: unknown) => {
          this.#lose(error as PathError)
        })
      },
      lost: error => {
        this.#lose(error)
      },
    })
  }

  get notInForce(): readonly string[] {
    return this.#attempt.notInForce
  }
  get lease(): Lease {
    return this.#lease
  }
  get gateway(): string | undefined {
    return this.#lease.gateway
  }
  get dns(): readonly string[] {
    return this.#lease.dns
  }
  get ntp(): readonly string[] {
    return this.#lease.ntp
  }

  wire(protocol: 'http:' | 'https:' = 'http:'): Wire {
    return { localAddress: this.address, family: 4, lookup: this.lookup, agent: this.#agents[protocol] }
  }

  async verify(host: string): Promise<void> {
    this.lost.throwIfAborted()
    await verifyRoute(this.interface, this.table, this.#lease, host)
    this.lost.throwIfAborted()
  }

  async connect(host: string, port: number, signal: AbortSignal): Promise<Socket> {
    using whole = either(signal, this.lost)
    return await connectOver(this.#binding, host, port, whole.signal)
  }

  renew(): void {
    this.#attempt.renew()
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#stopWatching()
    const lostBefore = this.lost.aborted
    this.#end(new PathError('path-closed', `${this.address} on ${this.interface} was given up`))
    if (!lostBefore) await this.#attempt.release()
    await this.#looking
    await ip(...removeCommands(this.interface, this.table, this.#lease))
    await this.#attempt[Symbol.asyncDispose]()
  }

  async #renewed(lease: Lease): Promise<void> {
    const { interface: device, table } = this
    const before = this.#lease
    this.#lease = lease
    await ip(...configureCommands(device, table, lease), ...outdatedCommands(device, table, before, lease))
    this.#onEvent({ kind: 'renewed', lease })
  }

  /** Looks at the facts once, and once more when something changed meanwhile. */
  #look(): void {
    this.#lookAgain = true
    this.#looking ??= (async () => {
      while (this.#lookAgain && !this.lost.aborted) {
        this.#lookAgain = false
        await this.#judge(await inspect(this.interface, this.table, this.#lease))
      }
    })()
      .catch((error: unknown) => {
        this.#lose(error as PathError)
      })
      .finally(() => {
        this.#looking = undefined
      })
  }

  async #judge(standing: Standing): Promise<void> {
    if (this.lost.aborted) return
    if (standing.link === 'gone') {
      this.#lose(new PathError('lease-lost', `the interface ${this.interface} is gone`))
      return
    }
    if (standing.carrier !== this.#carrier) {
      this.#carrier = standing.carrier
      this.#onEvent({ kind: 'carrier', up: standing.carrier })
    }
    if (standing.missing.length === 0) return
    const { interface: device, table } = this
    await ip(...prepareCommands(device, table), ...ruleCommands(table, this.#lease))
    // Closed only now: with the rules back their last packets leave on this interface, or nowhere.
    const missing = standing.missing.join(', ')
    this.#closeSockets(
      new PathError('path-broken', `somebody removed ${missing} of ${this.address} on ${device}`),
    )
    // Address and routes cannot be put back on a link that is down; its coming up is announced.
    if (standing.link === 'down') return
    await ip(...configureCommands(device, table, this.#lease))
    this.#onEvent({ kind: 'repaired', missing })
  }

  #lose(error: PathError): void {
    if (this.lost.aborted) return
    this.#end(error)
    this.#onEvent({ kind: 'lost', error })
  }

  #end(error: PathError): void {
    if (!this.lost.aborted) this.#lost.abort(error)
    this.#closeSockets(error)
    for (const agent of Object.values(this.#agents)) agent.destroy()
  }

  #closeSockets(error: PathError): void {
    for (const socket of this.#binding.sockets) socket.destroy(error)
  }
}

/**
 * Gets an address by DHCP and makes the interface a path: own routing table, rules, address.
 * Rejects with a PathError (see `DhcpAttempt.lease`; also `no-interface`, `no-privilege`, `address-conflict`) or the
 * signal's reason; then nothing is left behind.
 */
export async function openPath(
  interfaceName: string,
  options: PathOptions,
  signal: AbortSignal,
): Promise<Path> {
  const attempt = options.attempt ?? startDhcp(interfaceName, options)
  let table: number | undefined
  /** Set once there is something of it to remove: until then the address may be another path's. */
  let placed: Lease | undefined
  try {
    attempt.kick()
    table = options.table ?? tableOf(await interfaceIndex(checkInterfaceName(interfaceName)))
    const [lease] = await Promise.all([attempt.lease(signal), ip(...prepareCommands(interfaceName, table))])
    await refuseConflict(interfaceName, lease)
    placed = lease
    await ip(...ruleCommands(table, lease), ...configureCommands(interfaceName, table, lease))
    signal.throwIfAborted()
    return new OpenPath(attempt, table, lease, options)
  } catch (error) {
    await attempt.release()
    if (table !== undefined) await ip(...removeCommands(interfaceName, table, placed)).catch(() => undefined)
    await attempt[Symbol.asyncDispose]()
    throw error
  }
}

/** The same address on two interfaces cannot be told apart by rules `from <address>`. */
async function refuseConflict(device: string, lease: Lease): Promise<void> {
  const [rows] = await ip(`address show to ${lease.address}`)
  const other = (rows as AddressRow[]).find(row => row.ifname !== device && (row.addr_info ?? []).length > 0)
  if (other !== undefined)
    throw new PathError(
      'address-conflict',
      `${lease.address} for ${device} is already on ${other.ifname ?? 'another'}`,
    )
}
