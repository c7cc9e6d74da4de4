/** Raises the laboratory, starts the agent, publishes the documents, and shows what the sensor says until it has joined. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { documents } from '../lab/documents.ts'
import { raise, type Lab } from '../lab/lab.ts'
import type { Message } from '../lab/operator.ts'
import type { Sensor } from '../lab/sensor.ts'
import { addresses } from '../lab/topology.ts'
import type { Documents } from './breakages.ts'
import type { Options } from './options.ts'
import { Screen, type Output } from './screen.ts'
import { stayText } from './stay.ts'
import { begin, end, newStory, tell, type Failure, type SensorEvent, type Story } from './story.ts'
import { failed, ownFailure, success } from './summary.ts'
import { duration } from './timeline.ts'

/** Milliseconds for everything until the sensor has joined. */
const deadline = 60_000

export interface Outputs {
  out: Output
  errors: Output
}

/** Returns the exit code. Whatever happens, namespaces and processes are gone when it does; the logs stay after a failure. */
export async function demonstrate(options: Options, outputs: Outputs, signal: AbortSignal): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'sonde-demo-'))
  const code = await new Demonstration(options, outputs, folder).run(signal)
  if (code !== 1) await rm(folder, { recursive: true, force: true })
  return code
}

interface Reported {
  networks: Record<string, { phase: string; lastTest?: { passed: boolean } }>
  applied: { desired?: { version: number } }
}

class Demonstration {
  readonly #options: Options
  readonly #outputs: Outputs
  readonly #folder: string
  readonly #screen: Screen
  #story: Story = newStory('corp')
  #changed: () => void = () => undefined

  constructor(options: Options, outputs: Outputs, folder: string) {
    this.#options = options
    this.#outputs = outputs
    this.#folder = folder
    const silent: Output = { write: () => undefined }
    this.#screen = new Screen(options.json ? silent : outputs.out)
  }

