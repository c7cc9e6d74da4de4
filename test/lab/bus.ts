import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Daemon } from './daemon.ts'
import type { Site } from './site.ts'

/** A system bus as Debian sets it up, with the policy of Debian's own wpasupplicant package. */
function configuration(socket: string): string {
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=${socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <include ignore_missing="yes">/usr/share/dbus-1/system.d/wpa_supplicant.conf</include>
  <include ignore_missing="yes">/etc/dbus-1/system.d/wpa_supplicant.conf</include>
</busconfig>
`
}

export type Bus = {
  daemon: Daemon
  /** For DBUS_SYSTEM_BUS_ADDRESS. */
  address: string
}

/** A system bus of the lab's own; a Unix socket, so it is reached from every namespace. */
export async function bus(site: Site): Promise<Bus> {
  const file = join(site.folder, 'bus.conf')
  const socket = join(site.folder, 'bus')
  await writeFile(file, configuration(socket))
  const daemon = await site.daemon({
    name: 'dbus-daemon',
    role: 'sensor',
    command: 'dbus-daemon',
    args: [`--config-file=${file}`, '--nofork', '--nopidfile', '--print-address=1'],
    ready: /^unix:path=/,
  })
  return { daemon, address: `unix:path=${socket}` }
}

/** wpa_supplicant on the lab's bus, without an interface until somebody calls CreateInterface. */
export async function supplicant(site: Site, address: string): Promise<Daemon> {
  return site.daemon({
    name: 'wpa_supplicant',
    role: 'sensor',
    command: 'wpa_supplicant',
    args: ['-u', '-dd', '-t'],
    env: { DBUS_SYSTEM_BUS_ADDRESS: address },
    ready: /Providing DBus service/,
  })
}
