import { Bus, type BusSignal, variant } from './bus.ts'
import { demand, integer, matching, optional } from './checks.ts'
import { isSupplicantError, SupplicantError } from './errors.ts'
import { SupplicantInterface } from './interface.ts'
import { demandInterface, type InterfaceSettings } from './interface-settings.ts'
import { type LinkChange, Links } from './links.ts'

const SERVICE = 'fi.w1.wpa_supplicant1'
const ROOT = '/fi/w1/wpa_supplicant1'
const PROPERTIES = 'org.freedesktop.DBus.Properties'

/**
 * `gone`: every interface handle is dead. `returned`: start again with `interface()`; nothing of the old is left.
 * `link-back`: a link that was taken out of the machine is there again, and with it the name of an interface.
 */
export type SupplicantEvent =
  { kind: 'gone'; error: SupplicantError } | { kind: 'returned' } | { kind: 'link-back'; name: string }

export interface SupplicantOptions {
  /** Milliseconds for every D-Bus call; 5000. */
  deadline?: number
  /** The `ip` command used to watch carriers, with its options, e.g. `['ip', '-n', 'sensor']`. */
  ip?: readonly string[]
}

/** Log levels of the supplicant, property `DebugLevel`. */
export type LogLevel = 'excessive' | 'msgdump' | 'debug' | 'info' | 'warning' | 'error'

const busAddress = matching(/^[a-z]+:[^]+$/, 'a D-Bus address, e.g. unix:path=/run/dbus/system_bus_socket')
const callDeadline = integer(1, 600_000, 'milliseconds')
const systemBus = (): string => {
  const named = process.env['DBUS_SYSTEM_BUS_ADDRESS'] ?? ''
  return named === '' ? 'unix:path=/run/dbus/system_bus_socket' : named
}

/**
 * Connects to the supplicant at a bus address (`unix:path=…`; the system bus when undefined). Rejects with
 * `bus-unreachable`. A supplicant that is not running is no error: see `present`.
 */
export async function connectSupplicant(
  address: string = systemBus(),
  options: SupplicantOptions = {},
  signal?: AbortSignal,
): Promise<Supplicant> {
  demand('address', address, busAddress)
  demand('deadline', options.deadline, optional(callDeadline))
  const supplicant = new Supplicant(address, options)
  await supplicant.connect(signal)
  return supplicant
}

/** wpa_supplicant on one message bus. Survives its death and the bus's: both come back as `returned`. */
export class Supplicant implements AsyncDisposable {
  readonly #address: string
  readonly #deadline: number
  readonly #links: Links
  readonly #listeners = new Set<(event: SupplicantEvent) => void>()
  readonly #interfaces = new Map<string, SupplicantInterface>()
  readonly #missed = new Set<string>()
  #bus: Bus | undefined
  #owner: string | undefined
  #disposed = false
  #reconnect: NodeJS.Timeout | undefined

