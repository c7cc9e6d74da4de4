import { bus, supplicant, type Bus } from './bus.ts'
import { broker, type Broker, type BrokerOptions } from './broker.ts'
import { counters, countPackets, silence, type Counters } from './counters.ts'
import type { Daemon } from './daemon.ts'
import { challenge, peapUser } from './documents.ts'
import { listenToSignals } from './last-resort.ts'
import { sweep, type Role } from './namespace.ts'
import { operator, type Operator } from './operator.ts'
import { pki, type Pki } from './pki.ts'
import { byMethod } from './port-control.ts'
import { radius, type Radius, type RadiusOptions } from './radius.ts'
import { scepServer, type ScepOptions, type ScepServer } from './scep-server.ts'
import { dnsmasq } from './segment.ts'
import { raiseSensor, type Sensor, type SensorOptions } from './sensor.ts'
import { Site } from './site.ts'
import { raiseSwitch, type Switch, type SwitchOptions } from './switch.ts'
import { layCables, ports, subnets, type Segment } from './topology.ts'

export type LabOptions = {
  /** Cables from the sensor to the switch: eth0, and with 2 also eth2. */
  ports: 1 | 2
  /** Without it the sensor has no eth1 and reaches the broker over the segments only. */
  management: boolean
  radius: Partial<RadiusOptions>
  scep: Partial<ScepOptions>
  broker: Partial<BrokerOptions>
  switch: Partial<Omit<SwitchOptions, 'ports'>>
  /** DHCP names a time server (option 42) at the SCEP server's address; it is for the test to raise it. */
  ntp: boolean
  /** A private bus with wpa_supplicant on it. */
  supplicant: boolean
  /** An empty folder where configuration, sockets and logs go and stay; default: a temporary one that disposal removes. */
  folder: string | undefined
  /** SIGINT, SIGTERM and SIGHUP take the lab down and end this process; false for a program that does so itself. */
  signals: boolean
}

/** What the lab wants of a tap test, to show the logs when it has failed. */
export type FailureReport = { passing(): boolean; teardown(handler: () => void): unknown }

const defaults: LabOptions = {
  ports: 1,
  management: true,
  radius: {},
  scep: {},
  broker: {},
  switch: {},
  ntp: false,
  supplicant: true,
  folder: undefined,
  signals: true,
}

type Parts = {
  pki: Pki
  switch: Switch
  radius: Radius
  scep: ScepServer
  broker: Broker
  segments: Record<Segment, Daemon>
  operator: Operator
  bus: Bus | undefined
  supplicant: Daemon | undefined
}

async function start(site: Site, options: LabOptions): Promise<Parts> {
  const files = await pki()
  await site.spaces.create()
  const cables = ports.slice(0, options.ports)
  await layCables(site.spaces, { ports: cables, management: options.management })
  await countPackets(site.spaces, cables, options.management)
  const servers = async () => {
    const scep = await scepServer(site, { challenge, allowRenew: 0, validityDays: 365, ...options.scep })
    const users = { [peapUser.identity]: peapUser.password }
    const login: RadiusOptions = {
      ...{ server: files.server, clientCa: [scep.ca], users, rejectAll: false, tlsMin: '1.2', tlsMax: '1.2' },
      ...options.radius,
    }
    return { scep, radius: await radius(site, login) }
  }
  const messaging = async () => {
    const mosquitto = await broker(site, { saveAtOnce: true, ...options.broker })
    return { broker: mosquitto, operator: await operator(mosquitto.socket) }
  }
  const sensorSide = async () => {
    if (!options.supplicant) return { bus: undefined, supplicant: undefined }
    const dbus = await bus(site)
    return { bus: dbus, supplicant: await supplicant(site, dbus.address) }
  }
  const work = [
    raiseSwitch(site, { ports: cables, assign: byMethod, reauthPeriod: 0, quiet: false, ...options.switch }),
    servers(),
    messaging(),
    sensorSide(),
    dnsmasq(site, 'enroll', options.ntp),
    dnsmasq(site, 'tested', options.ntp),
  ] as const
  // Nothing is still starting when a failure takes the rest down again; the operator is no daemon of the site.
  const ends = await Promise.allSettled(work)
  if (ends.some(({ status }) => status === 'rejected') && ends[2].status === 'fulfilled')
    await ends[2].value.operator[Symbol.asyncDispose]()
  const [authenticator, served, messages, side, enroll, tested] = await Promise.all(work)
  return { pki: files, switch: authenticator, ...served, ...messages, ...side, segments: { enroll, tested } }
}

