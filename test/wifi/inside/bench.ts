/** Runs in the virtual machine: joining, beside wpa_supplicant with the same network in a static file. */
import { writeFile } from 'node:fs/promises'
import { join as path } from 'node:path'
import { join, networkBlock, type NetworkBlock } from '../../../supplicant/index.ts'
import { NetworkManager } from '../../bench/join/network-manager.ts'
import { offers } from './access-point.ts'
import { Air, radios, station } from './air.ts'
import { network, tls } from './kinds.ts'
import { comment, figures, program } from './scenario.ts'

const rounds = 7
const frequency = 2412

/** Words of wpa_supplicant.conf that take no quotes. */
const bare = ['key_mgmt', 'eap', 'proto', 'scan_freq']

/** A supplicant of its own from its start until it is connected, in milliseconds. */
async function fromFile(air: Air, block: NetworkBlock, scanFrequency?: number): Promise<number> {
  const { site } = air
  const file = path(site.folder, 'static.conf')
  const lines = Object.entries({ ...block, ...(scanFrequency && { scan_freq: String(scanFrequency) }) })
    .filter(([key]) => key !== 'id_str')
    .map(([key, value]) => {
      const text = String(value)
      return `${key}=${bare.includes(key) || typeof value === 'number' ? text : `"${text}"`}`
    })
  await writeFile(file, `network={\n${lines.join('\n')}\n}\n`)
  const start = performance.now()
  await using _peer = await site.daemon({
    ...{ name: 'static', role: 'sensor', command: 'wpa_supplicant' },
    args: ['-Dnl80211', `-i${station}`, `-c${file}`],
    ready: /CTRL-EVENT-CONNECTED/,
    deadlineMs: 10_000,
  })
  return performance.now() - start
}

/** With our library on the supplicant that is resident anyway. */
async function byLibrary(air: Air, block: NetworkBlock): Promise<number> {
  await using wpa = await air.connect()
  await wpa.setLogLevel('info') // as the peer: the laboratory's own level is for reading after a failure
  const wlan = await air.radio(wpa)
  const start = performance.now()
  await join(wlan, block, { frequencies: [frequency] })
  const ms = performance.now() - start
  await wpa.remove(wlan)
  return ms
}

/** NetworkManager as the peer, which has the radio in its own turn alone; or undefined, and the reason is told. */
async function manager(air: Air, block: NetworkBlock): Promise<NetworkManager | undefined> {
  if (process.argv[3] === undefined) return undefined
  const started = await NetworkManager.start(air.site, station, block)
  if ('reason' in started) {
    comment(started.reason)
    return undefined
  }
  await started.manages(false)
  return started
}

/** From `nmcli connection up` to its end. */
async function byManager(peer: NetworkManager): Promise<number> {
  await peer.manages(true)
  const ms = await peer.up()
  await peer.manages(false)
  return ms
}

program(async () => {
  await using air = await Air.raise()
  const ssids = [{ ssid: 'b-corp', lines: offers.wpa2Enterprise }]
  await air.accessPoint({ name: radios[0], channel: 1, ssids })
  const { block } = networkBlock(network('b-corp', 'wpa2-enterprise', { eap: tls(air) }))
  const times: Record<'ours' | 'known' | 'full', number[]> = { ours: [], known: [], full: [] }
  const peer = await manager(air, block)
  const managed: number[] = []
  // The first of each pays for reading programs and certificates.
  for (let round = 0; round <= rounds; round += 1) {
    const known = await fromFile(air, block, frequency)
    const ours = await byLibrary(air, block)
    const full = await fromFile(air, block)
    const byPeer = peer && (await byManager(peer))
    if (round === 0) continue
    if (byPeer !== undefined) managed.push(byPeer)
    times.known.push(known)
    times.ours.push(ours)
    times.full.push(full)
  }
  figures({ ...times, ...(peer && { networkManager: managed }) })
})
