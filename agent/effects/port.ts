/**
 * The sensor's side of one port: the interface in the supplicant, what it is joined to, and the IP path over it.
 * One step at a time works on it (the loop sees to that); what happens between steps arrives as news.
 */
import type { Blob, Joined, NetworkBlock, SupplicantInterface, WatchEvent } from '../../supplicant/index.ts'
import { triage, watch } from '../../supplicant/index.ts'
import { hasGateway, openPath, type DhcpAttempt, type Path } from '../path/index.ts'
import type { Reachability } from '../reachability.ts'
import type { InstalledBlock, InterfaceState, JoinedNetwork, TimelineEvent } from '../types.ts'
import { Absence } from './absence.ts'
import { isOwnBlob, ownBlock } from './block.ts'
import { absent, InstalledBlocks } from './installed.ts'
import { type InterfaceOptions, takeUp } from './interface.ts'
import { Joining, type JoiningOptions } from './joining.ts'
import { leaseFacts, saysRepairs } from './leased.ts'
import { Leasing, lossOf, unlessTakenOut } from './leasing.ts'
import { Standby } from './standby.ts'

export interface PortOptions extends InterfaceOptions, JoiningOptions {
  /** Something happened that the loop should look at. */
  changed: () => void
  say: (event: Omit<TimelineEvent, 'at'>) => void
  now: () => number
  /** Who holds connections over the path: told when there is one, and before it ends. */
  reachability: Pick<Reachability, 'opened' | 'leaving'>
}

export class Port {
  readonly name: string
  readonly #options: PortOptions
  #handle: SupplicantInterface | undefined
  #joined: JoinedNetwork | undefined
  #firstLook = true
  #path: Path | undefined
  #dhcp: DhcpAttempt | undefined
  #blocks: InstalledBlocks | undefined
  #watching: Disposable | undefined
  readonly #joining: Joining
  readonly #leasing = new Leasing()
  /** The DHCP client of the join that comes after this one. */
  readonly standby: Standby
  readonly #absence: Absence
  /** `performance.now()` when the last path was given up. */
  #downSince: number | undefined
  #gap: number | undefined
  /** The address was given up once since the join, because its gateway was not there. */
  #strayed = false

  constructor(options: PortOptions) {
    this.name = options.name
    this.standby = new Standby(options.name)
    this.#absence = new Absence(options.name)
    this.#options = options
    this.#joining = new Joining(options)
  }

  /** The path over the joined network; undefined without a lease. */
  get path(): Path | undefined {
    return this.#path
  }

  get joined(): JoinedNetwork | undefined {
    return this.#joined
  }

  /** Milliseconds between the end of the path before this one and its beginning; undefined for the first. */
  get gap(): number | undefined {
    return this.#gap
  }

