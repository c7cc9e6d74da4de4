import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { cleanEnvironment, run } from './command.ts'
import type { Daemon } from './daemon.ts'
import type { Lab } from './lab.ts'
import { checkout } from './pki.ts'
import { giveReadyKey, keptKey } from './ready-key.ts'

export type SensorOptions = {
  /** Sensor id, also its serial. */
  id: string
  /** Laid over the lab's settings, key by key. */
  settings: Readonly<Record<string, unknown>>
  /** Environment of every run, such as SONDE_CHECKPOINTS. */
  environment: Readonly<Record<string, string>>
  /** Whether a key lies ready for its first certificate (ready-key.ts); true unless told. */
  keyReady: boolean
}

/** A document the agent publishes, as far as a test looks at it; docs/mqtt.md has the whole. */
export type Document = Record<string, unknown>

/** Milliseconds between SIGTERM and SIGKILL; the agent itself takes 1.5 s at most to say what is waiting to be said. */
const graceMs = 4_000

let built: Promise<void> | undefined

/** The agent's bundle as it is installed on a device, built once per process unless `npm test`, which says so, has just built it. */
async function bundle(): Promise<string> {
  built ??= process.env['SONDE_BUILT'] === undefined ? build() : Promise.resolve()
  await built
  return join(checkout(), 'dist', 'sonde.cjs')
}

async function build(): Promise<void> {
  await run('npm', ['run', '--silent', 'build'], {
    cwd: checkout(),
    env: { PATH: process.env['PATH'] ?? cleanEnvironment['PATH'] ?? '' },
    deadlineMs: 60_000,
  })
}

/** The agent on the lab's sensor. Its state stays in `state` over kill() and start(). */
export class Sensor {
  readonly id: string
  readonly process: Daemon
  readonly state: string
  readonly settingsFile: string
  readonly #lab: Pick<Lab, 'operator'>

  constructor(lab: Pick<Lab, 'operator'>, id: string, process: Daemon, state: string, settingsFile: string) {
    this.#lab = lab
    this.id = id
    this.process = process
    this.state = state
    this.settingsFile = settingsFile
  }

  /** Starts the agent again, in the state it left; `environment` is this run's own, such as SONDE_KILL_AT. */
  async start(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.process.start(environment)
  }

  /** A clean stop, as systemd asks for it: KillMode=mixed tells the agent alone, which ends its children itself. */
  async stop(): Promise<void> {
    if (this.process.pid === undefined) return
    process.kill(this.process.pid, 'SIGTERM')
    const timer = setTimeout(() => this.process.kill('SIGKILL'), graceMs)
    await this.process.ended
    clearTimeout(timer)
  }

  /** A crash. */
  async kill(): Promise<void> {
    await this.process.stop('SIGKILL')
  }

  /** The first reported state that satisfies `wanted`, counting from message `since` of the operator. */
  async reported(
    wanted: (document: Document) => boolean,
    sentence: string,
    ms?: number,
    since?: number,
  ): Promise<Document> {
    return this.heard('reported', wanted, sentence, ms, since)
  }

  async event(
    wanted: (document: Document) => boolean,
    sentence: string,
    ms?: number,
    since?: number,
  ): Promise<Document> {
    return this.heard('events', wanted, sentence, ms, since)
  }

  /** The first document of this sensor on `reported`, `events`, `presence` or `replies`; rejects at once when the agent ends meanwhile. */
  async heard(
    kind: 'reported' | 'events' | 'presence' | 'replies',
    wanted: (document: Document) => boolean,
    sentence: string,
    ms?: number,
    since?: number,
  ): Promise<Document> {
    const heard = this.#lab.operator.heard(`sensors/${this.id}/${kind}`, wanted, sentence, ms, since)
    const ended = (): Promise<never> =>
      this.process.ended.then(() => {
        throw new Error(`waiting until ${sentence}: the agent ended\n${this.process.output.tail()}`)
      })
    const document = await (this.process.running ? Promise.race([heard, ended()]) : heard)
    // What a daemon wrote before that may lie in its pipe yet: it is read in the same turn of the loop.
    await setImmediate()
    return document
  }

  /** Every event heard so far. */
  get events(): Document[] {
    const topic = `sonde/sensors/${this.id}/events`
    return this.#lab.operator.messages
      .since(0)
      .flatMap(message => (message.topic === topic ? [message.document as Document] : []))
  }
}

/** Settings of a sensor in this lab. */
function settings(lab: Lab, id: string, state: string): Document {
  const [eth0, eth2] = [
    { name: 'eth0', kind: 'wired' },
    { name: 'eth2', kind: 'wired' },
  ]
  return {
    sensor: id,
    serial: id,
    stateDirectory: state,
    runtimeDirectory: join(state, '..', 'run'),
    bus: lab.bus.address,
    interfaces: lab.options.ports === 2 ? [eth0, eth2] : [eth0],
    management: lab.options.management ? { interface: 'eth1' } : 'tested',
    mqtt: { urls: [lab.broker.url] },
    spareKeys: false, // none is made ahead for a certificate that most tests never ask for
    logLevel: 'debug',
  }
}

export async function raiseSensor(lab: Lab, options: Partial<SensorOptions>): Promise<Sensor> {
  const { id = 'sensor-1', keyReady = true } = options
  const folder = join(lab.site.folder, id)
  const state = join(folder, 'state')
  await mkdir(state, { recursive: true, mode: 0o700 })
  await mkdir(join(folder, 'run'), { recursive: true })
  const key = keyReady ? await keptKey(lab) : undefined
  if (key !== undefined) await giveReadyKey(state, key)
  const cache = join(checkout(), 'node_modules', '.cache', 'agent') // one for all sensors: they run the same program
  await mkdir(cache, { recursive: true, mode: 0o700 })
  const file = join(folder, 'sonde.json')
  await writeFile(file, JSON.stringify({ ...settings(lab, id, state), ...options.settings }, null, 2))
  const agent = await lab.site.daemon({
    name: id,
    role: 'sensor',
    command: process.execPath,
    args: [await bundle(), 'run', file],
    env: {
      DBUS_SYSTEM_BUS_ADDRESS: lab.bus.address,
      CACHE_DIRECTORY: cache,
      RUNTIME_DIRECTORY: join(folder, 'run'), // what a killed agent leaves goes with the lab
      ...options.environment,
    },
    ready: () => Promise.resolve(), // a test waits for what it is about: presence, a reported state, an error
  })
  return new Sensor(lab, id, agent, state, file)
}
