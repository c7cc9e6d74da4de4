import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './command.ts'
import type { Daemon } from './daemon.ts'
import { Journal } from './journal.ts'
import { checkout } from './pki.ts'
import { readPortEvent, type Assignment, type PortEvent } from './port-control.ts'
import { sharedSecret } from './radius.ts'
import type { Site } from './site.ts'
import { addresses, closed, type Port, type Segment } from './topology.ts'

export type SwitchOptions = {
  ports: readonly Port[]
  /** Where the users of an EAP method belong. */
  assign: Assignment
  /** Seconds between re-authentications the switch asks for; 0 never. */
  reauthPeriod: number
  /** After a failed authentication nobody is answered for 5 s; otherwise at once. */
  quiet: boolean
}

/** hostapd listens on the bridge port: EAPOL is never seen on the bridge itself. */
function configuration(port: Port, folder: string, reauthPeriod: number): string {
  return `interface=${port.name}
driver=wired
logger_stdout=-1
logger_stdout_level=1
ieee8021x=1
eapol_version=2
eap_reauth_period=${reauthPeriod}
use_pae_group_addr=1
ctrl_interface=${join(folder, 'hostapd')}
own_ip_addr=${addresses.authenticator}
nas_identifier=switch
auth_server_addr=${addresses.radius}
auth_server_port=1812
auth_server_shared_secret=${sharedSecret}
`
}

/** hostapd has `deauthenticate ff:…` remove all stations of a port at once, where a single one lingers for 5 s. */
const forgetAll = 'deauthenticate ff:ff:ff:ff:ff:ff'

type Opened = Extract<PortEvent, { state: 'open' }>

/** The switch: hostapd as the authenticator, and control of its ports (port-control.sh). */
export class Switch {
  /** hostapd. While it is stopped nobody answers EAPOL; when it starts, the ports are locked. */
  readonly authenticator: Daemon
  /** Everything that became of the ports, in order. */
  readonly events = new Journal<PortEvent>('switch', event => JSON.stringify(event))
  readonly #site: Site
  readonly #ports: readonly Port[]

  constructor(site: Site, authenticator: Daemon, ports: readonly Port[]) {
    this.authenticator = authenticator
    this.#site = site
    this.#ports = ports
    authenticator.output.follow(line => {
      const event = readPortEvent(line)
      if (event !== undefined) this.events.add(event)
    })
  }

  /** The first opening of a port into `segment` counting from event `since`. */
  async opened(segment: Segment, ms = 5_000, since = 0): Promise<Opened> {
    const read = (event: PortEvent) =>
      event.state === 'open' && event.segment === segment ? event : undefined
    return this.events.find(read, `the port opens into ${segment}`, ms, since)
  }

  /** The first locking of a port counting from event `since`. */
  async closed(ms = 5_000, since = 0): Promise<PortEvent> {
    const read = (event: PortEvent) => (event.state === 'closed' ? event : undefined)
    return this.events.find(read, 'the port is locked', ms, since)
  }

  /** Keeps every port locked from now on, also after EAP success: a switch that forgot the port's VLAN. */
  async lockForGood(): Promise<void> {
    await writeFile(join(this.#site.folder, 'locked-for-good'), '')
    await Promise.all(this.#ports.map(port => this.#lock(port)))
  }

  /** Pulls a cable: no carrier at the sensor, and the switch forgets who was there. */
  async pull(index = 0): Promise<void> {
    const port = this.#port(index)
    await this.#site.spaces.ip('switch', [`link set ${port.name} down`])
    await this.#lock(port)
    await this.#ask(port, [forgetAll])
  }

  /** What the switch forgot when the cable was pulled it need not forget again: whoever is plugged in may begin at once. */
  async plug(index = 0): Promise<void> {
    await this.#site.spaces.ip('switch', [`link set ${this.#port(index).name} up`])
  }

  /** The switch forgets who is there, locks the port and asks for an identity, as on its operator's word. */
  async reset(index = 0): Promise<void> {
    const port = this.#port(index)
    await this.#lock(port)
    await this.#ask(port, [forgetAll, `new_sta ${port.mac}`])
  }

  async #lock({ name }: Port): Promise<void> {
    const slave = `link set ${name} type bridge_slave`
    await this.#site.spaces.ip('switch', [`${slave} ${closed}`, `${slave} fdb_flush`])
    this.events.add({ at: performance.now(), port: name, state: 'closed' })
  }

  /** One hostapd_cli for several lines; a stopped hostapd has nothing to forget. */
  async #ask(port: Port, lines: readonly string[]): Promise<void> {
    if (!this.authenticator.running) return
    const args = ['-p', join(this.#site.folder, 'hostapd'), '-i', port.name]
    await run('hostapd_cli', args, { input: [...lines, 'quit', ''].join('\n') })
  }

  #port(index: number): Port {
    const port = this.#ports[index]
    if (port === undefined) throw new RangeError(`the switch has no port ${index + 1}`)
    return port
  }
}

export async function raiseSwitch(site: Site, options: SwitchOptions): Promise<Switch> {
  const files = await Promise.all(
    options.ports.map(async port => {
      const file = join(site.folder, `hostapd-${port.name}.conf`)
      await writeFile(file, configuration(port, site.folder, options.reauthPeriod))
      return file
    }),
  )
  if (options.quiet) await writeFile(join(site.folder, 'quiet'), '')
  const methods = Object.entries(options.assign).map(([method, segment]) => `${method}=${segment}`)
  const script = join(checkout(), 'test', 'lab', 'port-control.sh')
  const authenticator = await site.daemon({
    name: 'hostapd',
    role: 'switch',
    // The switch is another machine: it does not wait for the sensor's processor.
    command: 'nice',
    args: ['-n', '-10', script, site.folder, methods.join(' '), ...files],
    ready: new RegExp(`${options.ports.at(-1)?.name}: AP-ENABLED`),
  })
  return new Switch(site, authenticator, options.ports)
}
