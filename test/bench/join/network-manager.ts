import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { run } from '../../lab/command.ts'
import { checkout } from '../../lab/pki.ts'
import type { SupplicantLab } from '../../lab/supplicant/lab.ts'
import type { NetworkBlock } from '../../../supplicant/index.ts'

/** EX_UNAVAILABLE of sysexits.h: what test/setup/network-manager.mjs ends with on a machine that cannot. */
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

/** Of all links eth0 alone is its own, and it writes to none of the machine's files. */
const configuration = `[main]
plugins=keyfile
auth-polkit=false
dns=none
rc-manager=unmanaged
systemd-resolved=false
hostname-mode=none
no-auto-default=*
[keyfile]
unmanaged-devices=*,except:interface-name:eth0
[connectivity]
enabled=false
`

const profile = (block: NetworkBlock): string => `[connection]
id=corp
uuid=5f0e5b1c-7a0e-4c55-9d0f-3b1f2a6d7c11
type=ethernet
interface-name=eth0
autoconnect=false
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
 * as they are, as in a container. `ip netns exec` has given it a mount namespace of its own.
 */
const inside = (folder: string): string => `set -e
mount -t tmpfs tmpfs /run
mkdir /run/NetworkManager /run/udev
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

  private constructor(address: string, netns: string) {
    this.#address = address
    this.#netns = netns
  }

  /** Installs it where it is missing, and starts it with the block as a profile; or says why it cannot run here. */
  static async start(lab: SupplicantLab, block: NetworkBlock): Promise<NetworkManager | { reason: string }> {
    const reason = await installed()
    if (reason !== undefined) return { reason }
    const folder = join(lab.site.folder, 'network-manager')
    const connections = join(folder, 'etc/system-connections')
    await mkdir(connections, { recursive: true })
    await writeFile(join(folder, 'etc/NetworkManager.conf'), configuration)
    // A profile that others may read is ignored.
    await writeFile(join(connections, 'corp.nmconnection'), profile(block), { mode: 0o600 })
    await writeFile(join(folder, 'bus.conf'), busConfiguration(join(folder, 'bus')))
    const env = { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${join(folder, 'bus')}` }
    const start = async (name: string, command: string, args: string[], ready: RegExp): Promise<void> => {
      const options = { name, role: 'sensor', command, args, env, ready, deadlineMs: 15_000 } as const
      await lab.site.daemon(options)
    }
    try {
      const bus = [
        `--config-file=${join(folder, 'bus.conf')}`,
        '--nofork',
        '--nopidfile',
        '--print-address=1',
      ]
      await start('nm-bus', 'dbus-daemon', bus, /^unix:path=/)
      await start('nm-supplicant', 'wpa_supplicant', ['-u', '-t'], /Successfully initialized/)
      await start('network-manager', 'bash', ['-c', inside(folder)], /startup complete/)
    } catch (error) {
      return { reason: (error as Error).message.split('\n').slice(-4).join(' ') }
    }
    return new NetworkManager(env.DBUS_SYSTEM_BUS_ADDRESS, lab.site.spaces.name('sensor'))
  }

  /** `nmcli connection up` from its start to its end, which is the device activated, in milliseconds. */
  async up(): Promise<number> {
    const start = performance.now()
    await this.#nmcli('up')
    return performance.now() - start
  }

  async down(): Promise<void> {
    await this.#nmcli('down')
  }

  async #nmcli(verb: 'up' | 'down'): Promise<void> {
    const env = { DBUS_SYSTEM_BUS_ADDRESS: this.#address }
    await run('nmcli', ['connection', verb, 'corp'], { netns: this.#netns, env, deadlineMs: 30_000 })
  }
}

/** Why NetworkManager cannot be installed here, if it cannot. */
async function installed(): Promise<string | undefined> {
  const child = spawn(process.execPath, [join(checkout(), 'test/setup/network-manager.mjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said, [code]] = await Promise.all([
    text(child.stdout),
    once(child, 'close') as Promise<[number | null]>,
  ])
  if (code === 0) return undefined
  if (code === unavailable) return said.trim()
  throw new Error(`test/setup/network-manager.mjs ended with ${String(code)}`)
}
