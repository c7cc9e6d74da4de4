/** Raises the laboratory, starts the agent, and has the two chapters of the story told, one after the other. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { raise, type Lab } from '../lab/lab.ts'
import type { Sensor } from '../lab/sensor.ts'
import { enrolment, type Play } from './enrolment.ts'
import type { Options } from './options.ts'
import { renewal } from './renewal.ts'
import { isFull, watchRoom } from './room.ts'
import { Stage, type Outputs } from './stage.ts'
import { stay } from './stay.ts'
import { begin, end, failAll, type Failure } from './story.ts'
import { forWantOf, ownFailure, success, totals, unforeseen, type Whole } from './summary.ts'
import { duration } from './timeline.ts'
import { within } from './waiting.ts'

/** Milliseconds for everything until the certificate is renewed. */
const deadline = 60_000

/** The exit code after Ctrl-C, as a shell has it. */
const interrupted = 130

/**
 * Returns the exit code. Whatever happens, namespaces and processes are gone when it does; the logs stay after a failure.
 * `broken` aborts with an error that nobody else has heard.
 */
export async function demonstrate(
  options: Options,
  outputs: Outputs,
  signal: AbortSignal,
  broken = new AbortController().signal,
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'sonde-demo-'))
  const code = await new Demonstration(options, outputs, folder).run(signal, broken)
  if (code === interrupted) outputs.errors.write('interrupted\n')
  if (code !== 1) await rm(folder, { recursive: true, force: true })
  return code
}

class Demonstration {
  readonly #options: Options
  readonly #folder: string
  readonly #stage: Stage

  constructor(options: Options, outputs: Outputs, folder: string) {
    this.#options = options
    this.#folder = folder
    this.#stage = new Stage(options, outputs)
  }

  async run(stop: AbortSignal, unheard: AbortSignal): Promise<number> {
    using stage = this.#stage
    const late = AbortSignal.timeout(deadline)
    const full = new AbortController()
    using _room = watchRoom(this.#folder, error => {
      full.abort(error)
    })
    const broken = AbortSignal.any([unheard, full.signal])
    const signal = AbortSignal.any([stop, broken, late])
    const started = Date.now()
    try {
      stage.tell(begin(stage.story, 'lab', 'laboratory raised', Date.now()))
      await using lab = await raise(undefined, { folder: this.#folder, signals: false })
      const daemons = 'hostapd, FreeRADIUS, wpa_supplicant, mosquitto, scepserver, dnsmasq'
      stage.tell(end(stage.story, 'lab', Date.now(), { detail: daemons }))
      signal.throwIfAborted()
      const sensor = await this.#startAgent(lab, signal)
      const ending = await this.#chapters({ lab, sensor, stage, options: this.#options, signal })
      if ('finding' in ending) return await this.#fail(ending)
      const whole = { ...ending, ms: Date.now() - started }
      stage.screen.print(success(whole, stage.screen.look))
      stage.own('succeeded', 'info', 'the certificate was obtained and renewed', totals(whole))
      const over = AbortSignal.any([stop, broken])
      if (this.#options.stay) await stay({ lab, sensor, stage, folder: this.#folder }, this.#options, over)
      broken.throwIfAborted()
      return 0
    } catch (error) {
      if (!stop.aborted)
        return await this.#fail(this.#unexpected(broken.aborted ? broken.reason : error, late))
      stage.own('interrupted', 'info', 'the demonstration was interrupted', {})
      return interrupted
    }
  }

  async #startAgent(lab: Lab, signal: AbortSignal): Promise<Sensor> {
    const stage = this.#stage
    stage.tell(begin(stage.story, 'agent', 'agent started', Date.now()))
    // The machine's own clock is good enough for an hour's laboratory, synchronised or not.
    const sensor = await lab.sensor({
      settings: { spareKeys: true, time: { trustSystemClock: true } },
      keyReady: false, // it is seen being made
    })
    const isOnline = ({ state }: Record<string, unknown>): boolean => state === 'online'
    await within(sensor.heard('presence', isOnline, 'the agent says that it is online'), signal)
    stage.tell(end(stage.story, 'agent', Date.now(), { detail: `online as ${sensor.id}` }))
    return sensor
  }

  async #chapters(play: Play): Promise<Failure | Omit<Whole, 'ms'>> {
    const { lab, stage } = play
    using _following = lab.operator.messages.follow(message => {
      stage.heard(message)
    })
    const enrolled = await enrolment(play)
    if (enrolled.story.failure) return enrolled.story.failure
    const renewed = await renewal(play)
    return renewed.story.failure ?? { enrolled, renewed }
  }

  async #fail(failure: Failure): Promise<1> {
    const seen = (await isFull(this.#folder)) ? forWantOf('room', failure) : failure
    this.#stage.fail(seen, `${this.#folder} (the agent's: sensor-1.log)`)
    return 1
  }

  #unexpected(error: unknown, late: AbortSignal): Failure {
    const running = this.#stage.story.lines.filter(line => line.state === 'running').map(line => line.title)
    const doing = running.join(', ') || 'nothing'
    this.#stage.tell(failAll(this.#stage.story, Date.now()))
    if (late.aborted) {
      const title = `It had not ended after ${duration(deadline)}`
      const hint = 'look at the logs; on a very slow machine run it again'
      return ownFailure(doing, title, `still running: ${doing}`, hint)
    }
    return unforeseen(doing, error instanceof Error ? error.message : String(error))
  }
}
