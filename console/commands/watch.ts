/** watch [SENSOR]: what sensors say, as it comes, until a person has seen enough. */
import { setTimeout as pause } from 'node:timers/promises'
import { isId } from '../../agent/desired/topics.ts'
import { outlast, type Context, type Run } from '../context.ts'
import { usage } from '../failure.ts'
import { printableJson, readJson } from '../json.ts'
import { paint, printable, type Colour } from '../table.ts'
import { Timelines } from '../timelines.ts'

export const watch: Run = async context => {
  const { io, broker, words, json } = context
  const only = words[0] ?? '+'
  if (words[0] !== undefined && !isId(only)) throw usage(`${only} is no id of a sensor`)
  const timelines = new Timelines()
  const said = new Map<string, string>()
  /** Whether it was said before: after an absence of the broker only what has become another is news. */
  const isNews = (sensor: string, presence: string): boolean => {
    const before = said.get(sensor)
    said.set(sensor, presence)
    return before !== presence
  }
  const say = (sensor: string, part: string, more: { message: Message } | { missing: object }): void =>
    io.out(
      json
        ? `${printableJson({ sensor, topic: part, ...more })}\n`
        : `${'message' in more ? lineOf(context, sensor, part, more.message) : gapOf(context, sensor, more.missing)}\n`,
    )
  let started = false
  broker.listen((topic, payload, retain) => {
    const [, sensor = '', part] = topic.slice(broker.prefix.length + 1).split('/')
    const message = messageIn(payload)
    if (part === 'presence') {
      const news = isNews(sensor, payload.toString())
      if (payload.length > 0 && (!retain || (started && news))) say(sensor, part, { message })
    } else if (part === 'events' && !retain) {
      const { missing, again } = timelines.take(sensor, message)
      if (missing !== undefined) say(sensor, part, { missing })
      if (json || !again) say(sensor, part, { message })
    }
  })
  using _ = outlast(context)
  await broker.subscribe([`sensors/${only}/events`, `sensors/${only}/presence`])
  started = true
  await pause(2 ** 31 - 1, undefined, { signal: io.signal }).catch(() => undefined)
  return undefined
}

const colourOf: Record<string, Colour> = { error: 'red', warning: 'yellow', debug: 'dim', offline: 'red' }

function lineOf({ io }: Pick<Context, 'io'>, sensor: string, part: string, message: Message): string {
  const { text, state, network, severity, dropped } = message
  const words = part === 'presence' ? `is ${String(state)}` : String(text)
  const { from, to } = (dropped ?? {}) as Message
  const gap = dropped === undefined ? '' : ` (before it ${String(from)} to ${String(to)} were dropped)`
  const line = printable(
    `${timeOf(message)} ${sensor}${typeof network === 'string' ? ` ${network}` : ''}: ${words}${gap}`,
  )
  return paint(line, colourOf[String(part === 'presence' ? state : severity)], io.colour)
}

function gapOf(
  { io }: Pick<Context, 'io'>,
  sensor: string,
  { from, to }: { from?: number; to?: number },
): string {
  const which = from === to ? `event ${String(from)} was` : `events ${String(from)} to ${String(to)} were`
  return paint(printable(`${timeOf({})} ${sensor}: ${which} not heard here`), 'yellow', io.colour)
}

/** As the sensor says it; with its day where that is another: what waited on a sensor comes with the times it happened at. */
function timeOf({ at }: Message, now = new Date().toISOString()): string {
  const time = typeof at === 'string' ? at : now
  const day = time.slice(0, 10)
  return `${day === now.slice(0, 10) ? '' : `${day} `}${time.slice(11, 23)}`
}

type Message = Record<string, unknown>

function messageIn(payload: Buffer): Message {
  const value = readJson(payload)
  return typeof value === 'object' && value !== null ? (value as Message) : {}
}
