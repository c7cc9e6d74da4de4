import { type Blob, encode, fromStored, isSame, isSecret, type NetworkBlock, secretsDigest } from './block.ts'
import { type BusSignal, variant } from './bus.ts'
import { isSupplicantError, SupplicantError } from './errors.ts'
import type { Links } from './links.ts'
import { asState, eventsOf, type InterfaceEvent, type State } from './signals.ts'
import type { InterfaceSettings } from './supplicant.ts'

const INTERFACE = 'fi.w1.wpa_supplicant1.Interface'
const NETWORK = 'fi.w1.wpa_supplicant1.Network'
const PROPERTIES = 'org.freedesktop.DBus.Properties'

/** What a listener of an interface is told: the supplicant's signals, the carrier, and the handle's own end. */
export type InterfaceNews =
  InterfaceEvent | { kind: 'carrier'; up: boolean } | { kind: 'gone'; error: SupplicantError }

/** A network block as the supplicant has it. */
export interface NetworkEntry {
  path: string
  idStr: string | undefined
  enabled: boolean
  /** All properties, quotes removed; secrets are replaced by `***`. */
  properties: Record<string, string>
}

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
  readonly #carrier: Disposable
  /** Of each block installed by this handle, by object path. */
  readonly #secrets = new Map<string, string>()
  #state: State = 'unknown'
  #current: string | undefined
  #gone: SupplicantError | undefined

  /** Made by `Supplicant.interface`. */
  constructor(settings: InterfaceSettings, path: string, connection: Connection) {
    this.settings = settings
    this.path = path
    this.#connection = connection
    this.#carrier = connection.links.on(({ name, carrier }) => {
      if (name === settings.name) this.#tell({ kind: 'carrier', up: carrier }, performance.now())
    })
  }

  get name(): string {
    return this.settings.name
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

  /** Why this handle is dead, or undefined while it lives. */
  get gone(): SupplicantError | undefined {
    return this.#gone
  }

  /** `at` is `performance.now()` of the signal's arrival. Dispose to end the subscription. */
  on(listener: (news: InterfaceNews, at: number) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** Everything the supplicant has on this interface. */
  async read(): Promise<InterfaceFacts> {
    const properties = await this.refresh()
    const networks = await this.#entries(properties)
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
    return await this.#entries(await this.refresh())
  }

  /**
   * Puts blobs and block into the supplicant, each only where it is missing, and gives the block's object path.
   * A block with the same `id_str` and another content is replaced; but of a block that was there before this handle,
   * the secrets cannot be compared, because the supplicant never gives them back. Rejects with `invalid-block` naming the key.
   */
  async install(block: NetworkBlock, blobs: readonly Blob[] = []): Promise<string> {
    const encoded = encode(block)
    const [stored] = await Promise.all([this.#stored(await this.refresh()), this.#addBlobs(blobs)])
    const same = stored.filter(entry => fromStored(entry.properties['id_str'] ?? '') === block.id_str)
    const secrets = secretsDigest(block)
    const kept = same.find(
      entry => isSame(entry.properties, block) && (this.#secrets.get(entry.path) ?? secrets) === secrets,
    )
    await Promise.all(same.filter(entry => entry !== kept).map(entry => this.removeNetwork(entry.path)))
    if (kept !== undefined) return kept.path
    try {
      const path = String((await this.call('AddNetwork', 'a{sv}', [encoded]))[0])
      this.#secrets.set(path, secrets)
      return path
    } catch (error) {
      if (!isSupplicantError(error, 'invalid-block')) throw error
      const keys = Object.keys(block).join(', ')
      throw new SupplicantError(
        'invalid-block',
        `network block ${block.id_str} was refused: the supplicant does not know or accept one of ${keys}`,
        { cause: error },
      )
    }
  }

  /** No error when it is not there any more. */
  async removeNetwork(path: string): Promise<void> {
    await ignoring(this.call('RemoveNetwork', 'o', [path]), 'network-unknown', 'interface-unknown')
  }

  async addBlob({ name, bytes }: Blob): Promise<void> {
    await ignoring(this.call('AddBlob', 'say', [name, Buffer.from(bytes)]), 'blob-exists')
  }

  /** No error when it is not there any more. */
  async removeBlob(name: string): Promise<void> {
    await ignoring(this.call('RemoveBlob', 's', [name]), 'blob-unknown')
  }

  /** Disables every other block. Does nothing for a block that is selected and associated already. */
  async select(path: string): Promise<void> {
    await this.call('SelectNetwork', 'o', [path])
  }

  async enable(path: string, enabled = true): Promise<void> {
    await this.#set(path, NETWORK, 'Enabled', variant('b', enabled))
  }

  /** Ends the association; does not close an authenticated port. No error when there is none. */
  async disconnect(): Promise<void> {
    await ignoring(this.call('Disconnect'), 'refused')
  }

  /** A full EAP run on the network that is selected. */
  async reassociate(): Promise<void> {
    await this.call('Reassociate')
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
    await this.#set(this.path, INTERFACE, 'Country', variant('s', country))
  }

  /**
   * Whether TLS sessions and PMKs may be resumed. Off, every join shows certificate and key anew: only so does a join
   * prove a renewed certificate.
   */
  async setFastReauth(on: boolean): Promise<void> {
    await this.#set(this.path, INTERFACE, 'FastReauth', variant('b', on))
  }

  /** Reads the interface's properties anew. */
  async refresh(): Promise<Record<string, unknown>> {
    const properties = await this.properties(this.path, INTERFACE)
    this.#state = asState(properties['State'])
    const current = properties['CurrentNetwork']
    this.#current = typeof current === 'string' && current !== '/' ? current : undefined
    return properties
  }

  /** Called by `Supplicant` with each signal of this object. */
  received(signal: BusSignal): void {
    for (const event of eventsOf(signal)) {
      if (event.kind === 'network-removed') this.#secrets.delete(event.network)
      if (event.kind === 'state') this.#state = event.state
      if (event.kind === 'current-network') this.#current = event.network === '/' ? undefined : event.network
      this.#tell(event, signal.at)
    }
  }

  /** Called by `Supplicant` when the interface is no more. */
  end(error: SupplicantError): void {
    if (this.#gone !== undefined) return
    this.#gone = error
    this.#state = 'unknown'
    this.#current = undefined
    this.#carrier[Symbol.dispose]()
    this.#tell({ kind: 'gone', error }, performance.now())
    this.#listeners.clear()
  }

  #tell(news: InterfaceNews, at: number): void {
    for (const listener of [...this.#listeners]) listener(news, at)
  }

  async #addBlobs(blobs: readonly Blob[]): Promise<void> {
    await Promise.all(blobs.map(blob => this.addBlob(blob)))
  }

  async #entries(properties: Record<string, unknown>): Promise<NetworkEntry[]> {
    return (await this.#stored(properties)).map(({ path, enabled, properties: stored }) => ({
      path,
      enabled,
      idStr: stored['id_str'] === undefined ? undefined : fromStored(stored['id_str']),
      properties: Object.fromEntries(
        Object.entries(stored).map(([key, value]) => [key, isSecret(key) ? '***' : fromStored(value)]),
      ),
    }))
  }

  // Unlike `NetworkEntry` this holds secrets, and values quoted as the supplicant quotes them: it stays in here.
  async #stored(properties: Record<string, unknown>) {
    const paths = Array.isArray(properties['Networks']) ? properties['Networks'].map(String) : []
    return await Promise.all(
      paths.map(async path => {
        const all = await this.properties(path, NETWORK)
        const stored = Object.entries(record(all['Properties'])).map(([key, value]) => [key, String(value)])
        return {
          path,
          enabled: all['Enabled'] === true,
          properties: Object.fromEntries(stored) as Record<string, string>,
        }
      }),
    )
  }

  async #set(path: string, name: string, property: string, value: unknown): Promise<void> {
    if (this.#gone !== undefined) throw this.#gone
    await this.#connection.call(path, PROPERTIES, 'Set', 'ssv', [name, property, value])
  }
}

async function ignoring(call: Promise<unknown>, ...codes: SupplicantError['code'][]): Promise<void> {
  try {
    await call
  } catch (error) {
    if (!isSupplicantError(error, ...codes)) throw error
  }
}

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