  async run(stop: AbortSignal): Promise<number> {
    using _screen = this.#screen
    const signal = AbortSignal.any([stop, AbortSignal.timeout(deadline)])
    try {
      this.#tell(begin(this.#story, 'lab', 'laboratory raised', Date.now()))
      await using lab = await raise(undefined, { folder: this.#folder, signals: false })
      const daemons = 'hostapd, FreeRADIUS, wpa_supplicant, mosquitto, scepserver, dnsmasq'
      this.#tell(end(this.#story, 'lab', Date.now(), { detail: daemons }))
      signal.throwIfAborted()
      const failure = await this.#tellStory(lab, signal)
      if (failure) return this.#fail(failure)
      if (this.#options.stay) await this.#stay(lab, stop)
      return 0
    } catch (error) {
      if (!stop.aborted) return this.#fail(this.#unexpected(error, signal))
      this.#outputs.errors.write('interrupted\n')
      return 130
    }
  }

  async #tellStory(lab: Lab, signal: AbortSignal): Promise<Failure | undefined> {
    this.#tell(begin(this.#story, 'agent', 'agent started', Date.now()))
    // The machine's own clock is good enough for an hour's laboratory, synchronised or not.
    const sensor = await lab.sensor({ settings: { time: { trustSystemClock: true } } })
    const isOnline = (document: unknown): boolean => (document as { state: string }).state === 'online'
    await within(sensor.heard('presence', isOnline, 'the agent says that it is online'), signal)
    this.#tell(end(this.#story, 'agent', Date.now(), { detail: `online as ${sensor.id}` }))
    const docs = await documents(lab)
    const profile: Documents['corp'] & { scep: { alternativeNames?: string[] } } = docs.corp
    profile.scep.alternativeNames = ['dns:{serial}.example.org', 'upn:{serial}@example.org', 'mac']
    await this.#options.broken?.act(lab, docs)
    using _following = lab.operator.messages.follow(message => {
      this.#heard(message, sensor)
    })
    this.#screen.zero = Date.now()
    this.#tell(begin(this.#story, 'documents', 'profiles and sensor document published', Date.now()))
    await Promise.all([
      lab.operator.network('onboarding', docs.onboarding),
      lab.operator.network('corp', docs.corp),
      lab.operator.desired(sensor.id, docs.sensor),
    ])
    this.#tell(end(this.#story, 'documents', Date.now(), { detail: 'retained, with a real MQTT client' }))
    await within(Promise.race([this.#settled(), ended(sensor)]), signal)
    if (this.#story.failure) return this.#story.failure
    this.#screen.print(success(this.#story, await lab.counters(), this.#screen.look))
    return undefined
  }

  #heard({ topic, document }: Message, sensor: Sensor): void {
    if (topic === `sonde/sensors/${sensor.id}/events`) {
      if (this.#options.json) this.#outputs.out.write(`${JSON.stringify(document)}\n`)
      this.#tell(tell(this.#story, document as SensorEvent))
    } else if (topic === `sonde/sensors/${sensor.id}/reported`) this.#reported(document as Reported)
  }

  /** The report that says that the network is joined and passed its test ends the story. */
  #reported({ networks, applied }: Reported): void {
    const corp = networks[this.#story.tested]
    if (corp?.phase !== 'joined' || corp.lastTest?.passed !== true) return
    if (this.#story.lines.some(line => line.id === 'reported')) return
    const detail = `${this.#story.tested} joined, test passed, document version ${applied.desired?.version ?? '?'} applied`
    this.#tell(end(this.#story, 'reported', Date.now(), { title: 'state reported', detail }))
  }

  #tell(story: Story): void {
    this.#story = story
    this.#screen.show(story)
    this.#changed()
  }

  /** Resolves when the story has come to its end, good or bad. */
  async #settled(): Promise<void> {
    const over = (): boolean =>
      this.#story.failure !== undefined || this.#story.lines.some(line => line.id === 'reported')
    await new Promise<void>(resolve => {
      this.#changed = () => {
        if (over()) resolve()
      }
      this.#changed()
    })
  }

  async #stay(lab: Lab, stop: AbortSignal): Promise<void> {
    const place = {
      space: (role: 'sensor' | 'switch' | 'backend') => lab.site.spaces.name(role),
      ...{ bus: lab.bus.address, folder: this.#folder, broker: addresses.broker },
      ...{ sensor: 'sensor-1', radius: 'freeradius' },
    }
    if (!this.#options.json) this.#screen.print(stayText(place))
    using _following = lab.operator.messages.follow(({ topic, document }) => {
      if (topic !== 'sonde/sensors/sensor-1/events') return
      const { at, text, severity } = document as SensorEvent
      if (this.#options.json) this.#outputs.out.write(`${JSON.stringify(document)}\n`)
      else if (severity !== 'debug') this.#screen.print(`   ${at.slice(11, 23)}  ${text}`)
    })
    await new Promise<void>(resolve => {
      if (stop.aborted) resolve()
      stop.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  #fail(failure: Failure): 1 {
    const text = failed(failure, `${this.#folder} (the agent's: sensor-1.log)`, this.#screen.look)
    if (this.#options.json) this.#outputs.errors.write(`${text}\n`)
    else this.#screen.print(text)
    return 1
  }

  #unexpected(error: unknown, signal: AbortSignal): Failure {
    const running = this.#story.lines.filter(line => line.state === 'running').map(line => line.title)
    const doing = running.join(', ') || 'nothing'
    if (signal.aborted) {
      const title = `It had not ended after ${duration(deadline)}`
      const hint = 'look at the logs; on a very slow machine run it again'
      return ownFailure(doing, title, `still running: ${doing}`, hint)
    }
    const detail = error instanceof Error ? error.message : String(error)
    const hint = 'look at the logs: the laboratory or the agent did not do what it should'
    return ownFailure(doing, 'The demonstration could not go on', detail, hint)
  }
}

/** The agent ends only when it is told to. */
async function ended(sensor: Sensor): Promise<never> {
  await sensor.process.ended
  throw new Error(`the agent ended:\n${sensor.process.output.tail(10)}`)
}

/** The promise's outcome, or the signal's reason if that comes first. */
async function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => undefined) // it may fail after the signal, when nobody waits for it any more
  signal.throwIfAborted()
  let abort: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
