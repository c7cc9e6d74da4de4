/** Runs in the virtual machine: the library on simulated radios. */
import {
  type InterfaceFacts,
  type InterfaceNews,
  join,
  networkBlock,
  type SupplicantInterface,
} from '../../../supplicant/index.ts'
import type { Daemon } from '../../lab/daemon.ts'
import { Journal } from '../../lab/journal.ts'
import { interfaceName } from './access-point.ts'
import { failures, fails } from './failures.ts'
import { comesBack, isRestricted, isStruck, isSwitchedOff, roams } from './roaming.ts'
import { Air, radios, station } from './air.ts'
import { type Kind, kinds, network, ssids, tls } from './kinds.ts'
import { program, type Scene, scenario } from './scenario.ts'

program(async () => {
  await using air = await Air.raise()
  const logs = (): string => air.site.tails(60)
  await using wpa = await air.connect()
  const wlan = await air.radio(wpa)
  const first = await air.accessPoint({ name: radios[0], channel: 1, ssids })
  for (const kind of kinds(air))
    await scenario(`S2-15: the sensor joins ${kind.name}`, logs, scene =>
      joins(scene, air, wlan, first, kind),
    )
  await scenario(
    'a network with a certificate is shown the permanent MAC, whatever is said of others',
    logs,
    scene => isKnown(scene, air, wlan, first),
  )
  for (const failure of failures(air))
    await scenario(`what is wrong is found: ${failure.name}`, logs, scene => fails(scene, wlan, failure))
  await first.stop()
  const moving = (
    name: string,
    act: (scene: Scene, air: Air, target: SupplicantInterface) => Promise<void>,
  ) =>
    scenario(name, logs, async scene => {
      await using _undone = air.scene()
      await act(scene, air, wlan)
    })
  await moving('a BSSID or a frequency restricts where the sensor joins', isRestricted)
  await moving('the sensor roams between two access points of one SSID', roams)
  await moving('a radio that is switched off is not a network that is missing', isSwitchedOff)
  await moving('the access point is gone at every stage of a join', (scene, ...rest) =>
    isStruck(scene, ...rest, async () => {
      await wpa.logLevel() // it answers in order: nothing asked before is still on its way
      return wpa.counts()
    }),
  )
  await moving('an access point is gone and comes back', comesBack)
})

/** Somebody has the supplicant make up a MAC for every network: servers know whoever has a certificate by the real one. */
async function isKnown(scene: Scene, air: Air, target: SupplicantInterface, first: Daemon): Promise<void> {
  const makeUp = (value: '0' | '1') =>
    air.site.spaces.exec('sensor', 'busctl', [
      ...[`--address=${air.bus.address}`, 'set-property', 'fi.w1.wpa_supplicant1', target.path],
      ...['fi.w1.wpa_supplicant1.Interface', 'MacAddr', 's', value],
    ])
  const shown = async (ssid: string, security: 'open' | 'wpa2-enterprise'): Promise<string> => {
    const since = first.output.end
    const eap = security === 'open' ? {} : { eap: tls(air) }
    const { block } = networkBlock(network(ssid, security, { idStr: `mac:${since}`, ...eap }))
    await join(target, block, { frequencies: [2412] })
    const [, mac = ''] = await first.waitFor(/AP-STA-CONNECTED (\S+)/, 'it has the station', 5_000, since)
    return mac
  }
  const permanent = await shown('k-open', 'open')
  await makeUp('1')
  scene.ok((await shown('k-open', 'open')) !== permanent, 'an open network is shown another one')
  scene.is(await shown('k-enterprise', 'wpa2-enterprise'), permanent, 'WPA2-Enterprise the permanent one')
  await makeUp('0')
}

/**
 * An access point that is slow to answer, as an emulated one may be, is associated with twice: the second time may still
 * be under way.
 */
async function settled(target: SupplicantInterface): Promise<InterfaceFacts> {
  const news = new Journal<InterfaceNews>('supplicant', ({ kind }) => kind)
  using _listening = target.on(told => {
    news.add(told)
  })
  const facts = await target.read()
  if (facts.state === 'completed') return facts
  const completed = (told: InterfaceNews) =>
    told.kind === 'state' && told.state === 'completed' ? told : undefined
  await news.find(completed, 'the association is completed once more', 30_000, 0)
  return await target.read()
}

/**
 * The kernel asks again after 0.2 s, for which an emulated access point may be too slow. With OWE each request carries a key of its
 * own, and what the two then keep of each other does not go together: wpa_supplicant does not get over that by itself.
 */
const askedTwice = (point: Daemon, name: string, since: number): boolean =>
  point.output.since(since).filter(line => line.includes(`${name}: STA`) && line.includes(': associated'))
    .length > 1

async function joins(
  scene: Scene,
  air: Air,
  target: SupplicantInterface,
  first: Daemon,
  kind: Kind,
): Promise<void> {
  let since = first.output.end
  const { block } = networkBlock(kind.network)
  const name = interfaceName(radios[0], kind.at)
  const joined = async (): Promise<InterfaceFacts> => {
    const { attempt, ms } = await join(target, block, { frequencies: [2412] })
    scene.comment(`${Math.round(ms)} ms: ${JSON.stringify(attempt.times)}`)
    return await target.read()
  }
  let has = 'AP-STA-CONNECTED'
  let facts = await joined()
  if (facts.state !== 'completed' && kind.mode === 'OWE' && askedTwice(first, name, since)) {
    scene.comment('asked twice, the access point has another key than the station: joined anew')
    since = first.output.end
    has = 'EAPOL-4WAY-HS-COMPLETED' // the access point may not have missed it between the two
    facts = await joined()
  }
  const { state, authMode, currentNetwork } = facts.state === 'completed' ? facts : await settled(target)
  scene.is(state, 'completed', 'the port is open')
  scene.is(currentNetwork?.idStr, block.id_str, 'it is the network asked for')
  scene.is(authMode, kind.mode, `the supplicant says it is ${kind.mode}`)
  await first.waitFor(new RegExp(`${name}: ${has}`), 'the access point has the station', 5_000, since)
  const link = await air.site.spaces.exec('sensor', 'iw', ['dev', station, 'station', 'dump'])
  scene.is(
    /MFP:\s+(\w+)/.exec(link)?.[1],
    kind.pmf ? 'yes' : 'no',
    'management frames are protected as agreed',
  )
}
