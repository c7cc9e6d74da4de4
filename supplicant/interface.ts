import type { Blob, NetworkBlock } from './block.ts'
import { type BusSignal, variant } from './bus.ts'
import type { Medium } from './attempt.ts'
import { country as countryCode, demand } from './checks.ts'
import { isSupplicantError, type SupplicantError } from './errors.ts'
import type { LinkChange, Links } from './links.ts'
import { NetworkBlocks, type NetworkEntry } from './networks.ts'
import { eventsOf, type InterfaceEvent, propertyEvents, type State } from './signals.ts'
import type { InterfaceSettings } from './interface-settings.ts'

const INTERFACE = 'fi.w1.wpa_supplicant1.Interface'
const NETWORK = 'fi.w1.wpa_supplicant1.Network'
const PROPERTIES = 'org.freedesktop.DBus.Properties'

/** What a listener of an interface is told: the supplicant's signals, the carrier, and the handle's own end. */
export type InterfaceNews =
  | InterfaceEvent
  | { kind: 'carrier'; up: boolean }
  | { kind: 'enabled'; enabled: boolean }
  | { kind: 'gone'; error: SupplicantError }

/** The actual state of an interface, read out of the supplicant. */
export interface InterfaceFacts {
  state: State
  currentNetwork: NetworkEntry | undefined
  networks: NetworkEntry[]
  blobs: string[]
  authMode: string | undefined
  carrier: boolean | undefined
}

export interface Connection {
  call(path: string, name: string, member: string, signature?: string, body?: unknown[]): Promise<unknown[]>
  links: Links
}

/** One interface of the supplicant. The handle dies (`gone`) with the interface, the supplicant or the bus. */
export class SupplicantInterface {
  readonly settings: InterfaceSettings
  readonly path: string
  readonly #connection: Connection
  readonly #listeners = new Set<(news: InterfaceNews, at: number) => void>()
  readonly #linking: Disposable
  readonly #blocks: NetworkBlocks
  #link: { up: boolean | undefined; enabled: boolean | undefined }
  #state: State = 'unknown'
  #current: string | undefined
  #gone: SupplicantError | undefined
  /** What was heard while the properties are being read, by reading. */
  readonly #meanwhile = new Set<InterfaceEvent[]>()

