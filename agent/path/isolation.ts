import { readFile, writeFile } from 'node:fs/promises'

/**
 * Settings of a tested interface, kept when a path is closed since the interface belongs to the agent:
 * no IPv6 (the kernel would put a router's advertised default route into the main table, and IPv6 is not used on paths),
 * and ARP spoken only with and for the interface's own address, since two tested networks may use the same subnet.
 */
const settings = [
  ['ipv6', 'disable_ipv6', '1'],
  ['ipv4', 'arp_ignore', '1'],
  ['ipv4', 'arp_announce', '2'],
] as const

/**
 * Applies them where the process may (the files belong to root, and ProtectKernelTunables= makes them read-only) and gives
 * the names of those that are not in force, e.g. `net.ipv6.conf.eth0.disable_ipv6`, for a sysctl.d file.
 */
export async function isolate(device: string): Promise<string[]> {
  const refused = await Promise.all(
    settings.map(async ([family, name, value]) => {
      const file = `/proc/sys/net/${family}/conf/${device}/${name}`
      const current = await readFile(file, 'utf8').catch(() => undefined)
      // A kernel without IPv6 has no such file.
      if (current === undefined || current.trim() === value) return []
      return writeFile(file, value).then(
        () => [],
        () => [`net.${family}.conf.${device}.${name}`],
      )
    }),
  )
  return refused.flat()
}
