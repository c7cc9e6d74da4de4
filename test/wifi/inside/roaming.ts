import {
  type Attempt,
  isSupplicantError,
  join,
  networkBlock,
  scan,
  type Stage,
  type SupplicantInterface,
  triage,
  watch,
  type WatchEvent,
} from '../../../supplicant/index.ts'
import { Journal } from '../../lab/journal.ts'
import { frequencyOf, offers } from './access-point.ts'
import { type Air, radios, station } from './air.ts'
import { network, tls } from './kinds.ts'
import type { Scene } from './scenario.ts'

const [here, there] = [radios[1], radios[2]]
const channels = { [here]: 6, [there]: 11 } as const
const frequencies = Object.values(channels).map(frequencyOf)

/** Milliseconds: an access point that went silent is missed after some seconds. */
const patience = 60_000

/** What `watch` tells, to wait for. */
function watched(target: SupplicantInterface) {
  const heard = new Journal<WatchEvent>('watch', event => event.kind)
  const watching = watch(target, event => {
    heard.add(event)
  })
  const find = (kind: WatchEvent['kind'], sentence: string, since: number) =>
    heard.find(event => (event.kind === kind ? event : undefined), sentence, patience, since)
  return { heard, find, [Symbol.dispose]: () => watching[Symbol.dispose]() }
}

/** Where the sensor is, as the kernel sees it: MHz. */
async function frequency(air: Air): Promise<number> {
  const link = await air.site.spaces.exec('sensor', 'iw', ['dev', 'wlan1', 'link'])
  return Number(/freq: (\d+)/.exec(link)?.[1] ?? 0)
}

/** Two access points of one SSID: by command to the other one, and by the death of that one back. */
export async function roams(scene: Scene, air: Air, target: SupplicantInterface): Promise<void> {
  const ssids = [{ ssid: 'r-corp', lines: offers.enterpriseTransition }]
  const [first, second] = await Promise.all([
    air.accessPoint({ name: here, channel: channels[here], ssids }),
    air.accessPoint({ name: there, channel: channels[there], ssids }),
  ])
  await air.heardAt(there, -75)
  const { block } = networkBlock(network('r-corp', 'wpa2-enterprise', { eap: tls(air) }))
  using events = watched(target)
  await join(target, block, { frequencies })
  scene.is(await frequency(air), frequencyOf(channels[here]), 'the stronger access point is chosen')

  const all = await scan(target, { frequencies })
  const other = all.find(bss => bss.name === 'r-corp' && bss.frequency === frequencyOf(channels[there]))
  // mac80211_hwsim adds the 20 dBm it is sent with.
  scene.is(other?.signal, -75 + 20, 'a scan tells how strongly the other one is heard')
  const before = events.heard.end
  await target.roam(other?.bssid ?? 'nowhere')
  await events.find('roamed', 'the roaming is told', before)
  await second.waitFor(/4WAY-HS-COMPLETED/, 'the other access point has the station', patience)
  scene.is(await frequency(air), frequencyOf(channels[there]), 'it roams to the other one when told to')

  await air.heardAt(there, -50)
  const died = events.heard.end
  const since = first.output.end
  await second.stop()
  await events.find('roamed', 'the failover is told', died)
  await first.waitFor(/4WAY-HS-COMPLETED/, 'the first access point has the station again', patience, since)
  scene.is(await frequency(air), frequencyOf(channels[here]), 'it goes back when that one dies')
}

/** The access point falls silent without a word, and comes back. */
export async function comesBack(scene: Scene, air: Air, target: SupplicantInterface): Promise<void> {
  const ssids = [{ ssid: 'r-gone', lines: offers.pskAndSae }]
  const point = await air.accessPoint({ name: here, channel: channels[here], ssids })
  const { block } = networkBlock(network('r-gone', 'wpa2-wpa3-psk', { passphrase: 'sesame sesame' }))
  using events = watched(target)
  await join(target, block, { frequencies })
  await air.group(here, 2)
  await events.find('disconnected', 'the loss is told', 0)
  scene.ok(true, 'an access point that falls silent is missed')
  const since = point.output.end
  await air.group(here, 1)
  await events.find('reconnected', 'the return is told', 0)
  await point.waitFor(/4WAY-HS-COMPLETED/, 'the access point has the station again', patience, since)
  scene.is((await target.read()).state, 'completed', 'it is joined again when it is back')

  const stopped = events.heard.end
  await point.stop()
  await events.find('disconnected', 'the loss is told', stopped)
  await point.start()
  await events.find('reconnected', 'the return is told', stopped)
  scene.is((await target.read()).state, 'completed', 'also after the access point was restarted')
}