  constructor(address: string, options: SupplicantOptions = {}) {
    this.#address = address
    this.#deadline = options.deadline ?? 5_000
    this.#links = new Links(options.ip)
    this.#links.on(change => {
      this.#linked(change)
    })
  }

  /** Used by `connectSupplicant`; afterwards connections are made anew by themselves. */
  async connect(signal?: AbortSignal): Promise<void> {
    const bus = await Bus.connect(this.#address, this.#deadline, signal)
    // What is heard before the owner is known is looked at afterwards: it may be the news that there is a new one.
    const early: BusSignal[] = []
    let listener = (message: BusSignal): unknown => early.push(message)
    try {
      bus.onSignal(message => listener(message))
      const [, , owner] = await Promise.all([
        bus.match(`type='signal',sender='${SERVICE}'`),
        bus.match(`type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='${SERVICE}'`),
        bus.owner(SERVICE),
      ])
      if (this.#disposed) throw new SupplicantError('bus-closed', 'disposed meanwhile')
      this.#bus = bus
      this.#owner = owner
    } catch (error) {
      await bus[Symbol.asyncDispose]()
      throw error
    }
    listener = message => {
      this.#signal(message)
    }
    early.forEach(listener)
    bus.onClose(error => {
      this.#bus = undefined
      this.#lost(error)
      this.#again(100)
    })
  }

  /** Whether the supplicant is on the bus at this moment. */
  get present(): boolean {
    return this.#owner !== undefined
  }

  /** Resolves as soon as the supplicant is on the bus. */
  async whenPresent(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.present) return
    await new Promise<void>((resolve, reject) => {
      const abort = () => {
        subscription[Symbol.dispose]()
        reject(signal.reason as Error)
      }
      const subscription = this.on(event => {
        if (event.kind !== 'returned') return
        subscription[Symbol.dispose]()
        signal.removeEventListener('abort', abort)
        resolve()
      })
      signal.addEventListener('abort', abort, { once: true })
    })
  }

  on(listener: (event: SupplicantEvent) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /**
   * The named interface: created, or taken over when the supplicant has it already (whoever made it). Session resumption
   * is switched off, so that every join is a full authentication. Rejects with
   * `supplicant-absent`, `invalid-argument`, or `refused` where the supplicant cannot use the link with this driver.
   */
  async interface(settings: InterfaceSettings): Promise<SupplicantInterface> {
    demandInterface(settings)
    const [path] = await Promise.all([this.#create(settings), this.#links.ready()])
    const known = this.#interfaces.get(path)
    if (known !== undefined) return known
    const handle = new SupplicantInterface(settings, path, {
      call: this.call.bind(this),
      links: this.#links,
    })
    this.#interfaces.set(path, handle)
    try {
      await handle.begin()
      return handle
    } catch (error) {
      // Asked for again, it is to be begun again.
      this.#interfaces.delete(path)
      handle.end(
        new SupplicantError('interface-gone', `${handle.name} could not be taken up`, { cause: error }),
      )
      throw error
    }
  }

  /** Takes the interface out of the supplicant with all its blocks and blobs. */
  async remove(handle: SupplicantInterface): Promise<void> {
    await this.call(ROOT, SERVICE, 'RemoveInterface', 'o', [handle.path])
    this.#drop(handle.path)
  }

  /** What this build can do, e.g. `ap`, `pmf`, `sae`, `owe` and the EAP methods. */
  async capabilities(): Promise<{ capabilities: string[]; eapMethods: string[]; interfaces: string[] }> {
    const properties = await this.#properties()
    return {
      capabilities: strings(properties['Capabilities']),
      eapMethods: strings(properties['EapMethods']),
      interfaces: strings(properties['Interfaces']),
    }
  }

  async logLevel(): Promise<string> {
    return String((await this.#properties())['DebugLevel'])
  }

  async setLogLevel(level: LogLevel): Promise<void> {
    await this.call(ROOT, PROPERTIES, 'Set', 'ssv', [SERVICE, 'DebugLevel', variant('s', level)])
  }

  /** One raw call to the supplicant. */
  async call(
    path: string,
    name: string,
    member: string,
    signature = '',
    body: unknown[] = [],
  ): Promise<unknown[]> {
    if (this.#bus === undefined)
      throw new SupplicantError('bus-closed', `the message bus at ${this.#address} is not there`)
    return await this.#bus.call({ destination: SERVICE, path, interface: name, member, signature, body })
  }

  /** What is held at this moment; the leak tests compare it before and after. */
  counts(): { pending: number; listeners: number; interfaces: number; children: number } {
    const bus = this.#bus?.counts() ?? { pending: 0, listeners: 0 }
    const links = this.#links.counts()
    return {
      pending: bus.pending,
      listeners: bus.listeners + this.#listeners.size + links.listeners,
      interfaces: this.#interfaces.size,
      children: links.children,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    clearTimeout(this.#reconnect)
    this.#listeners.clear()
    this.#links[Symbol.dispose]()
    await this.#bus?.[Symbol.asyncDispose]()
  }

  async #create({ name, driver }: InterfaceSettings): Promise<string> {
    const body = { Ifname: variant('s', name), Driver: variant('s', driver) }
    try {
      return String((await this.call(ROOT, SERVICE, 'CreateInterface', 'a{sv}', [body]))[0])
    } catch (error) {
      if (!isSupplicantError(error) || error.dbus !== `${SERVICE}.InterfaceExists`) throw error
      return String((await this.call(ROOT, SERVICE, 'GetInterface', 's', [name]))[0])
    }
  }

  async #properties(): Promise<Record<string, unknown>> {
    return (await this.call(ROOT, PROPERTIES, 'GetAll', 's', [SERVICE]))[0] as Record<string, unknown>
  }

  #signal(message: BusSignal): void {
    if (message.member === 'NameOwnerChanged' && message.body[0] === SERVICE) {
      const owner = message.body[2]
      if (owner === this.#owner) return
      if (this.#owner !== undefined)
        this.#lost(new SupplicantError('supplicant-absent', 'the supplicant left the bus'))
      if (typeof owner === 'string' && owner !== '') {
        this.#owner = owner
        this.#emit({ kind: 'returned' })
      }
    } else if (message.member === 'InterfaceRemoved') this.#drop(String(message.body[0]))
    else this.#interfaces.get(message.path)?.received(message)
  }

  /**
   * The supplicant goes on with a wire that was taken out, over a socket that is dead for good, also after the same adapter is
   * plugged in again: so it is taken out of the supplicant too. A radio it begins anew by itself.
   */
  #linked({ name, gone }: LinkChange): void {
    if (!gone) {
      if (this.#missed.delete(name)) this.#emit({ kind: 'link-back', name })
      return
    }
    this.#missed.add(name)
    for (const handle of [...this.#interfaces.values()]) {
      if (handle.name !== name || handle.medium !== 'wired') continue
      this.#drop(handle.path, `${name} was taken out of the machine`)
      this.call(ROOT, SERVICE, 'RemoveInterface', 'o', [handle.path]).catch(() => undefined)
    }
  }

  #drop(path: string, why?: string): void {
    const handle = this.#interfaces.get(path)
    this.#interfaces.delete(path)
    handle?.end(new SupplicantError('interface-gone', why ?? `the supplicant no longer has ${handle.name}`))
  }

  #lost(error: SupplicantError): void {
    const wasPresent = this.#owner !== undefined
    this.#owner = undefined
    for (const handle of [...this.#interfaces.values()]) handle.end(error)
    this.#interfaces.clear()
    if (wasPresent) this.#emit({ kind: 'gone', error })
  }

  #emit(event: SupplicantEvent): void {
    for (const listener of [...this.#listeners]) listener(event)
  }

  #again(delay: number): void {
    if (this.#disposed) return
    this.#reconnect = setTimeout(() => {
      this.connect().then(
        () => {
          if (this.present) this.#emit({ kind: 'returned' })
        },
        () => {
          this.#again(Math.min(delay * 2, 5_000))
        },
      )
    }, delay)
  }
}

const strings = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : [])