  /** Made by `Supplicant.interface`. */
  constructor(settings: InterfaceSettings, path: string, connection: Connection) {
    this.settings = settings
    this.path = path
    this.#connection = connection
    this.#blocks = new NetworkBlocks(this)
    this.#link = { up: this.carrier, enabled: connection.links.enabled(settings.name) }
    this.#linking = connection.links.on(change => {
      if (change.name === settings.name) this.#linked(change)
    })
  }

  get name(): string {
    return this.settings.name
  }

  /** By the driver: the supplicant has one for wires. */
  get medium(): Medium {
    return this.settings.driver === 'wired' ? 'wired' : 'wireless'
  }

  /** The supplicant's last word; it stays `completed` over carrier loss and a failed re-authentication. */
  get state(): State {
    return this.#state
  }

  /** Object path of the selected network block. */
  get currentNetwork(): string | undefined {
    return this.#current
  }

  /** undefined where it is not known. */
  get carrier(): boolean | undefined {
    return this.#connection.links.carrier(this.name)
  }

  /** Whether the interface is up, and its radio not blocked; undefined where it is not known. */
  get enabled(): boolean | undefined {
    if (this.#state === 'interface_disabled') return false
    return this.#connection.links.enabled(this.name)
  }

  /** Why this handle is dead, or undefined while it lives. */
  get gone(): SupplicantError | undefined {
    return this.#gone
  }

  /** `at` is `performance.now()` of the signal's arrival. Dispose to end the subscription. */
  on(listener: (news: InterfaceNews, at: number) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** Called by `Supplicant` once: reads the interface and sets what is ours to set. */
  async begin(): Promise<void> {
    const { country } = this.settings
    const [properties] = await Promise.all([this.refresh(), this.setFastReauth(false)])
    // SAE also by hash-to-element, which WPA3 access points may insist on; older supplicants do not know it.
    if ('SaePwe' in properties) await this.#set(this.path, INTERFACE, 'SaePwe', variant('s', '2'))
    if (country !== undefined) await this.setCountry(country)
  }

  /** Everything the supplicant has on this interface. */
  async read(): Promise<InterfaceFacts> {
    const properties = await this.refresh()
    const networks = await this.#blocks.entries()
    const mode = properties['CurrentAuthMode']
    return {
      state: this.#state,
      currentNetwork: networks.find(network => network.path === this.#current),
      networks,
      blobs: Object.keys(record(properties['Blobs'])),
      authMode: typeof mode === 'string' && mode !== 'INACTIVE' ? mode : undefined,
      carrier: this.carrier,
    }
  }

  async networks(): Promise<NetworkEntry[]> {
    await this.refresh()
    return await this.#blocks.entries()
  }

  /**
   * Puts blobs and block into the supplicant, each only where it is missing, and gives the block's object path.
   * A block with the same `id_str` and another content is replaced; but of a block that was there before this handle,
   * the secrets cannot be compared, because the supplicant never gives them back. Rejects with `invalid-block` naming
   * the key.
   */
  async install(block: NetworkBlock, blobs: readonly Blob[] = []): Promise<string> {
    return await this.#blocks.install(block, blobs)
  }

  /** No error when it is not there any more. */
  async removeNetwork(path: string): Promise<void> {
    await this.#blocks.remove(path)
  }

  /** A blob of this name that is there already is left as it is: name blobs by their fingerprint. */
  async addBlob(blob: Blob): Promise<void> {
    await this.#blocks.addBlob(blob)
  }

  /** No error when it is not there any more. */
  async removeBlob(name: string): Promise<void> {
    await this.#blocks.removeBlob(name)
  }

  /** Disables every other block. Does nothing for a block that is selected and associated already. */
  async select(path: string): Promise<void> {
    await this.call('SelectNetwork', 'o', [path])
  }

  /**
   * Has the supplicant forget the keys (PMKs) that it keeps of a block's access points, which would let it join without
   * EAP and without SAE. There is no call for it; any changed value does it, and these mean nothing to a station.
   */
  async forgetKeys(path: string): Promise<void> {
    const set = (value: number) =>
      this.#set(path, NETWORK, 'Properties', variant('a{sv}', { beacon_int: variant('i', value) }))
    await Promise.all([set(100), set(101)])
  }

  async enable(path: string, enabled = true): Promise<void> {
    await this.#set(path, NETWORK, 'Enabled', variant('b', enabled))
  }

  /** Ends the association; does not close an authenticated port. No error when there is none. */
  async disconnect(): Promise<void> {
    try {
      await this.call('Disconnect')
    } catch (error) {
      if (!isSupplicantError(error) || error.dbus !== 'fi.w1.wpa_supplicant1.NotConnected') throw error
    }
  }

  /** Goes over to another access point of the selected network. */
  async roam(bssid: string): Promise<void> {
    await this.call('Roam', 's', [bssid])
  }

  /** Sends the EAPOL-Start that the supplicant would hold back for two seconds. */
  async logon(): Promise<void> {
    await this.call('EAPLogon')
  }

  /** Sends EAPOL-Logoff: the only thing that closes an authenticated wired port at once. */
  async logoff(): Promise<void> {
    await this.call('EAPLogoff')
  }

  /** One call on the interface object; rejects with the reason when the handle is dead. */
  async call(member: string, signature = '', body: unknown[] = []): Promise<unknown[]> {
    if (this.#gone !== undefined) throw this.#gone
    return await this.#connection.call(this.path, INTERFACE, member, signature, body)
  }

  /** All properties of one of the interface's objects, e.g. a BSS. */
  async properties(path: string, name: string): Promise<Record<string, unknown>> {
    if (this.#gone !== undefined) throw this.#gone
    return record((await this.#connection.call(path, PROPERTIES, 'GetAll', 's', [name]))[0])
  }

  /** ISO 3166 country of the regulatory domain, wireless only. */
  async setCountry(country: string): Promise<void> {
    demand('country', country, countryCode)
    await this.#set(this.path, INTERFACE, 'Country', variant('s', country))
  }

  /**
   * Whether TLS sessions may be resumed. Off, every join shows certificate and key anew: only so does a join prove a
   * renewed certificate.
   */
  async setFastReauth(on: boolean): Promise<void> {
    await this.#set(this.path, INTERFACE, 'FastReauth', variant('b', on))
  }

  /**
   * Asks for State. The supplicant holds changed properties back for 5 ms, but sends them after any call: this call
   * brings a change that is due, as a signal, that much sooner.
   */
  async nudge(): Promise<void> {
    await this.#connection.call(this.path, PROPERTIES, 'Get', 'ss', [INTERFACE, 'State'])
  }

  /** Reads the interface's properties anew. A signal that came with the answer in one piece is heard before that: it holds. */
  async refresh(): Promise<Record<string, unknown>> {
    const meanwhile: InterfaceEvent[] = []
    this.#meanwhile.add(meanwhile)
    const reading = this.properties(this.path, INTERFACE)
    const properties = await reading.finally(() => this.#meanwhile.delete(meanwhile))
    const { Networks: networks } = properties as { Networks?: unknown }
    this.#blocks.listed(Array.isArray(networks) ? networks.map(String) : [], meanwhile)
    for (const event of [...propertyEvents(properties), ...meanwhile]) this.#learn(event)
    return properties
  }

  /** Called by `Supplicant` with each signal of this object. */
  received(signal: BusSignal): void {
    for (const event of eventsOf(signal)) {
      for (const events of this.#meanwhile) events.push(event)
      this.#blocks.changed(event)
      this.#learn(event)
      this.#tell(event, signal.at)
    }
  }

  #learn(event: InterfaceEvent): void {
    if (event.kind === 'state') this.#state = event.state
    if (event.kind === 'current-network') this.#current = event.network === '/' ? undefined : event.network
  }

  /** Called by `Supplicant` when the interface is no more. */
  end(error: SupplicantError): void {
    if (this.#gone !== undefined) return
    this.#gone = error
    this.#state = 'unknown'
    this.#current = undefined
    this.#linking[Symbol.dispose]()
    this.#tell({ kind: 'gone', error }, performance.now())
    this.#listeners.clear()
  }

  #linked({ carrier: up, enabled }: LinkChange): void {
    const before = this.#link
    this.#link = { up, enabled }
    const at = performance.now()
    if (before.enabled !== enabled) this.#tell({ kind: 'enabled', enabled }, at)
    if (before.up !== up) this.#tell({ kind: 'carrier', up }, at)
  }

  #tell(news: InterfaceNews, at: number): void {
    for (const listener of [...this.#listeners]) listener(news, at)
  }

  async #set(path: string, name: string, property: string, value: unknown): Promise<void> {
    if (this.#gone !== undefined) throw this.#gone
    await this.#connection.call(path, PROPERTIES, 'Set', 'ssv', [name, property, value])
  }
}

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
