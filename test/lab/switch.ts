import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './command.ts'
import type { Daemon } from './daemon.ts'
import { Journal } from './journal.ts'
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

/** The switch: hostapd as the authenticator, and control of its ports. */
export class Switch {
  /** hostapd. While it is stopped nobody answers EAPOL; when it starts, the ports are locked. */
  readonly authenticator: Daemon
  /** Everything that became of the ports, in order. */
  readonly events = new Journal<PortEvent>('switch', event => JSON.stringify(event))
  readonly #folder: string
  readonly #controls: readonly PortControl[]

  constructor(folder: string, authenticator: Daemon, ip: Daemon, options: SwitchOptions) {
    this.authenticator = authenticator
    this.#folder = folder
    const tell = (event: PortEvent) => this.events.add(event)
    const { assign, quiet } = options
    this.#controls = options.ports.map(
      port => new PortControl(port, ip, { assign, quiet, tell, afresh: () => this.#afresh(port) }),
    )
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
    await this.#ask(control.port, [forgetAll])
  }

  async plug(index = 0): Promise<void> {
    const control = this.#control(index)
    await control.setLink('up')
    await this.#afresh(control.port)
  }

  /** The switch forgets who is there, locks the port and asks for an identity, as on its operator's word. */
  async reset(index = 0): Promise<void> {
    await this.#afresh(this.#control(index).port)
  }

  /** new_sta sends EAP-Request/Identity, so that an EAPOL-Start that came a moment too early is not lost. */
  async #afresh(port: Port): Promise<void> {
    await this.#ask(port, [forgetAll, `new_sta ${port.mac}`])
  }

  /** One hostapd_cli for several lines; a stopped hostapd has nothing to forget. */
  async #ask(port: Port, lines: readonly string[]): Promise<void> {
    if (!this.authenticator.running) return
    const args = ['-p', join(this.#folder, 'hostapd'), '-i', port.name]
    await run('hostapd_cli', args, { input: [...lines, 'quit', ''].join('\n') })
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
  return new Switch(site.folder, authenticator, ip, options)
}
