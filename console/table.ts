/** Tables for people: as wide as they need, no wider than the terminal. Pure. */
export type Colour = 'red' | 'green' | 'yellow' | 'dim' | 'bold'

const codes: Record<Colour, number> = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 }

export interface Cell {
  text: string
  colour?: Colour
}

export const paint = (text: string, colour: Colour | undefined, enabled: boolean): string =>
  enabled && colour !== undefined && text !== '' ? `\u001b[${String(codes[colour])}m${text}\u001b[0m` : text

/** Documents may hold anything: nothing of them may steer the terminal. */
export const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?')

const widthOf = (text: string): number =>
  [...printable(text)].reduce((width, letter) => width + columnsOf(letter), 0)

/** As terminals draw them: marks stand on the letter before, and these scripts take two columns. */
const columnsOf = (letter: string): number => (/\p{M}/u.test(letter) ? 0 : wide.test(letter) ? 2 : 1)
const wide =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60]/u

/**
 * Lines of a table. Where it is too wide, the widest column gives way, with an ellipsis; but not the first, whose ids a person goes
 * on with.
 * @param columns characters of a line; undefined: no limit
 */
export function table(
  heads: readonly string[],
  rows: readonly (readonly (Cell | string)[])[],
  { columns, colour }: { columns?: number | undefined; colour: boolean },
): string {
  const cells = rows.map(row => row.map(cell => (typeof cell === 'string' ? { text: cell } : cell)))
  const widths = heads.map((head, i) =>
    Math.max(widthOf(head), ...cells.map(row => widthOf(row[i]?.text ?? ''))),
  )
  // Ids are no longer, but a sensor in the wrong hands may call itself anything.
  widths[0] = Math.min(64, widths[0] ?? 0)
  while (columns !== undefined && total(widths) > columns) {
    const widest = Math.max(...widths.slice(1))
    if (widest <= 8) break
    widths[widths.indexOf(widest, 1)] = Math.max(8, widest - (total(widths) - columns))
  }
  const line = (row: readonly Cell[]): string =>
    row
      .map((cell, i) => paint(fit(cell.text, widths[i] ?? 0, i === heads.length - 1), cell.colour, colour))
      .join('  ')
      .trimEnd()
  const head = line(heads.map(text => ({ text, colour: 'bold' })))
  return [head, ...cells.map(line)].map(text => `${text}\n`).join('')
}

const total = (widths: readonly number[]): number => widths.reduce((sum, width) => sum + width + 2, -2)

function fit(text: string, width: number, last: boolean): string {
  const whole = printable(text)
  const spare = width - widthOf(whole)
  if (spare >= 0) return whole + (last ? '' : ' '.repeat(spare))
  let [cut, left] = ['', width - 1]
  for (const letter of whole) {
    left -= columnsOf(letter)
    if (left < 0) break
    cut += letter
  }
  return `${cut}…${last ? '' : ' '.repeat(width - 1 - widthOf(cut))}`
}

/** `3 d`, `5 h`, `12 min`, `now`; of what is past, with `ago`. */
export function distance(from: number, to: number): string {
  const seconds = Math.abs(to - from) / 1000
  const units: [number, string][] = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
  ]
  const [size, unit] = units.find(([length]) => seconds >= 2 * length) ?? [1, 's']
  if (seconds < 1) return 'now'
  const text = `${String(Math.round(seconds / size))} ${unit}`
  return to < from ? `${text} ago` : text
}