/** One laboratory: see raise(). */
export class Lab implements AsyncDisposable {
  readonly site: Site
  readonly pki: Pki
  readonly switch: Switch
  readonly radius: Radius
  readonly scep: ScepServer
  readonly broker: Broker
  readonly operator: Operator
  readonly options: LabOptions
  readonly #parts: Parts
  readonly #sensors: Sensor[] = []

  constructor(site: Site, parts: Parts, options: LabOptions) {
    this.site = site
    this.options = options
    this.pki = parts.pki
    this.switch = parts.switch
    this.radius = parts.radius
    this.scep = parts.scep
    this.broker = parts.broker
    this.operator = parts.operator
    this.#parts = parts
  }

  /** The private system bus with wpa_supplicant on it. */
  get bus(): Bus {
    if (this.#parts.bus === undefined)
      throw new Error('this lab was raised without a bus (supplicant: false)')
    return this.#parts.bus
  }

  get supplicant(): Daemon {
    if (this.#parts.supplicant === undefined) throw new Error('this lab was raised with supplicant: false')
    return this.#parts.supplicant
  }

  /** The cable of port `index`, eth0 by default. */
  get cable() {
    return {
      pull: (index = 0) => this.switch.pull(index),
      plug: (index = 0) => this.switch.plug(index),
    }
  }

  /** DHCP and DNS of a segment. */
  dhcp(segment: Segment): Daemon {
    return this.#parts.segments[segment]
  }

  /** Drops what the sensor sends over a link to a server, without an answer, until called with false. */
  async silence(over: Segment | 'management', to: 'scep' | 'broker', silent = true): Promise<void> {
    await silence(this.site.spaces, over, to, silent)
  }

  /** Somebody else lives on the segment: its gateway asks for a host once a second, by ARP. */
  async chatter(segment: Segment): Promise<Daemon> {
    const args = ['-n', '-q', `${subnets[segment]}.99`]
    const ready = (): Promise<void> => Promise.resolve()
    return this.site.daemon({ name: `chatter-${segment}`, role: 'backend', command: 'ping', args, ready })
  }

  /** Packets of the sensor since the lab was raised. */
  async counters(): Promise<Counters> {
    return counters(this.site.spaces)
  }

  /** Runs a command in a namespace and returns its output; rejects on any exit code but 0. */
  async exec(role: Role, command: string, args: readonly string[] = []): Promise<string> {
    return this.site.spaces.exec(role, command, args)
  }

  /** Raises the agent in the sensor's namespace. */
  async sensor(options: Partial<SensorOptions> = {}): Promise<Sensor> {
    const sensor = await raiseSensor(this, options)
    this.#sensors.push(sensor)
    return sensor
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sensors.map(sensor => sensor.stop()))
    await this.operator[Symbol.asyncDispose]()
    await this.site[Symbol.asyncDispose]()
  }
}

/**
 * Raises a laboratory: real daemons in namespaces of its own, ready to serve, beside any other lab on the machine.
 * `await using lab = await raise(t)` takes it down in any case; when the test `t` has failed, the ends of all logs follow on standard error.
 */
export async function raise(t?: FailureReport, options: Partial<LabOptions> = {}): Promise<Lab> {
  await sweep()
  const full = { ...defaults, ...options }
  if (full.signals) listenToSignals()
  const site = new Site(full.folder)
  t?.teardown(() => {
    if (!t.passing()) process.stderr.write(`${site.tails()}\n`)
  })
  try {
    return new Lab(site, await start(site, full), full)
  } catch (error) {
    await site[Symbol.asyncDispose]()
    throw error
  }
}
