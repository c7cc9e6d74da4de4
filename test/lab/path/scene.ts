import http from 'node:http'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { openPath, type Path, type PathEvent, type PathOptions } from '../../../agent/path/index.ts'
import t from 'tap'
import { run } from '../command.ts'
import { daemon, type Daemon } from '../daemon.ts'
import { Journal } from '../journal.ts'

/**
 * The sensor has eth0 and eth2 to two tested networks that use the same subnet, 10.77.0.0/24, and eth1 to the management
 * network, 10.88.0.0/24, which its main table points to. The target, 10.55.0.10, stands behind eth0 and eth1 alike, so that
 * a packet that leaks is answered.
 */
const [, , id = '', folder = ''] = process.argv
const spaces = { sensor: `${id}-sensor`, backend: `${id}-backend`, other: `${id}-switch` }
export type Space = keyof typeof spaces
export const target = '10.55.0.10'
export const port = 8080

/** Addresses that the two tested networks give out. */
const ranges = { backend: '10.77.0.50-10.77.0.59', other: '10.77.0.60-10.77.0.69' }
export const nameOf = (space: Space): string => spaces[space]
export const exec = (space: Space, command: string, args: readonly string[], input = ''): Promise<string> =>
  run(command, args, { netns: spaces[space], input })
export const ipIn = (space: Space, ...lines: string[]): Promise<string> =>
  run('ip', ['-n', spaces[space], '-batch', '-'], { input: lines.join('\n') + '\n' })
export const inFolder = (name: string): string => join(folder, name)

/** Counts, where they arrive, packets of the tested subnet, those of the other network's range among them, and DHCP messages. */
const counting = (device: string, prefix: string, strays: string): string => `
  counter ${prefix}_tested {}
  counter ${prefix}_stray {}
  counter ${prefix}_dhcp {}
  chain ${prefix} { type filter hook ingress device ${device} priority 0;
    ip saddr 10.77.0.0/24 counter name ${prefix}_tested
    ip saddr ${strays} counter name ${prefix}_stray
    udp dport 67 counter name ${prefix}_dhcp
  }
`

const web = (space: Space, word: string): Promise<Daemon> =>
  daemon({
    name: `web-${space}`,
    command: process.execPath,
    args: [
      '-e',
      `require('http').createServer((q, s) => s.end('${word} ' + q.socket.remoteAddress)).listen(${port}, '0.0.0.0', () => console.log('ready'))`,
    ],
    netns: spaces[space],
    ready: /ready/,
    logFile: inFolder(`web-${space}.log`),
  })

/** Joins the namespaces and starts what all cases share; it lives until this process ends, as its daemons do. */
export async function raise(): Promise<void> {
  const pair = (device: string, space: Space, end: string): string =>
    `link add ${device} type veth peer name ${end} netns ${spaces[space]}`
  await ipIn(
    'sensor',
    pair('eth0', 'backend', 'n0'),
    pair('eth1', 'backend', 'm0'),
    pair('eth2', 'other', 's0'),
  )
  await ipIn(
    'backend',
    ...['lo', 'n0', 'm0'].map(device => `link set ${device} up`),
    'address add 10.77.0.1/24 dev n0',
    'address add 10.88.0.1/24 dev m0',
    `address add ${target}/32 dev lo`,
  )
  await ipIn('other', 'link set lo up', 'link set s0 up', 'address add 10.77.0.1/24 dev s0')
  await ipIn(
    'sensor',
    ...['lo', 'eth0', 'eth1', 'eth2'].map(device => `link set ${device} up`),
    'address add 10.88.0.2/24 dev eth1',
    'route add default via 10.88.0.1',
  )
  await exec(
    'backend',
    'nft',
    ['-f', '-'],
    `table netdev path {${counting('n0', 'n0', ranges.other)}${counting('m0', 'm0', ranges.other)}}`,
  )
  await exec('other', 'nft', ['-f', '-'], `table netdev path {${counting('s0', 's0', ranges.backend)}}`)
  const daemons = await Promise.all([web('backend', 'target'), web('other', 'other')])
  t.teardown(() => Promise.all(daemons.map(one => one[Symbol.asyncDispose]())))
}

interface Listing {
  nftables: { counter?: { name: string; packets: number } }[]
}

export interface Counts {
  /** Packets with a source of the tested subnet, by the interface of the sensor on which they left. */
  eth0: number
  eth1: number
  eth2: number
  /** Packets of one tested network that left on the interface of the other. */
  strays: number
  /** DHCP messages that left on eth0. */
  dhcp: number
}

