/** What is known of the fleet, out of retained messages. */
import { createHash } from 'node:crypto'
import { Presence } from '../agent/desired/messages.ts'
import { parseNetworkProfile, parseSensorDocument } from '../agent/desired/parse.ts'
import type { NetworkProfile } from '../agent/desired/profile.ts'
import type { Reported } from '../agent/desired/reported.ts'
import type { SensorDocument } from '../agent/desired/sensor.ts'
import type { Broker } from './broker.ts'
import { readJson } from './json.ts'
import { readReport } from './report.ts'

export interface FleetSensor {
  id: string
  presence?: Presence
  reported?: Reported
  /** Places of its report that cannot be read. */
  odd?: string[]
  /** What is retained for it; undefined where nothing is, or nothing that can be read. */
  desired?: SensorDocument
}

export interface FleetNetwork {
  id: string
  /** SHA-256 of the retained bytes, as sensors report it. */
  sha256: string
  /** As written, for editing and export. */
  document: unknown
  /** undefined where the retained document cannot be used. */
  profile?: NetworkProfile
}

export class Fleet {
  readonly sensors = new Map<string, FleetSensor>()
  readonly networks = new Map<string, FleetNetwork>()

  /** Everything retained, and from then on everything new. */
  static async read(
    broker: Broker,
    parts: readonly Part[] = ['presence', 'reported', 'desired', 'networks'],
  ): Promise<Fleet> {
    const fleet = new Fleet()
    broker.listen((topic, payload) => fleet.take(topic.slice(broker.prefix.length + 1), payload))
    await broker.subscribe(parts.map(part => (part === 'networks' ? 'networks/+' : `sensors/+/${part}`)))
    return fleet
  }

  /** @param topic below the prefix */
  take(topic: string, payload: Buffer): void {
    const [kind, id = '', part] = topic.split('/')
    if (kind === 'networks') this.#network(id, payload)
    if (kind === 'sensors' && (part === 'presence' || part === 'reported' || part === 'desired'))
      this.#sensor(id, part, payload)
  }

  /** Sensors whose retained document lists the network. */
  assignedTo(network: string): FleetSensor[] {
    return this.inOrder().filter(({ desired }) => desired?.networks.some(entry => entry.network === network))
  }

  /** Sensors that read the profile: those that test the network, or one that enrols over it. */
  readersOf(network: string): FleetSensor[] {
    const over = ({ network: id }: { network: string }): boolean =>
      id === network || this.networks.get(id)?.profile?.scep?.enrollmentNetwork === network
    return this.inOrder().filter(({ desired }) => desired?.networks.some(over))
  }

  inOrder(): FleetSensor[] {
    return [...this.sensors.values()].sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }))
  }

  #network(id: string, payload: Buffer): void {
    if (payload.length === 0) {
      this.networks.delete(id)
      return
    }
    const result = parseNetworkProfile(payload, id)
    const document = readJson(payload)
    const sha256 = createHash('sha256').update(payload).digest('hex')
    this.networks.set(id, { id, sha256, document, ...(result.ok && { profile: result.document.value }) })
  }

  #sensor(id: string, part: 'presence' | 'reported' | 'desired', payload: Buffer): void {
    const { [part]: _, ...before } = this.sensors.get(id) ?? { id }
    const sensor: FleetSensor = { ...before, id }
    if (part === 'reported') delete sensor.odd
    const document = readJson(payload)
    if (part === 'desired') {
      const result = parseSensorDocument(payload)
      if (result.ok) sensor.desired = result.document.value
    } else if (part === 'presence') {
      const presence = Presence.safeParse(document)
      if (presence.success) sensor.presence = presence.data
    } else if (payload.length > 0) {
      const { reported, odd } = readReport(document)
      if (reported) sensor.reported = reported
      if (odd.length > 0) sensor.odd = odd
    }
    if (sensor.presence ?? sensor.reported ?? sensor.desired ?? sensor.odd) this.sensors.set(id, sensor)
    else this.sensors.delete(id)
  }
}

type Part = 'presence' | 'reported' | 'desired' | 'networks'
