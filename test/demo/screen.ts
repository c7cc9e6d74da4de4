/**
 * The terminal: finished lines stay, running ones are redrawn in place. Without a terminal, or on one that can move no cursor (terminfo(5):
 * `dumb`), only finished lines appear.
 */
import type { Line, Story } from './story.ts'
import { render, type Look } from './timeline.ts'

/** The part of `process.stdout` that is needed. */
export interface Output {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

const framesMs = 80
const clear = '\x1b[0J'
const cursor = { hide: '\x1b[?25l', show: '\x1b[?25h' }

export class Screen implements Disposable {
  zero: number | undefined
  readonly #out: Output
  readonly #live: boolean
  readonly #timer: NodeJS.Timeout | undefined
  #running: readonly Line[] = []
  /** Lines of the live part that stand below the last permanent one. */
  #drawn = 0
  #told = new Set<string>()

  /** @param terminal its kind, as the environment has it */
  constructor(out: Output, terminal = process.env['TERM']) {
    this.#out = out
    this.#live = out.isTTY === true && terminal !== 'dumb'
    if (!this.#live) return
    out.write(cursor.hide)
    this.#timer = setInterval(() => {
      this.#redraw('')
    }, framesMs)
    this.#timer.unref()
  }

  /** Colours where there is a terminal and nobody has asked for none (no-color.org). */
  get look(): Look {
    const colour = this.#live && !process.env['NO_COLOR']
    const { columns = 0 } = this.#out
    const width = columns > 0 ? columns : 100 // a terminal that does not know its width says 0
    return { width, colour, ...(this.#live && { wrap: width }), now: Date.now(), zero: this.zero }
  }

  /** Shows what is new in the story: each line that has ended once, and those that run. */
  show({ lines }: Story): void {
    const isNew = (line: Line): boolean =>
      line.state !== 'running' && !this.#told.has(`${line.id} ${line.from}`)
    const ended = lines.filter(isNew)
    for (const line of ended) this.#told.add(`${line.id} ${line.from}`)
    this.#running = lines.filter(line => line.state === 'running')
    this.#redraw(ended.flatMap(line => render(line, this.look)).join('\n'))
  }

  /** A text that stays. */
  print(text: string): void {
    this.#redraw(text)
  }

  #redraw(permanent: string): void {
    const above = permanent === '' ? '' : `${permanent}\n`
    if (!this.#live) {
      this.#out.write(above)
      return
    }
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : ''
    // One column less than there is: a full line would wrap and count as two.
    const look = { ...this.look, width: this.look.width - 1 }
    const running = this.#running.flatMap(line => render(line, look))
    this.#drawn = running.length
    this.#out.write(`${up}\r${clear}${above}${running.map(line => `${line}\n`).join('')}`)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#running = []
    if (this.#live) {
      this.#redraw('')
      this.#out.write(cursor.show)
    }
  }
}
