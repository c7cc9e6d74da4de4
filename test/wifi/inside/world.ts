import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Broker, broker } from '../../lab/broker.ts'
import { type Counters, counters } from '../../lab/counters.ts'
import { challenge } from '../../lab/documents.ts'
import { type Operator, operator } from '../../lab/operator.ts'
import { type ScepServer, scepServer } from '../../lab/scep-server.ts'
import { dnsmasq } from '../../lab/segment.ts'
import { giveReadyKey, keptKey } from '../../lab/ready-key.ts'
import { observed } from '../../lab/supplicant/held.ts'
import { type Document, Sensor } from '../../lab/sensor.ts'
import { offers, passphrase, type Ssid, users } from './access-point.ts'
import { Air, radios, station } from './air.ts'

/** Where test/wifi/machine puts the agent as it is installed on a device. */
const agent = '/run/job/sonde.cjs'

/** Of the sensor's radio. */
export const country = 'CH'

/** Milliseconds for what an emulated processor does. */
export const patience = 90_000

/** What the agent says, as far as these tests look at it (docs/mqtt.md). */
export interface SensorEvent {
  at: string
  event: string
  network?: string
  text: string
  data?: Record<string, unknown>
}

export const [home, office] = [radios[0], radios[1]]

const onboarding: Ssid = { ssid: 'a-onboarding', lines: offers.sae, segment: 'enroll' }
const one: Ssid = { ssid: 'a-one', lines: offers.wpa2Enterprise, segment: 'tested' }
const corp: Ssid = { ssid: 'a-corp', lines: offers.wpa2Enterprise, segment: 'tested' }

/** The air, the servers behind it, and the agent on the sensor. */
export class World implements AsyncDisposable {
  readonly air: Air
  readonly scep: ScepServer
  readonly operator: Operator
  readonly #broker: Broker

  private constructor(air: Air, scep: ScepServer, mosquitto: Broker, ears: Operator) {
    this.air = air
    this.scep = scep
    this.operator = ears
    this.#broker = mosquitto
  }

  static async raise(): Promise<World> {
    const air = await Air.raise()
    try {
      const { site } = air
      const scep = await scepServer(site, { challenge, allowRenew: 0, validityDays: 365 })
      const mosquitto = await broker(site, { saveAtOnce: false })
      await dnsmasq(site, 'enroll', false)
      await dnsmasq(site, 'tested', false)
      return new World(air, scep, mosquitto, await operator(mosquitto.socket))
    } catch (error) {
      await air[Symbol.asyncDispose]()
      throw error
    }
  }

  /** The access points: `home` has the enrollment network and one SSID for everything, `office` the tested network. */
  async accessPoints() {
    const eap = { ...this.air.eap, clientCa: this.scep.ca }
    return {
      home: await this.air.accessPoint({ name: home, channel: 1, ssids: [onboarding, one], eap }),
      office: await this.air.accessPoint({ name: office, channel: 6, ssids: [corp], eap }),
    }
  }

  /** Profiles as an operator publishes them; all are for the sensor's radio. */
  async profiles() {
    const trust = {
      serverName: 'radius.example.org',
      serverCa: [await readFile(this.air.pki.root, 'utf8')],
    }
    const radio = { schema: 1, interface: 'wireless' }
    const tls = { method: 'TLS', ...trust }
    const scep = (enrollmentNetwork: string) => ({
      scep: { enrollmentNetwork, url: this.scep.url, challengePassword: challenge },
    })
    const enterprise = (ssid: string) => ({ wireless: { ssid, security: 'wpa2-enterprise' } })
    return {
      onboarding: { ...radio, wireless: { ssid: 'a-onboarding', security: 'wpa3-sae', passphrase } },
      corp: { ...radio, ...enterprise('a-corp'), eap: tls, ...scep('onboarding') },
      bootstrap: { ...radio, ...enterprise('a-one'), eap: { method: 'PEAP', ...users.peap, ...trust } },
      one: { ...radio, ...enterprise('a-one'), eap: tls, ...scep('bootstrap') },
    }
  }

  /** The agent on the sensor's radio; the broker is reached over a cable. */
  async sensor(id: string): Promise<Sensor> {
    const { site, bus } = this.air
    const folder = join(site.folder, id)
    const state = join(folder, 'state')
    await mkdir(state, { recursive: true, mode: 0o700 })
    await mkdir(join(folder, 'run'))
    await this.readyKey(state)
    const file = join(folder, 'sonde.json')
    const settings = {
      ...{ sensor: id, serial: id, stateDirectory: state, runtimeDirectory: join(folder, 'run') },
      ...{ bus: bus.address, interfaces: [{ name: station, kind: 'wireless', country }] },
      ...{ management: { interface: 'eth1' }, mqtt: { urls: [this.#broker.url] }, logLevel: 'debug' },
      spareKeys: false, // see readyKey
      // As on a board with a battery clock; what is known of the time is not the matter here.
      time: { trustSystemClock: true },
    }
    await writeFile(file, JSON.stringify(settings))
    const process_ = await site.daemon({
      ...{ name: id, role: 'sensor', command: process.execPath, args: [agent, 'run', file] },
      env: { DBUS_SYSTEM_BUS_ADDRESS: bus.address, ...observed },
      ready: () => Promise.resolve(),
    })
    return new Sensor(this, id, process_, state, file)
  }

  /** An emulated processor takes seconds to make a key: one more lies ready for the sensor with this state. */
  async readyKey(state: string): Promise<void> {
    const key = await keptKey(this)
    if (key !== undefined) await giveReadyKey(state, key)
  }

  async counters(): Promise<Counters> {
    return counters(this.air.site.spaces)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.operator[Symbol.asyncDispose]()
    await this.air[Symbol.asyncDispose]()
  }
}

/** What a sensor says from now on. */
export function listen(world: World, sensor: Sensor) {
  const since = world.operator.messages.end
  // An event is any JSON; what of it a test looks at is what it is about.
  const event = async (wanted: (event: SensorEvent) => boolean, sentence: string): Promise<SensorEvent> =>
    (await sensor.event(
      document => wanted(document as unknown as SensorEvent),
      sentence,
      patience,
      since,
    )) as unknown as SensorEvent
  return {
    event,
    named: (name: string, network: string) =>
      event(said => said.event === name && said.network === network, `${network} is ${name}`),
    reported: (wanted: (document: Document) => boolean, sentence: string) =>
      sensor.reported(wanted, sentence, patience, since),
  }
}

/** A network in the reported state. */
export interface ReportedNetwork {
  phase: string
  certificate?: { serial: string; notAfter: string }
  lastTest?: { passed: boolean }
  problem?: { code: string; title: string; detail: string; side: string }
}

export const networkOf = (document: Document, id: string): ReportedNetwork | undefined =>
  (document['networks'] as Record<string, ReportedNetwork> | undefined)?.[id]
