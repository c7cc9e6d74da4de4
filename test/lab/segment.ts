import { join } from 'node:path'
import type { Daemon } from './daemon.ts'
import type { Site } from './site.ts'
import { addresses, subnets, type Segment } from './topology.ts'

/** Names both segments' servers know. */
export const hosts = {
  'scep.example.org': addresses.scep,
  'broker.example.org': addresses.broker,
  'radius.example.org': addresses.radius,
} as const

/**
 * DHCP and DNS of one segment. no-ping: dnsmasq would otherwise wait 3 s for an answer before it offers an address.
 */
export async function dnsmasq(site: Site, segment: Segment, ntp: boolean): Promise<Daemon> {
  const subnet = subnets[segment]
  return site.daemon({
    name: `dnsmasq-${segment}`,
    role: 'backend',
    command: 'dnsmasq',
    args: [
      ...['--keep-in-foreground', '--log-facility=-', '--log-queries', '--log-dhcp'],
      // As whom it is started: with another user or group the kernel forgets to end it with the laboratory (prctl(2), PR_SET_PDEATHSIG).
      ...['--user=root', '--group=root'],
      ...['--conf-file=/dev/null', '--pid-file=', '--no-resolv', '--no-hosts', '--no-ping'],
      ...[`--interface=lan-${segment}`, '--except-interface=lo', '--bind-interfaces'],
      ...[`--dhcp-range=${subnet}.50,${subnet}.99,255.255.255.0,1h`, '--dhcp-authoritative'],
      ...[`--dhcp-option=option:router,${subnet}.1`, `--dhcp-option=option:dns-server,${subnet}.1`],
      ...(ntp ? [`--dhcp-option=option:ntp-server,${addresses.scep}`] : []),
      `--dhcp-leasefile=${join(site.folder, `dnsmasq-${segment}.leases`)}`,
      ...Object.entries(hosts).map(([name, address]) => `--address=/${name}/${address}`),
    ],
    ready: /DHCP, IP range/,
  })
}