const stages: readonly Stage[] = ['associating', 'eap-started', 'verified']

/** How a join may end whose access point is out of range from some stage on; it may also be through already. */
const endings = ['not-found', 'association-rejected', 'access-point-lost']

/** The access point is gone at each stage of a join, and in range again: the join ends, and the next one succeeds. */
export async function isStruck(
  scene: Scene,
  air: Air,
  target: SupplicantInterface,
  counts: () => Promise<object>,
): Promise<void> {
  const ssids = [{ ssid: 'r-struck', lines: offers.wpa2Enterprise }]
  await air.accessPoint({ name: here, channel: channels[here], ssids })
  const { block } = networkBlock(network('r-struck', 'wpa2-enterprise', { eap: tls(air) }))
  const known = { frequencies: [frequencyOf(channels[here])] }
  const deadlines = { association: 8_000 }
  await join(target, block, known)
  const before = await counts()
  for (const stage of stages) {
    await target.disconnect()
    let struck: Promise<void> | undefined
    const onProgress = (attempt: Attempt) => {
      if (attempt.stage === stage) struck ??= air.group(here, 2)
    }
    const ended = await join(target, block, { ...known, deadlines, onProgress }).then(
      () => 'joined',
      (error: unknown) => (isSupplicantError(error) ? error.code : String(error)),
    )
    await struck
    scene.ok(struck !== undefined && [...endings, 'joined'].includes(ended), `gone at ${stage}: ${ended}`)
    await air.group(here, 1)
    const { ms, attempt } = await join(target, block, known)
    scene.is(attempt.method, 'TLS', `in range again: joined in ${Math.round(ms)} ms, by the certificate`)
    scene.comment(JSON.stringify(attempt.times))
    scene.is(await counts(), before, 'nothing is left behind')
  }
}

/** Down, or blocked (rfkill): told apart from a network that is not there, and joined when that is over. */
export async function isSwitchedOff(scene: Scene, air: Air, target: SupplicantInterface): Promise<void> {
  const ssids = [{ ssid: 'r-off', lines: offers.psk }]
  await air.accessPoint({ name: here, channel: channels[here], ssids })
  const { block } = networkBlock(network('r-off', 'wpa2-psk', { passphrase: 'sesame sesame' }))
  const known = { frequencies: [frequencyOf(channels[here])] }
  const link = (state: 'up' | 'down') => air.site.spaces.ip('sensor', [`link set ${station} ${state}`])
  const ways = [
    ['taken down', () => link('down'), () => link('up')],
    ['blocked', () => air.blocked(station, true), () => air.blocked(station, false).then(() => link('up'))],
  ] as const
  for (const [how, off, on] of ways) {
    await off()
    const error = await join(target, block, { ...known, deadlines: { noAuthenticator: 2_000 } }).catch(
      (error: unknown) => error,
    )
    const found = isSupplicantError(error) && error.attempt ? triage(error.attempt) : undefined
    scene.is([found?.code, found?.title], ['interface-disabled', 'The radio is switched off'], how)
    await on()
    await join(target, block, known)
    scene.ok(true, `${how}, and back: joined`)
  }
}

/** One SSID on two channels: the restriction decides which access point it is. */
export async function isRestricted(scene: Scene, air: Air, target: SupplicantInterface): Promise<void> {
  const ssids = [{ ssid: 'r-twin', lines: offers.psk }]
  await Promise.all([here, there].map(name => air.accessPoint({ name, channel: channels[name], ssids })))
  const psk = { passphrase: 'sesame sesame' }
  for (const name of [here, there]) {
    const only = [frequencyOf(channels[name])]
    const wanted = network('r-twin', 'wpa2-psk', { ...psk, idStr: `r:${name}`, frequencies: only })
    await join(target, networkBlock(wanted).block)
    scene.is(await frequency(air), only[0], `restricted to ${only[0]} MHz it is there`)
  }
  for (const bss of await scan(target, { frequencies })) {
    if (bss.name !== 'r-twin') continue
    const wanted = network('r-twin', 'wpa2-psk', { ...psk, idStr: `r:${bss.bssid}`, bssid: bss.bssid })
    await join(target, networkBlock(wanted).block, { frequencies })
    scene.is(await frequency(air), bss.frequency, `restricted to the BSSID ${bss.bssid} it is there`)
  }
}
