import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connectSupplicant, type Supplicant, type SupplicantInterface } from '../../../supplicant/index.ts'
import { type Bus, bus, supplicant } from '../bus.ts'
import type { Daemon } from '../daemon.ts'
import type { FailureReport } from '../lab.ts'
import { sweep } from '../namespace.ts'
import { Site } from '../site.ts'
import { layCables, ports } from '../topology.ts'
import type { RadiusSettings } from './radius.ts'

/** How the switch authenticates: hostapd's own EAP server with these files, or a RADIUS server on its loopback. */
export interface AuthenticatorSettings {
  eap?: { ca: string; certificate: string; key: string; users?: string; more?: string }
  /** Seconds between re-authentications; 0 never. */
  reauthPeriod?: number
}

const SECRET = 'testing123'

/**
 * The smallest lab for the library: a sensor with wpa_supplicant on a bus of its own, and a switch port at which
 * hostapd is started and stopped at will. Built of the large lab's parts; nothing of SCEP, DHCP or MQTT.
 */
export class SupplicantLab implements AsyncDisposable {
  readonly site: Site
  readonly bus: Bus
  readonly supplicant: Daemon
  #authenticator: Daemon | undefined
  #radius: Daemon | undefined
  #tls: Daemon | undefined
  #count = 0

  private constructor(site: Site, dbus: Bus, daemon: Daemon) {
    this.site = site
    this.bus = dbus
    this.supplicant = daemon
  }

  /** With a tap test, the logs follow on standard error when it has failed. */
  static async raise(t?: FailureReport): Promise<SupplicantLab> {
    await sweep()
    const site = new Site(undefined)
    t?.teardown(() => {
      if (!t.passing()) process.stderr.write(`${site.tails()}\n`)
    })
    try {
      await site.spaces.create()
      await layCables(site.spaces, { ports: ports.slice(0, 1), management: false })
      const dbus = await bus(site)
      return new SupplicantLab(site, dbus, await supplicant(site, dbus.address))
    } catch (error) {
      await site[Symbol.asyncDispose]()
      throw error
    }
  }

  /** The `ip` command as it sees the sensor's links. */
  get ip(): string[] {
    return ['ip', '-n', this.site.spaces.name('sensor')]
  }

  /** The library, connected, with eth0 as a wired interface. */
  async connect(): Promise<{ wpa: Supplicant; eth0: SupplicantInterface }> {
    const wpa = await connectSupplicant(this.bus.address, { ip: this.ip })
    await wpa.whenPresent(AbortSignal.timeout(5_000))
    return { wpa, eth0: await wpa.interface({ name: 'eth0', driver: 'wired' }) }
  }

  /** hostapd at the port, in place of the one before, so that nobody is remembered; answers EAPOL when this resolves. */
  async authenticator({ eap, reauthPeriod = 0 }: AuthenticatorSettings): Promise<Daemon> {
    await this.noAuthenticator()
    const folder = this.site.folder
    await writeFile(join(folder, 'users'), eap?.users ?? '* TLS\n')
    const own = `eap_server=1
eap_user_file=${join(folder, 'users')}
ca_cert=${eap?.ca ?? ''}
server_cert=${eap?.certificate ?? ''}
private_key=${eap?.key ?? ''}
${eap?.more ?? ''}`
    const radius = `own_ip_addr=127.0.0.1
auth_server_addr=127.0.0.1
auth_server_port=1812
auth_server_shared_secret=${SECRET}`
    const common = `interface=swp1
driver=wired
ieee8021x=1
eapol_version=2
eap_reauth_period=${reauthPeriod}
use_pae_group_addr=1
ctrl_interface=${join(folder, 'hostapd')}`
    await writeFile(join(folder, 'hostapd.conf'), `${common}\n${eap === undefined ? radius : own}\n`)
    if (this.#authenticator === undefined)
      this.#authenticator = await this.site.daemon({
        name: 'hostapd',
        role: 'switch',
        command: 'hostapd',
        args: [join(folder, 'hostapd.conf')],
        ready: /AP-ENABLED/,
      })
    else await this.#authenticator.start()
    return this.#authenticator
  }

  async noAuthenticator(): Promise<void> {
    await this.#authenticator?.stop()
  }

  /** Starts our RADIUS server on the switch's loopback, in place of the one before. */
  async radius(settings: Partial<Omit<RadiusSettings, 'secret'>> = {}): Promise<Daemon> {
    await this.#radius?.[Symbol.asyncDispose]()
    const main = fileURLToPath(new URL('radius-main.ts', import.meta.url))
    const loader = fileURLToPath(new URL('../../setup/typescript.mjs', import.meta.url))
    const complete: RadiusSettings = { secret: SECRET, method: 13, ...settings }
    this.#radius = await this.site.daemon({
      name: `radius-${(this.#count += 1)}`,
      role: 'switch',
      command: process.execPath,
      args: ['--import', loader, main, JSON.stringify(complete)],
      ready: /ready/,
    })
    return this.#radius
  }

  /** The RADIUS server dies; hostapd is not told. */
  async killRadius(): Promise<void> {
    this.#radius?.kill('SIGKILL')
    await this.#radius?.ended
  }

  /** Starts the TLS behind the RADIUS server, which sends its alerts; gives the socket it listens on. */
  async tls(files: { ca: string; certificate: string; key: string }, version = 'tls1_2'): Promise<string> {
    await this.#tls?.[Symbol.asyncDispose]()
    const socket = join(this.site.folder, `tls-${(this.#count += 1)}`)
    const verify = ['-CAfile', files.ca, '-Verify', '3', '-verify_return_error', `-${version}`]
    this.#tls = await this.site.daemon({
      name: `s_server-${this.#count}`,
      role: 'switch',
      command: 'openssl',
      args: [
        's_server',
        '-unix',
        socket,
        '-cert',
        files.certificate,
        '-key',
        files.key,
        '-CAfile',
        files.ca,
        ...verify,
      ],
      ready: /ACCEPT/,
    })
    return socket
  }

  /** Pulls the cable out at the switch, or puts it back. */
  async cable(state: 'up' | 'down'): Promise<void> {
    await this.site.spaces.ip('switch', [`link set swp1 ${state}`])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.site[Symbol.asyncDispose]()
  }
}
