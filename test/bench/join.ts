import { writeFile } from 'node:fs/promises'
import { join as path } from 'node:path'
import { connectSupplicant, join, type NetworkBlock } from '../../supplicant/index.ts'
import { run as command } from '../lab/command.ts'
import { SupplicantLab } from '../lab/supplicant/lab.ts'
import { credentials, tlsBlock } from '../lab/supplicant/credentials.ts'
import { Pki } from '../lab/supplicant/pki.ts'
import { type AirTimes, joinOnTheAir } from '../wifi/bench.ts'

const ROUNDS = 7

/**
 * `npm run bench -- join`: from our join call to the open port, beside wpa_supplicant with the same network in a static
 * file (from its start), with and without `wpa_cli logon`. Same wire, same authenticator, in turns, the peers first
 * and last; before each turn the authenticator is started anew, so that nobody is remembered. Then the same on
 * simulated radios in a virtual machine.
 */
export async function run(_args: string[], signal: AbortSignal): Promise<number> {
  const wire = await onTheWire(signal)
  if (signal.aborted) return 130
  const air = await joinOnTheAir(signal)
  report(wire, air)
  return 0
}

type WireTimes = Record<'file' | 'logon' | 'ours' | 'rejoin', number[]>

async function onTheWire(signal: AbortSignal): Promise<WireTimes> {
  await using pki = await Pki.create()
  const all = await credentials(pki, 'rsa')
  await using lab = await SupplicantLab.raise()
  const serve = () => lab.authenticator({ eap: { ca: all.root, ...all.server } })
  const times = { file: [] as number[], logon: [] as number[], ours: [] as number[], rejoin: [] as number[] }
  const peers = async () => {
    await serve()
    times.file.push(await fromFile(lab, tlsBlock(all), false))
    await serve()
    times.logon.push(await fromFile(lab, tlsBlock(all), true))
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

const ratio = (values: number[], peer: number[]) => Number((median(values) / median(peer)).toFixed(4))

function row(name: string, values: number[]): void {
  const [low, high] = [Math.min(...values), Math.max(...values)].map(value => value.toFixed(1))
  process.stdout.write(`${name.padEnd(52)} ${median(values).toFixed(1).padStart(8)} ms  (${low}–${high})\n`)
}

function report({ file, logon, ours, rejoin }: WireTimes, air: AirTimes | { reason: string }): void {
  row('wpa_supplicant with a static file', file)
  row('the same with wpa_cli logon at associated', logon)
  row('join() of a network that is not installed yet', ours)
  row('join() of one that is', rejoin)
  const onAir =
    'reason' in air
      ? { air: air.reason }
      : { ratioAirKnown: ratio(air.ours, air.known), ratioAirFull: ratio(air.ours, air.full) }
  if ('reason' in air) process.stdout.write(`on the air: not measured: ${air.reason}\n`)
  else {
    row('on the air: a static file with the frequency', air.known)
    row('on the air: a static file without it', air.full)
    row('on the air: join() told where the network was met', air.ours)
  }
  const result = {
    bench: 'join',
    ratio: ratio(ours, file),
    ratioInstalled: ratio(rejoin, file),
    ratioLogon: ratio(ours, logon),
    ...onAir,
    ms: Number(median(ours).toFixed(1)),
    peerMs: Number(median(file).toFixed(1)),
  }
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
