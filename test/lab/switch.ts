import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Daemon } from './daemon.ts'
import { Journal } from './journal.ts'
import type { Namespaces } from './namespace.ts'
import { PortControl, type PortEvent, type Session } from './port-control.ts'
import { sharedSecret } from './radius.ts'
import type { Site } from './site.ts'
import { addresses, type Port, type Segment } from './topology.ts'

export type SwitchOptions = {
  ports: readonly Port[]
  /** The segment an authenticated session belongs to. */
  assign: (session: Session) => Segment
  /** Seconds between re-authentications the switch asks for; 0 never. */
  reauthPeriod: number
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

type Opened = Extract<PortEvent, { state: 'open' }>

/** The switch: hostapd as the authenticator, and control of its ports. */
export class Switch {
  /** hostapd. While it is stopped nobody answers EAPOL; when it starts, the ports are locked. */
  readonly authenticator: Daemon
  /** Everything that became of the ports, in order. */
  readonly events = new Journal<PortEvent>('switch', event => JSON.stringify(event))
  readonly #spaces: Namespaces
  readonly #controls: readonly PortControl[]

  constructor(spaces: Namespaces, authenticator: Daemon, ip: Daemon, options: SwitchOptions) {
    this.authenticator = authenticator
    this.#spaces = spaces
    const tell = (event: PortEvent) => this.events.add(event)
    this.#controls = options.ports.map(port => new PortControl(port, ip, options.assign, tell))
    authenticator.output.follow(line => {
      for (const control of this.#controls) if (line.startsWith(`${control.port.name}: `)) control.read(line)
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
    await Promise.all(this.#controls.map(control => control.lockForGood()))
  }

  /** Pulls a cable: no carrier at the sensor, and the switch forgets who was there. */
  async pull(index = 0): Promise<void> {
    const control = this.#control(index)
    await control.setLink('down')
    await control.close()
    await this.forget(index)
  }

  async plug(index = 0): Promise<void> {
    await this.#control(index).setLink('up')
  }

  /** Has hostapd drop its session, as a switch does on link down or on its operator's word. */
  async forget(index = 0): Promise<void> {
    const { port } = this.#control(index)
    if (this.authenticator.running) await this.ask(['-i', port.name, 'deauthenticate', port.mac])
  }

  /** hostapd_cli's answer. */
  async ask(args: readonly string[]): Promise<string> {
    return this.#spaces.exec('switch', 'hostapd_cli', ['-p', join(this.#spaces.folder, 'hostapd'), ...args])
  }

  #control(index: number): PortControl {
    const control = this.#controls[index]
    if (control === undefined) throw new RangeError(`the switch has no port ${index + 1}`)
    return control
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
  const ip = await site.daemon({
    name: 'ip',
    role: 'switch',
    command: 'ip',
    args: ['-force', '-batch', '-'],
    ready: async started => {
      started.write('link show dev lo\n')
      await started.waitFor(/^\d+: lo:/, 'ip reads lines')
    },
  })
  const authenticator = await site.daemon({
    name: 'hostapd',
    role: 'switch',
    command: 'hostapd',
    args: files,
    ready: new RegExp(`${options.ports.at(-1)?.name}: AP-ENABLED`),
  })
  return new Switch(site.spaces, authenticator, ip, options)
}
