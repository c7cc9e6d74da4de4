/** Where the story is told: the screen, or standard output as JSON lines, and whoever waits for its end. */
import type { Message } from '../lab/operator.ts'
import type { Options } from './options.ts'
import { Screen, type Output } from './screen.ts'
import {
  isOver,
  newStory,
  type Chapter,
  type Failure,
  type Reply,
  type Reported,
  type SensorEvent,
  type Story,
} from './story.ts'
import { failed } from './summary.ts'
import { sentence } from './timeline.ts'
import { answer, report, tell } from './telling.ts'

export interface Outputs {
  out: Output
  errors: Output
}

const sensorTopic = 'sonde/sensors/sensor-1'

export class Stage implements Disposable {
  readonly screen: Screen
  readonly #options: Options
  readonly #outputs: Outputs
  #story = newStory('corp')
  #changed: () => void = () => undefined

  constructor(options: Options, outputs: Outputs) {
    this.#options = options
    this.#outputs = outputs
    const silent: Output = { write: () => undefined }
    this.screen = new Screen(options.json ? silent : outputs.out)
  }

  get story(): Story {
    return this.#story
  }

  /** A new chapter, with a line above it. What was reported before counts no more. */
  turn(chapter: Chapter, heading: string): void {
    this.#story = newStory(this.#story.tested, chapter)
    this.screen.print(`\n${sentence(' ', heading, this.screen.look)}\n`)
  }

  tell(story: Story): void {
    this.#story = story
    this.screen.show(story)
    this.#changed()
  }

  /** A message of the broker, as far as the sensor has sent it. */
  heard({ topic, document }: Message): void {
    if (topic === `${sensorTopic}/events`) {
      this.json(document)
      if (!isOver(this.#story)) this.tell(tell(this.#story, document as SensorEvent))
    } else if (isOver(this.#story)) return
    else if (topic === `${sensorTopic}/replies`) this.tell(answer(this.#story, document as Reply, Date.now()))
    else if (topic === `${sensorTopic}/reported`)
      this.tell(report(this.#story, document as Reported, Date.now()))
  }

  /** One event a line, and only with --json. */
  json(event: unknown): void {
    if (this.#options.json) this.#outputs.out.write(`${JSON.stringify(event)}\n`)
  }

  /** An event of the demonstration's own, in the shape of the sensor's. */
  own(event: string, severity: SensorEvent['severity'], text: string, data: Record<string, unknown>): void {
    this.json({ at: new Date().toISOString(), event: `demonstration-${event}`, severity, text, data })
  }

  /** Resolves when the present chapter has come to its end, good or bad. */
  async over(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#changed = () => {
        if (isOver(this.#story)) resolve()
      }
      this.#changed()
    })
  }

  fail(failure: Failure, logs: string): void {
    const text = failed(failure, logs, this.screen.look)
    if (this.#options.json) this.#outputs.errors.write(`${text}\n`)
    else this.screen.print(text)
    const { doing, finding, fault } = failure
    this.own('failed', 'error', `${doing}: ${finding.title}`, {
      doing,
      finding,
      ...(fault && { fault }),
      logs,
    })
  }

  [Symbol.dispose](): void {
    this.screen[Symbol.dispose]()
  }
}
