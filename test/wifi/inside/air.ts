import { readFile, writeFile } from 'node:fs/promises'
import { connectSupplicant, type Supplicant, type SupplicantInterface } from '../../../supplicant/index.ts'
import { type Bus, bus, supplicant } from '../../lab/bus.ts'
import type { Daemon } from '../../lab/daemon.ts'
import { run } from '../../lab/command.ts'
import { countPackets } from '../../lab/counters.ts'
import type { Role } from '../../lab/namespace.ts'
import { type Pki, pki } from '../../lab/pki.ts'
import { Site } from '../../lab/site.ts'
import { layCables } from '../../lab/topology.ts'
import { accessPoint, type EapServer, type Radio } from './access-point.ts'

/** The sensor's radio, and those of the access points. */
export const station = 'wlan1'
export const radios = ['wlan0', 'wlan2', 'wlan3'] as const

/** How strongly mac80211_hwsim has a radio heard unless it is told otherwise, in dBm. */
const strength = -50

/**
 * The laboratory of the wire with radios in place of its port: the sensor's in one namespace, those of the access
 * points in another, where hostapd bridges its stations into the segments.
 */
export class Air implements AsyncDisposable {
  readonly site: Site
  readonly pki: Pki
  readonly bus: Bus
  readonly supplicant: Daemon
  readonly #phys: ReadonlyMap<string, string>
  readonly #points: Daemon[] = []

  private constructor(site: Site, files: Pki, dbus: Bus, daemon: Daemon, phys: ReadonlyMap<string, string>) {
    this.site = site
    this.pki = files
    this.bus = dbus
    this.supplicant = daemon
    this.#phys = phys
  }

  static async raise(): Promise<Air> {
    const site = new Site(undefined)
    try {
      const files = await pki()
      await site.spaces.create()
      await layCables(site.spaces, { ports: [], management: true })
      const phys = new Map([
        [station, await moveRadio(site, station, 'sensor')],
        ...(await Promise.all(
          radios.map(async name => [name, await moveRadio(site, name, 'switch')] as const),
        )),
      ])
      await countPackets(site.spaces, [{ sensor: station, name: radios[0], mac: '' }], true)
      const dbus = await bus(site)
      return new Air(site, files, dbus, await supplicant(site, dbus.address), phys)
    } catch (error) {
      await site[Symbol.asyncDispose]()
      throw error
    }
  }

  /** hostapd's own EAP server with the laboratory's certificate. */
  get eap(): EapServer {
    return { clientCa: this.pki.root, certificate: this.pki.server, key: this.pki.server }
  }

  async accessPoint(radio: Omit<Radio, 'eap'> & Partial<Pick<Radio, 'eap'>>): Promise<Daemon> {
    const point = await accessPoint(this.site, { eap: this.eap, ...radio })
    this.#points.push(point)
    return point
  }

  /** What a scenario does from here on is undone when this is disposed: its access points end, all radios are in range. */
  scene(): AsyncDisposable {
    const before = this.#points.length
    return {
      [Symbol.asyncDispose]: async () => {
        await Promise.all(this.#points.splice(before).map(point => point[Symbol.asyncDispose]()))
        await Promise.all(radios.flatMap(radio => [this.group(radio, 1), this.heardAt(radio, strength)]))
        await this.blocked(station, false)
        await this.site.spaces.ip('sensor', [`link set ${station} up`])
      },
    }
  }

  /** The library, connected. */
  async connect(): Promise<Supplicant> {
    const wpa = await connectSupplicant(this.bus.address, {
      ip: ['ip', '-n', this.site.spaces.name('sensor')],
      deadline: 20_000,
    })
    await wpa.whenPresent(AbortSignal.timeout(20_000))
    return wpa
  }

  /** The sensor's radio in the supplicant. */
  async radio(wpa: Supplicant): Promise<SupplicantInterface> {
    return wpa.interface({ name: station, driver: 'nl80211' })
  }

  /** How strongly a radio is heard, in dBm; mac80211_hwsim's debugfs takes two's complement and no minus sign. */
  async heardAt(radio: string, dBm: number): Promise<void> {
    await this.#knob(radio, 'rx_rssi', String(BigInt.asUintN(64, BigInt(dBm))))
  }

  /** Radios of different groups do not hear each other: far away, without being told. */
  async group(radio: string, group: number): Promise<void> {
    await this.#knob(radio, 'group', String(group))
  }

  /** As by `rfkill block`: the switch belongs to the radio and is seen where the radio is. */
  async blocked(radio: string, blocked: boolean): Promise<void> {
    const script = `for soft in /sys/class/ieee80211/${this.#phys.get(radio) ?? ''}/rfkill*/soft; do echo ${blocked ? 1 : 0} > $soft; done`
    await this.site.spaces.exec('sensor', 'sh', ['-c', script])
  }

  async #knob(radio: string, name: string, value: string): Promise<void> {
    await writeFile(`/sys/kernel/debug/ieee80211/${this.#phys.get(radio) ?? ''}/hwsim/${name}`, value)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.site[Symbol.asyncDispose]()
  }
}

/** Moves a radio with its interface into a namespace; gives the name of its phy. */
async function moveRadio(site: Site, name: string, role: Role): Promise<string> {
  const phy = (await readFile(`/sys/class/net/${name}/phy80211/name`, 'utf8')).trim()
  await run('iw', ['phy', phy, 'set', 'netns', 'name', site.spaces.name(role)])
  return phy
}
