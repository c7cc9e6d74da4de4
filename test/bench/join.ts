import { writeFile } from 'node:fs/promises'
import { join as path } from 'node:path'
import { connectSupplicant, join, type NetworkBlock } from '../../supplicant/index.ts'
import { run as command } from '../lab/command.ts'
import { SupplicantLab } from '../lab/supplicant/lab.ts'
import { credentials, tlsBlock } from '../lab/supplicant/credentials.ts'
import { Pki } from '../lab/supplicant/pki.ts'
import { type AirTimes, joinOnTheAir } from '../wifi/bench.ts'
import { missing, NetworkManager } from './join/network-manager.ts'

const ROUNDS = 7

/**
 * `npm run bench -- join`: from our join call to the open port, beside wpa_supplicant with the same network in a static
 * file (from its start), with and without `wpa_cli logon`, and beside NetworkManager (`nmcli connection up`). Same wire,
 * same authenticator, in turns, the peers first and last; before each turn the authenticator is started anew, so that
 * nobody is remembered. Then the same on simulated radios in a virtual machine.
 */
export async function run(_args: string[], signal: AbortSignal): Promise<number> {
  const withoutManager = await missing()
  const wire = await onTheWire(withoutManager, signal)
  if (signal.aborted) return 130
  const air = await joinOnTheAir(withoutManager, signal)
  report(wire, air)
  return 0
}

interface WireTimes extends Record<'file' | 'logon' | 'ours' | 'rejoin', number[]> {
  networkManager: number[] | { reason: string }
}

async function onTheWire(withoutManager: string | undefined, signal: AbortSignal): Promise<WireTimes> {
  await using pki = await Pki.create()
  const all = await credentials(pki, 'rsa')
  await using lab = await SupplicantLab.raise()
  const serve = () => lab.authenticator({ eap: { ca: all.root, ...all.server } })
  const resident =
    withoutManager === undefined
      ? await NetworkManager.start(lab.site, 'eth0', tlsBlock(all))
      : { reason: withoutManager }
  const managed: number[] = []
  const networkManager = 'reason' in resident ? resident : managed
  const times: WireTimes = { file: [], logon: [], ours: [], rejoin: [], networkManager }
  const peers = async () => {
    await serve()
    times.file.push(await fromFile(lab, tlsBlock(all), false))
    await serve()
    times.logon.push(await fromFile(lab, tlsBlock(all), true))
    if ('reason' in resident) return
    await serve()
    managed.push(await resident.up())
    await resident.down()
  }
  for (let round = 0; round < ROUNDS && !signal.aborted; round += 1) {
    await peers()
    await using wpa = await connectSupplicant(lab.bus.address, { ip: lab.ip })
    const eth0 = await wpa.interface({ name: 'eth0', driver: 'wired' })
    await wpa.setLogLevel('info') // as the peer: the lab's own level is for reading after a failure
    for (const kind of ['ours', 'rejoin'] as const) {
      await eth0.disconnect()
      await serve()
      const start = performance.now()
      await join(eth0, tlsBlock(all), {}, signal)
      times[kind].push(performance.now() - start)
    }
    await wpa.remove(eth0)
  }
  await peers()
  return times
}

/** A supplicant of its own from its start to CTRL-EVENT-CONNECTED, in milliseconds. */
async function fromFile(lab: SupplicantLab, block: NetworkBlock, logon: boolean): Promise<number> {
  const folder = lab.site.folder
  const file = path(folder, 'static.conf')
  const words = ['key_mgmt', 'eap']
  const lines = Object.entries(block).map(([key, value]) =>
    words.includes(key) || typeof value === 'number'
      ? `${key}=${String(value)}`
      : `${key}="${String(value)}"`,
  )
  await writeFile(
    file,
    `ctrl_interface=${path(folder, 'wpa')}\nap_scan=0\nnetwork={\n${lines.join('\n')}\n}\n`,
  )
  const start = performance.now()
  const netns = lab.site.spaces.name('sensor')
  await using peer = await lab.site.daemon({
    name: 'static',
    role: 'sensor',
    command: 'wpa_supplicant',
    args: ['-Dwired', '-ieth0', `-c${file}`],
    ready: /Associated with/,
  })
  if (logon) await command('wpa_cli', ['-p', path(folder, 'wpa'), '-i', 'eth0', 'logon'], { netns })
  await peer.waitFor(/CTRL-EVENT-CONNECTED/, 'the peer is connected', 10_000)
  return performance.now() - start
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN

const rounded = (values: readonly number[]): number => Number(median(values).toFixed(1))

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const ratio = (values: number[], peer: number[]) => Number((median(values) / median(peer)).toFixed(4))

function row(name: string, values: number[]): void {
  const [low, high] = [Math.min(...values), Math.max(...values)].map(value => value.toFixed(1))
  say(`${name.padEnd(52)} ${median(values).toFixed(1).padStart(8)} ms  (${low}–${high})`)
}

/** The row and the figures of the peer that may not run on this machine. */
function besides(where: '' | 'on the air: ', ours: number[], manager: number[] | { reason: string }): object {
  const key = where === '' ? '' : 'Air'
  if ('reason' in manager) {
    say(`${where}NetworkManager: not measured: ${manager.reason}`)
    return { [`networkManager${key}`]: manager.reason }
  }
  row(`${where}NetworkManager, nmcli connection up`, manager)
  return {
    [`ratio${key}NetworkManager`]: ratio(ours, manager),
    [`networkManager${key}Ms`]: rounded(manager),
  }
}

function report(wire: WireTimes, air: AirTimes | { reason: string }): void {
  const { file, logon, ours, rejoin, networkManager } = wire
  row('wpa_supplicant with a static file', file)
  row('the same with wpa_cli logon at associated', logon)
  const besideManager = besides('', ours, networkManager)
  row('join() of a network that is not installed yet', ours)
  row('join() of one that is', rejoin)
  const onAir =
    'reason' in air
      ? { air: air.reason }
      : { ratioAirKnown: ratio(air.ours, air.known), ratioAirFull: ratio(air.ours, air.full) }
  if ('reason' in air) say(`on the air: not measured: ${air.reason}`)
  else {
    row('on the air: a static file with the frequency', air.known)
    row('on the air: a static file without it', air.full)
    Object.assign(onAir, besides('on the air: ', air.ours, air.networkManager))
    row('on the air: join() told where the network was met', air.ours)
  }
  const result = {
    bench: 'join',
    ratio: ratio(ours, file),
    ratioInstalled: ratio(rejoin, file),
    ratioLogon: ratio(ours, logon),
    ...besideManager,
    ...onAir,
    ms: rounded(ours),
    peerMs: rounded(file),
  }
  say(JSON.stringify(result))
}
