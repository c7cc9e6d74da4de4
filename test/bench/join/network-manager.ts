import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { run } from '../../lab/command.ts'
import type { Daemon } from '../../lab/daemon.ts'
import { checkout } from '../../lab/pki.ts'
import type { Site } from '../../lab/site.ts'
import type { NetworkBlock } from '../../../supplicant/index.ts'

/** EX_UNAVAILABLE of sysexits.h: what test/setup/extra.mjs ends with on a machine that cannot. */
const unavailable = 69

/** Everything for root, who is alone on it: with polkit switched off NetworkManager asks nobody else. */
const busConfiguration = (socket: string): string => `<busconfig>
  <type>system</type>
  <listen>unix:path=${socket}</listen>
  <auth>EXTERNAL</auth>
  <policy user="root">
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
`

/** Of all links one alone is its own, and it writes to none of the machine's files. */
const configuration = (device: string): string => `[main]
plugins=keyfile
auth-polkit=false
dns=none
rc-manager=unmanaged
systemd-resolved=false
hostname-mode=none
no-auto-default=*
[keyfile]
unmanaged-devices=*,except:interface-name:${device}
[connectivity]
enabled=false
[device]
wifi.scan-rand-mac-address=no
`

const medium = ({ ssid }: NetworkBlock): string =>
  ssid === undefined
    ? 'type=ethernet'
    : `type=wifi
[wifi]
ssid=${String(ssid)}
[wifi-security]
key-mgmt=wpa-eap`

const profile = (device: string, block: NetworkBlock): string => `[connection]
id=corp
uuid=5f0e5b1c-7a0e-4c55-9d0f-3b1f2a6d7c11
interface-name=${device}
autoconnect=false
${medium(block)}
[802-1x]
eap=tls
identity=${block.identity ?? ''}
ca-cert=${block.ca_cert ?? ''}
client-cert=${block.client_cert ?? ''}
private-key=${block.private_key ?? ''}
private-key-password-flags=4
[ipv4]
method=disabled
[ipv6]
method=disabled
`

/**
 * Its own /run, /etc and /var as far as it writes there. Without /run/udev and with a read-only /sys it takes the links
 * as they are, as in a container; the lab's folder may itself lie in /run. `ip netns exec` has given it a mount namespace of its own.
 */
const inside = (folder: string): string => `set -e
exec 9<${folder}
mount -t tmpfs tmpfs /run
mkdir -p /run/NetworkManager /run/udev ${folder}
mount --no-canonicalize --bind /proc/self/fd/9 ${folder}
mount --bind ${folder}/etc /etc/NetworkManager
mount -t tmpfs tmpfs /var/lib/NetworkManager
mount -o remount,ro /sys
exec NetworkManager --debug --log-level=INFO`

/**
 * NetworkManager in the sensor's namespace, with a bus and a supplicant of its own; the machine's network is not touched.
 * It ends with the lab.
 */
export class NetworkManager {
  readonly #address: string
  readonly #netns: string
  readonly #device: string
  readonly #process: Daemon

  private constructor(address: string, netns: string, device: string, daemon: Daemon) {
    this.#address = address
    this.#netns = netns
    this.#device = device
    this.#process = daemon
  }

  /** Starts it with the block as a profile of the device; or says why it cannot run here. It has to be installed: `missing`. */
  static async start(
    site: Site,
    device: string,
    block: NetworkBlock,
  ): Promise<NetworkManager | { reason: string }> {
    const folder = join(site.folder, 'network-manager')
    const connections = join(folder, 'etc/system-connections')
    await mkdir(connections, { recursive: true })
    await writeFile(join(folder, 'etc/NetworkManager.conf'), configuration(device))
    // A profile that others may read is ignored.
    await writeFile(join(connections, 'corp.nmconnection'), profile(device, block), { mode: 0o600 })
    await writeFile(join(folder, 'bus.conf'), busConfiguration(join(folder, 'bus')))
    const env = { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${join(folder, 'bus')}` }
    const start = (name: string, command: string, args: string[], ready: RegExp): Promise<Daemon> =>
      site.daemon({ name, role: 'sensor', command, args, env, ready, deadlineMs: 15_000 })
    try {
      const bus = [
        `--config-file=${join(folder, 'bus.conf')}`,
        '--nofork',
        '--nopidfile',
        '--print-address=1',
      ]
      await start('nm-bus', 'dbus-daemon', bus, /^unix:path=/)
      await start('nm-supplicant', 'wpa_supplicant', ['-u', '-t'], /Successfully initialized/)
      const daemon = await start('network-manager', 'bash', ['-c', inside(folder)], /startup complete/)
      return new NetworkManager(env.DBUS_SYSTEM_BUS_ADDRESS, site.spaces.name('sensor'), device, daemon)
    } catch (error) {
      return { reason: (error as Error).message.split('\n').slice(-4).join(' ') }
    }
  }

  /** `nmcli connection up` from its start to its end, which is the device activated, in milliseconds. */
  async up(): Promise<number> {
    const start = performance.now()
    await this.#nmcli('connection', 'up', 'corp')
    return performance.now() - start
  }

  async down(): Promise<void> {
    await this.#nmcli('connection', 'down', 'corp')
  }

  /** Lets somebody else have the device, or takes it back. */
  async manages(managed: boolean): Promise<void> {
    const since = this.#process.output.end
    await this.#nmcli('device', 'set', this.#device, 'managed', managed ? 'yes' : 'no')
    const state = managed ? 'disconnected' : 'unmanaged'
    const changed = new RegExp(`device \\(${this.#device}\\): state change: \\S+ -> ${state}`)
    await this.#process.waitFor(changed, `the device is ${state}`, 20_000, since)
  }

  async #nmcli(...args: string[]): Promise<void> {
    const env = { DBUS_SYSTEM_BUS_ADDRESS: this.#address }
    await run('nmcli', args, { netns: this.#netns, env, deadlineMs: 30_000 })
  }
}

/** Installs NetworkManager where it is missing; gives the reason where it cannot be. */
export async function missing(): Promise<string | undefined> {
  const child = spawn(process.execPath, [join(checkout(), 'test/setup/extra.mjs'), 'network-manager'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said, [code]] = await Promise.all([
    text(child.stdout),
    once(child, 'close') as Promise<[number | null]>,
  ])
  if (code === 0) return undefined
  if (code === unavailable) return said.trim()
  throw new Error(`test/setup/extra.mjs ended with ${String(code)}`)
}