  /** Reads the actual state; a supplicant that is not there is a state, not an error. */
  async state(): Promise<InterfaceState> {
    const handle = await this.#open()
    const blocks = handle && this.#blocks && (await this.#absence.over(this.#blocks.read()))
    const { problem } = this.#absence
    if (!blocks) return { name: this.name, supplicant: false, blocks: [], ...(problem && { problem }) }
    const current = blocks.find(block => block.path === handle.currentNetwork)
    // After a restart of the agent the supplicant may still hold the port open: that join counts. Only at the first
    // look: later the state stays `completed` over a lost carrier, which this port has been told of.
    if (handle.state === 'completed' && current && this.#firstLook)
      this.#joined = { network: current.network, revision: current.revision, at: this.#options.now() }
    this.#firstLook = false
    return {
      name: this.name,
      supplicant: true,
      blocks,
      ...(this.#joined && { joined: this.#joined }),
      ...(this.#path && { lease: leaseFacts(this.#path) }),
    }
  }

  async install(block: NetworkBlock, blobs: Blob[]): Promise<void> {
    const path = await (await this.#need()).install(block, blobs)
    this.#blocks?.learn(path, block.id_str)
  }

  /** Logs off at once where the block is in use (S1-16), unless the port is authenticated anew; then takes it and its blobs out. */
  async uninstall(blocks: InstalledBlock[], { anew = false }: { anew?: boolean }): Promise<void> {
    const handle = await this.#need()
    await this.#joining.end(blocks)
    const joined = this.#joined
    // Of one network there may be two: after a renewal the old block goes while the new one is in use. One that nobody waited for any
    // more when it was joined is open all the same.
    const used = blocks.some(({ path, network, revision }) =>
      joined === undefined
        ? handle.state === 'completed' && path === handle.currentNetwork
        : network === joined.network && revision === joined.revision,
    )
    if (used) await this.leave(!anew)
    for (const block of blocks) await handle.removeNetwork(block.path)
    const { networks, blobs } = await handle.read()
    const referred = networks.map(entry => entry.properties['client_cert'])
    for (const blob of blobs)
      if (isOwnBlob(blob) && !referred.includes(`blob://${blob}`)) await handle.removeBlob(blob)
  }

  /** Joins the network of the block, with a DHCP client whose DISCOVER leaves as the port opens. Rejects with a SupplicantError. */
  async join(
    target: Omit<JoinedNetwork, 'at'>,
    block: NetworkBlock,
    blobs: Blob[],
    signal: AbortSignal,
  ): Promise<Joined> {
    const handle = await this.#need()
    if (this.#path) await this.#options.reachability.leaving(this.#path, target.network)
    const closing = this.#closePath()
    closing.catch(() => undefined) // awaited below
    this.#joined = undefined
    const dhcp = this.standby.take()
    dhcp.arm()
    try {
      const joined = await this.#joining.join(handle, target, block, blobs, signal)
      if (!handle.gone) this.#joined = { ...target, at: this.#options.now() }
      // Nothing is sent over the path before any more: it is taken down while the port is authenticated anew, and longer.
      await closing
      if (!this.joined) throw handle.gone ?? new DOMException('the network was lost again', 'AbortError')
      this.#strayed = false
      this.#dhcp = dhcp
      dhcp.kick()
      return joined
    } catch (error) {
      this.#joined = undefined
      await Promise.all([dhcp[Symbol.asyncDispose](), closing])
      throw unlessTakenOut(error)
    }
  }

  /** Gets the lease for the joined network. A failure ends the join: the next try authenticates anew. */
  async lease(signal: AbortSignal): Promise<Path> {
    const attempt = this.#dhcp
    this.#dhcp = undefined
    try {
      const options = { dhcp: true, onEvent: saysRepairs(this.#say), ...(attempt && { attempt }) } as const
      const path = await this.#leasing.during(signal, whole => openPath(this.name, options, whole))
      this.#path = path
      this.#gap = this.#downSince === undefined ? undefined : Math.round(performance.now() - this.#downSince)
      path.lost.addEventListener('abort', () => {
        void this.#lost(path)
      })
      this.#options.reachability.opened(path)
      return path
    } catch (error) {
      this.#joined = undefined
      throw error
    }
  }

  /**
   * Call when something over the path failed. A switch may move a port to another segment after it has opened it, or while it
   * is open: the address is then one of the segment before, whose gateway is not there any more. It is given up, and the loop
   * gets another; once for each join, since a gateway may also be dead.
   */
  async gaveUpStray(signal: AbortSignal): Promise<boolean> {
    const [path, network] = [this.#path, this.#joined?.network]
    if (!path || this.#strayed || (await hasGateway(path, signal)) || this.#path !== path) return false
    this.#strayed = true
    const text = `${path.address} was given up: its gateway ${path.gateway ?? ''} is not on this segment`
    this.#say('address-given-up', 'warning', text, network)
    await this.#closePath()
    return true
  }

  /** Gives up the path and closes the port: EAPOL-Logoff is the one thing that does so at once. */
  async leave(logoff = true): Promise<void> {
    await this.#closePath()
    this.#joined = undefined
    await this.#joining.end()
    const handle = this.#handle
    if (!handle || handle.gone) return
    if (logoff) await absent(handle.logoff())
    await absent(handle.disconnect())
  }

  /** Lets go: nothing of ours is left in the supplicant, and blocks of others are enabled again. */
  async close(): Promise<void> {
    await Promise.all([this.leave(), this.standby.drop()])
    this.#watching?.[Symbol.dispose]()
    this.#blocks?.[Symbol.dispose]()
    const handle = this.#handle
    if (!handle || handle.gone) return
    for (const entry of (await absent(handle.networks())) ?? []) {
      if (ownBlock(entry.path, entry.idStr)) await absent(handle.removeNetwork(entry.path))
      else if (this.#blocks?.asleep.has(entry.path) !== true) await absent(handle.enable(entry.path))
    }
    for (const blob of (await absent(handle.read()))?.blobs ?? [])
      if (isOwnBlob(blob)) await absent(handle.removeBlob(blob))
  }

  async #open(): Promise<SupplicantInterface | undefined> {
    if (this.#handle && !this.#handle.gone) return this.#handle
    const handle = await this.#absence.over(takeUp(this.#options))
    if (handle && handle !== this.#handle) this.#watch(handle)
    return handle
  }

  async #need(): Promise<SupplicantInterface> {
    const handle = await this.#open()
    if (handle) return handle
    throw new DOMException(`${this.name} is not there`, 'AbortError')
  }

  #watch(handle: SupplicantInterface): void {
    this.#watching?.[Symbol.dispose]()
    this.#blocks?.[Symbol.dispose]()
    this.#handle = handle
    this.#blocks = new InstalledBlocks(handle)
    this.standby.prepare()
    this.#watching = watch(handle, event => {
      this.#happened(event)
    })
  }

  /** What happens between steps. State alone lies, so `watch` looks at the carrier and at EAP too. */
  #happened(event: WatchEvent): void {
    const loss = lossOf(event, this.#options.kind)
    if (loss !== undefined) this.#leasing.lost(loss)
    this.#joining.happened(event)
    switch (event.kind) {
      case 'gone':
        void this.#drop(event.error.message)
        break
      case 'carrier-lost':
        void this.#drop('the link lost its carrier')
        break
      case 'reauthentication-failed':
        void this.#drop(`a re-authentication failed: ${triage(event.attempt)?.title ?? 'no answer'}`)
        break
      case 'disconnected':
        void this.#drop('the supplicant was disconnected')
        break
      case 'reauthenticated':
        this.#say('reauthenticated', 'info', 'the port was authenticated again')
        break
      case 'roamed':
        this.#say('roamed', 'info', `roamed to ${event.bss}`)
        break
      case 'reconnected':
        this.#options.changed()
        break
      case 'carrier-back':
    }
  }

  async #drop(why: string): Promise<void> {
    const joined = this.#joined
    this.#joined = undefined
    this.#joining.lost()
    void this.standby.drop()
    if (joined) this.#say('lost', 'warning', `${joined.network} was lost: ${why}`, joined.network)
    await this.#closePath()
    this.#options.changed()
  }

  readonly #say = (
    event: string,
    severity: 'info' | 'warning',
    text: string,
    network = this.#joined?.network,
  ): void => {
    const where = { interface: this.name, ...(network !== undefined && { network }) }
    if (network !== undefined) this.#options.say({ event, severity, text, ...where })
  }

  async #lost(path: Path): Promise<void> {
    if (this.#path !== path) return
    await this.#drop('its address was lost')
  }

  async #closePath(): Promise<void> {
    const [path, dhcp] = [this.#path, this.#dhcp]
    this.#dhcp = undefined
    if (path) {
      this.#downSince = performance.now()
      await this.#options.reachability.leaving(path)
    }
    this.#path = undefined
    await path?.close()
    await dhcp?.[Symbol.asyncDispose]()
  }
}
