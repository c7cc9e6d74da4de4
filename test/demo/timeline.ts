/** How a line of the story looks. Pure: width, colour and time are arguments. */
import type { Line } from './story.ts'

export interface Look {
  /** Columns of the terminal. */
  width: number
  colour: boolean
  /** Columns after which a sentence goes on in the next line; left alone without it, for programs that read. */
  wrap?: number
  /** Milliseconds since the epoch. */
  now: number
  /** Offsets are counted from here; undefined before the documents are published. */
  zero: number | undefined
}

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

const codes = { green: 32, red: 31, yellow: 33, cyan: 36, dim: 2, bold: 1 } as const

export const paint = (text: string, tone: keyof typeof codes, { colour }: Pick<Look, 'colour'>): string =>
  colour && text !== '' ? `\x1b[${codes[tone]}m${text}\x1b[0m` : text

/** `text` in exactly `width` columns; what does not fit ends in an ellipsis. */
export const fit = (text: string, width: number): string => {
  const letters = [...text]
  return letters.length > width
    ? letters.slice(0, Math.max(0, width - 1)).join('') + (width > 0 ? '…' : '')
    : text + ' '.repeat(width - letters.length)
}

/** `first` and the text, broken between words where the terminal is too narrow; later lines begin below the text. */
export function sentence(first: string, text: string, { wrap = Infinity }: Pick<Look, 'wrap'>): string {
  const indent = [...first.replaceAll(/\x1b\[\d+m/g, '')].length
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line === undefined || indent + line.length + 1 + word.length > wrap) lines.push(word)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return first + lines.join(`\n${' '.repeat(indent)}`)
}

/** `7 ms`, `430 ms`, `1.25 s`, `12.0 s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`
}

const columns = { offset: 7, title: 36, duration: 8 }
/** Beyond this a line is hard to follow with the eye. */
const widest = 120
/** A detail in less room than this says nothing. */
const narrowest = 8

/** One line, and below it its facts, without line ends. */
export function render(line: Line, look: Look): string[] {
  const width = Math.min(look.width, widest)
  const offset = look.zero === undefined || line.from < look.zero ? '' : since(line.from - look.zero)
  const took = line.state === 'running' ? look.now - line.from : line.ms
  const room = width - (3 + columns.offset + 1 + 1 + columns.duration)
  const detail = room - columns.title - 1
  const title = detail < narrowest ? Math.max(room, 1) : columns.title
  const parts = [
    ` ${mark(line, look)} ${paint(fit(offset, columns.offset), 'dim', look)}`,
    fit(line.title, title),
    ...(detail < narrowest ? [] : [paint(fit(line.detail, detail), 'dim', look)]),
    fit('', columns.duration - duration(took ?? 0).length) + (took === undefined ? '' : duration(took)),
  ]
  const indent = ' '.repeat(3 + columns.offset)
  const facts = line.facts.map(
    ([name, value]) =>
      `${indent}${paint(fit(name, 9), 'dim', look)} ${paint(fit(value, width - indent.length - 10).trimEnd(), 'cyan', look)}`,
  )
  return [parts.join(' ').trimEnd(), ...facts]
}

const since = (ms: number): string => `+${(ms / 1000).toFixed(3)}`

function mark({ state, from }: Line, look: Look): string {
  switch (state) {
    case 'running':
      return paint(spinner[Math.floor((look.now - from) / 80) % spinner.length] ?? '', 'cyan', look)
    case 'done':
      return paint('✓', 'green', look)
    case 'failed':
      return paint('✗', 'red', look)
  }
}

/** When each line ran, drawn to scale over the story's whole length: overlaps show. */
export function chart(lines: readonly Line[], look: Look): string[] {
  const timed = lines.filter(line => line.ms !== undefined && line.from >= (look.zero ?? Infinity))
  const first = look.zero ?? 0
  const last = Math.max(...timed.map(line => line.from + (line.ms ?? 0)), first + 1)
  const room = Math.max(10, Math.min(look.width, widest) - 5 - columns.title - columns.duration - 1)
  const place = (time: number): number => Math.round(((time - first) / (last - first)) * room)
  return timed.map(line => {
    const from = Math.min(place(line.from), room - 1)
    const to = Math.max(from + 1, place(line.from + (line.ms ?? 0)))
    const bar = ' '.repeat(from) + paint('█'.repeat(to - from), 'cyan', look) + ' '.repeat(room - to)
    const took = duration(line.ms ?? 0).padStart(columns.duration)
    return `   ${fit(line.title, columns.title)} ${bar} ${took}`
  })
}
