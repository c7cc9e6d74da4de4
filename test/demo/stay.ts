/** `--stay`: everything keeps running, and it is said how to talk to it. */
import type { Lab } from '../lab/lab.ts'
import type { Message } from '../lab/operator.ts'
import type { Sensor } from '../lab/sensor.ts'
import { addresses } from '../lab/topology.ts'
import type { Options } from './options.ts'
import type { Stage } from './stage.ts'
import type { SensorEvent } from './story.ts'

export interface Stay {
  lab: Lab
  sensor: Sensor
  stage: Stage
  folder: string
}

/** Shows what the sensor says until `stop` aborts. */
export async function stay(
  { lab, sensor, stage, folder }: Stay,
  options: Options,
  stop: AbortSignal,
): Promise<void> {
  const place: Place = {
    space: role => lab.site.spaces.name(role),
    ...{ bus: lab.bus.address, folder, broker: addresses.broker, scep: lab.scep.urlByAddress },
    ...{ sensor: sensor.id, radius: lab.radius.daemon.name },
  }
  stage.screen.print(stayText(place))
  const show = ({ topic, document }: Message): void => {
    if (topic !== `sonde/sensors/${sensor.id}/events`) return
    stage.json(document)
    const { at, event, text, severity } = document as SensorEvent
    if (severity !== 'debug' && event !== 'step-done') stage.screen.print(`   ${at.slice(11, 23)}  ${text}`)
  }
  using _following = lab.operator.messages.follow(show)
  if (options.json) stage.own('stays', 'info', `everything keeps running in ${folder}`, { folder })
  if (stop.aborted) return
  await new Promise<void>(resolve => {
    stop.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** How to talk to what keeps running: commands that work as they stand. */
export interface Place {
  /** Name of a namespace by its role. */
  space: (role: 'sensor' | 'switch' | 'backend') => string
  /** D-Bus address. */
  bus: string
  folder: string
  broker: string
  /** URL of the SCEP server. */
  scep: string
  sensor: string
  radius: string
}

/** Pure. */
export function stayText({ space, bus, folder, broker, scep, sensor, radius }: Place): string {
  const backend = `ip netns exec ${space('backend')}`
  const none = JSON.stringify({ schema: 1, version: 2, networks: [] })
  const again = JSON.stringify({
    schema: 1,
    version: 3,
    networks: [{ network: 'corp', assignment: 'second' }],
  })
  const publish = `${backend} mosquitto_pub -h ${broker} -r -q 1 -t sonde/sensors/${sensor}/desired -m`
  const commands: [string, ...string[]][] = [
    [
      "the operator's side, once this is typed",
      `sonde() { SONDE_BROKER=mqtt://${broker} ${backend} node dist/sonde.cjs "$@"; }`,
      'sonde fleet list',
      `sonde fleet show ${sensor}`,
      'sonde fleet certificates',
      `sonde fleet command ${sensor} renew corp`,
      "sonde fleet network edit corp --alias 'Corp LAN' --insecure",
      `sonde scep preflight ${scep}`,
    ],
    [
      'the state on the sensor itself, without a broker',
      `RUNTIME_DIRECTORY=${folder}/${sensor}/run node dist/sonde.cjs status`,
    ],
    ['everything on MQTT', `${backend} mosquitto_sub -h ${broker} -v -t 'sonde/#'`],
    ['take the network away, then assign it afresh', `${publish} '${none}'`, `${publish} '${again}'`],
    [
      'pull the cable, then plug it',
      `ip -n ${space('switch')} link set swp1 down`,
      `ip -n ${space('switch')} link set swp1 up`,
    ],
    ['routes of the sensor', `ip -n ${space('sensor')} rule; ip -n ${space('sensor')} route show table all`],
    ['what the supplicant has', `busctl --address=${bus} tree fi.w1.wpa_supplicant1`],
    [
      'EAP at the switch; logins at RADIUS; the log of the agent',
      `tail -f ${folder}/hostapd.log`,
      `tail -f ${folder}/${radius}.log`,
      `tail -f ${folder}/${sensor}.log`,
    ],
  ]
  const lines = commands.flatMap(([what, ...typed]) => [`   ${what}:`, ...typed.map(line => `     ${line}`)])
  const first = ' Everything keeps running until Ctrl-C. From another terminal, as root, in this folder:'
  return [first, '', ...lines, ''].join('\n')
}