export async function counts(): Promise<Counts> {
  const [backend, other] = await Promise.all(
    (['backend', 'other'] as const).map(async space => {
      const { nftables } = JSON.parse(await exec(space, 'nft', ['-j', 'list', 'counters'])) as Listing
      return new Map(
        nftables.flatMap(({ counter }) => (counter ? [[counter.name, counter.packets] as const] : [])),
      )
    }),
  )
  const of = (map: Map<string, number> | undefined, name: string): number => map?.get(name) ?? -1
  return {
    eth0: of(backend, 'n0_tested'),
    eth1: of(backend, 'm0_tested'),
    eth2: of(other, 's0_tested'),
    strays: of(backend, 'n0_stray') + of(other, 's0_stray'),
    dhcp: of(backend, 'n0_dhcp'),
  }
}

/** How many packets left on each interface while `action` ran and shortly after, when last packets are on their way. */
export async function counted(action: () => Promise<unknown>): Promise<Counts> {
  const before = await counts()
  await action()
  await pause(50)
  const after = await counts()
  return {
    eth0: after.eth0 - before.eth0,
    eth1: after.eth1 - before.eth1,
    eth2: after.eth2 - before.eth2,
    strays: after.strays - before.strays,
    dhcp: after.dhcp - before.dhcp,
  }
}

export interface DhcpServer {
  space?: 'backend' | 'other'
  range?: string
  options?: readonly string[]
}

let servers = 0
/** dnsmasq with DHCP and names: scep.example.org is the target, six.example.org has an IPv6 address only. */
export function dnsmasq({ space = 'backend', range, options = [] }: DhcpServer = {}): Promise<Daemon> {
  servers += 1
  const leases = inFolder(`leases-${servers}`)
  return daemon({
    name: `dnsmasq-${space}`,
    command: 'dnsmasq',
    args: [
      ...['-k', '--conf-file=/dev/null', '--user=root', '--pid-file', '--log-facility=-', '--log-queries'],
      ...[
        '--no-ping',
        '--dhcp-authoritative',
        `--dhcp-leasefile=${leases}`,
        `--dhcp-range=${range ?? ranges[space].replace('-', ',')},1h`,
      ],
      ...[`--interface=${space === 'backend' ? 'n0' : 's0'}`, '--except-interface=lo', '--bind-interfaces'],
      ...['--no-resolv', '--no-hosts', '--local=/example.org/', '--domain=example.org'],
      ...['--address=/scep.example.org/10.55.0.10', '--host-record=six.example.org,fd00::1'],
      ...['--dhcp-option=option:ntp-server,10.77.0.1', ...options],
    ],
    netns: spaces[space],
    ready: /DHCP, .*IP range/,
    logFile: inFolder(`dnsmasq-${space}.log`),
  })
}

/** A path with the journal of its events. */
export async function open(
  device = 'eth0',
  options: Partial<PathOptions> = {},
): Promise<{ path: Path; events: Journal<PathEvent> } & AsyncDisposable> {
  const events = new Journal<PathEvent>(`path ${device}`, event => JSON.stringify(event))
  const onEvent = (event: PathEvent): void => events.add(event)
  const path = await openPath(device, { dhcp: true, onEvent, ...options }, AbortSignal.timeout(20_000))
  return { path, events, [Symbol.asyncDispose]: () => path.close() }
}

export const heard = <K extends PathEvent['kind']>(
  events: Journal<PathEvent>,
  kind: K,
  sentence: string,
  since = 0,
): Promise<Extract<PathEvent, { kind: K }>> =>
  events.find(
    event => (event.kind === kind ? (event as Extract<PathEvent, { kind: K }>) : undefined),
    sentence,
    5_000,
    since,
  )

/** The body of a GET; with `localAddress` alone it is what a careless program does. */
export function get(options: http.RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: target, port, timeout: 2_000, ...options }, answer => {
      let body = ''
      answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
      answer.on('end', () => resolve(body))
    })
    request.on('timeout', () => request.destroy(new Error('no answer within 2 s')))
    request.on('error', reject)
  })
}

/** Everything that a path changes in the kernel, as text, without what ages. */
export async function kernel(): Promise<string> {
  const shown = ['-4 rule show', '-4 route show table all', '-4 address show']
  const texts = await Promise.all(shown.map(words => exec('sensor', 'ip', words.split(' '))))
  return texts.join('\n').replace(/valid_lft \d+sec preferred_lft \d+sec/g, '')
}

/** Loses packets that match, as they arrive from the sensor, until disposed. */
export async function lose(match: string): Promise<AsyncDisposable> {
  const lines = [
    'table netdev lost {',
    'chain c {',
    'type filter hook ingress device n0 priority -10;',
    `${match} drop`,
    '}',
    '}',
  ]
  await exec('backend', 'nft', ['-f', '-'], lines.join('\n'))
  return {
    [Symbol.asyncDispose]: async () => {
      await exec('backend', 'nft', ['delete', 'table', 'netdev', 'lost'])
    },
  }
}
