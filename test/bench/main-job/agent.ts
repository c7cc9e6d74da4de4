/** The main job by the agent, which is resident before the documents are published, as wpa_supplicant is. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../lab/command.ts'
import { documents } from '../../lab/documents.ts'
import type { Lab } from '../../lab/lab.ts'
import { giveReadyKey } from '../../lab/ready-key.ts'
import type { Sensor } from '../../lab/sensor.ts'
import type { Bench } from './address.ts'
import type { Time } from './figures.ts'

interface Event {
  at: string
  event: string
  network?: string
}

interface Reported {
  interfaces: Record<string, { supplicant: boolean }>
}

/** The events that end a stage, in order. */
const milestones: readonly (readonly [stage: string, event: string, network: string])[] = [
  ['join', 'joined', 'onboarding'],
  ['lease', 'leased', 'onboarding'],
  ['key', 'key-ready', 'corp'],
  ['enroll', 'certificate-issued', 'corp'],
  ['joinTested', 'joined', 'corp'],
  ['leaseTested', 'leased', 'corp'],
]

/**
 * One run from a locked port and an empty state. With `readyKey` the agent finds a spare key; otherwise it keeps none.
 * The stages are moments since the documents were published, not durations: the key is made beside everything else.
 */
export async function runAgent(readyKey: boolean, { lab, addresses, settled }: Bench): Promise<Time> {
  const settings = { spareKeys: readyKey, time: { trustSystemClock: true }, logLevel: 'info' }
  const sensor = await prepare(lab, settings, readyKey)
  const { onboarding, corp, sensor: desired } = await documents(lab)
  // By address, as the scripts have it: udhcpc's script leaves the resolver of the machine alone.
  corp.scep.url = lab.scep.urlByAddress
  await settled()
  const since = { address: addresses.end, message: lab.operator.messages.end }
  const published = Date.now()
  await Promise.all([
    lab.operator.network('onboarding', onboarding),
    lab.operator.network('corp', corp),
    lab.operator.desired(sensor.id, desired),
  ])
  const leased = await addresses.leased(since.address)
  const isLease = (document: unknown): boolean => isMilestone(document as Event, 'leased', 'corp')
  await sensor.event(isLease, 'the agent says that it has the lease', 5_000, since.message)
  const stages = stagesOf(lab, sensor, since.message, published)
  await clear(lab, sensor)
  return { total: leased - published, stages }
}

const isMilestone = (event: Event, name: string, network: string): boolean =>
  event.event === name && event.network === network

function stagesOf(lab: Lab, sensor: Sensor, since: number, published: number): Record<string, number> {
  const topic = `sonde/sensors/${sensor.id}/events`
  const events = lab.operator.messages
    .since(since)
    .flatMap(message => (message.topic === topic ? [message.document as Event] : []))
  return Object.fromEntries(
    milestones.map(([stage, name, network]) => {
      const event = events.find(candidate => isMilestone(candidate, name, network))
      return [stage, event ? Date.parse(event.at) - published : NaN]
    }),
  )
}

/** A locked port, a supplicant that knows nothing, an agent with nothing but its settings and perhaps a key. */
async function prepare(lab: Lab, settings: Record<string, unknown>, readyKey: boolean): Promise<Sensor> {
  await lab.supplicant.restart()
  // Started with -dd by the laboratory, it would write ten times as much as the scripts' own.
  const level = ['s', 'info']
  const property = ['fi.w1.wpa_supplicant1', '/fi/w1/wpa_supplicant1', 'fi.w1.wpa_supplicant1', 'DebugLevel']
  await run('busctl', [`--address=${lab.bus.address}`, 'set-property', ...property, ...level])
  await lab.switch.reset()
  const id = 'sensor-1'
  if (readyKey) await giveReadyKey(join(lab.site.folder, id, 'state'))
  const since = lab.operator.messages.end
  const sensor = await lab.sensor({ id, settings, keyReady: false })
  const isReady = (document: unknown): boolean =>
    (document as Reported).interfaces['eth0']?.supplicant === true
  await sensor.reported(isReady, 'the agent is there and has its supplicant', 10_000, since)
  return sensor
}

/** Nothing is left of the run: no process, no state, no retained document. */
async function clear(lab: Lab, sensor: Sensor): Promise<void> {
  await sensor.stop()
  await rm(sensor.state, { recursive: true })
  await Promise.all([
    ...['onboarding', 'corp'].map(network => lab.operator.network(network, undefined)),
    ...['desired', 'reported', 'presence'].map(kind =>
      lab.operator.publish(`sensors/${sensor.id}/${kind}`, undefined, true),
    ),
  ])
}
