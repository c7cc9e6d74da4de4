/** The events of the outbox over one connection, in order. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Outbox, OutboxEvent } from './outbox.ts'

/** Events sent and not yet acknowledged. */
const window = 64

export interface TimelineSettings {
  outbox: Outbox
  /** Resolves with the acknowledgement. */
  publish: (payload: string) => Promise<void>
  /** The broker has one more. */
  acknowledged: () => void
  refused: (error: unknown) => void
  /** Milliseconds after which what the broker refused is sent again. */
  again: number
  /** Aborts with the connection. */
  over: AbortSignal
}

/**
 * `window` events on the way at once. Where the broker takes none for now, what it refused is sent again over the same connection,
 * before what is newer and alone at first; of what was on the way beside it some may have been taken.
 */
export class Timeline {
  readonly #settings: TimelineSettings
  #sent = 0
  #flying = 0
  #most = window
  #held = false

  constructor(settings: TimelineSettings) {
    this.#settings = settings
  }

  /** Ends with the connection. */
  async run(): Promise<void> {
    const { outbox, again, over } = this.#settings
    while (!over.aborted) {
      const seen = outbox.ready.count
      if (this.#held && this.#flying === 0) {
        await pause(again, undefined, { signal: over }).catch(() => undefined)
        this.#sent = 0
        this.#most = 1
        this.#held = false
      }
      const next = this.#held || this.#flying >= this.#most ? undefined : outbox.after(this.#sent)
      if (next === undefined) await outbox.ready.beyond(seen, undefined, over)
      else void this.#send(next)
    }
  }

  async #send(next: OutboxEvent): Promise<void> {
    const { outbox, publish, acknowledged, refused } = this.#settings
    this.#sent = next.number
    this.#flying += 1
    try {
      await publish(eventPayload(outbox.epoch, next))
      this.#most = window
      outbox.acknowledge(next.number)
      acknowledged()
    } catch (error) {
      this.#held ||= isForNow(error)
      refused(error)
    } finally {
      this.#flying -= 1
      outbox.ready.notify()
    }
  }
}

/** Not authorized, or quota exceeded (MQTT 5): said of the topic and the moment, while another reason may be about one event. */
const isForNow = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 135 || error.code === 151)

/** docs/mqtt.md, events: the line of the timeline with its place in it. */
function eventPayload(epoch: string, { number, event, dropped }: OutboxEvent): string {
  const { at, ...rest } = event
  return JSON.stringify({
    schema: 1,
    epoch,
    number,
    at: new Date(at).toISOString(),
    ...rest,
    ...(dropped && { dropped }),
  })
}
