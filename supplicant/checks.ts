import { SupplicantError } from './errors.ts'

/** What is wrong with a value, beginning with the place where it stands in it; undefined when nothing is. */
export type Check = (value: unknown) => string | undefined

const must =
  (holds: (value: unknown) => boolean, problem: string): Check =>
  value =>
    holds(value) ? undefined : ` ${value === undefined ? 'is missing: it ' : ''}must be ${problem}`

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

export const text = must(
  value => isText(value) && !/[\x00-\x1f\x7f]/.test(value),
  'text, not empty and without control characters',
)
export const matching = (pattern: RegExp, problem: string): Check =>
  must(value => typeof value === 'string' && pattern.test(value), problem)
export const flag = must(value => typeof value === 'boolean', 'true or false')
export const oneOf = (...words: readonly string[]): Check =>
  must(value => isText(value) && words.includes(value), `one of ${words.join(', ')}`)
export const integer = (least: number, most: number, unit: string): Check =>
  must(
    value => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
    `a whole number of ${unit} between ${least} and ${most}`,
  )
export const bytes = must(value => value instanceof Uint8Array && value.length > 0, 'bytes, at least one')
export const milliseconds = must(
  value => typeof value === 'number' && value >= 0,
  'milliseconds: a number from 0 on, or Infinity',
)

export const either = (problem: string, ...checks: readonly Check[]): Check =>
  must(value => checks.some(check => check(value) === undefined), problem)

export const optional =
  (check: Check): Check =>
  value =>
    value === undefined ? undefined : check(value)

const listOf =
  (check: Check): Check =>
  value => {
    if (!Array.isArray(value)) return ' must be a list'
    const at = value.findIndex(item => check(item) !== undefined)
    return at < 0 ? undefined : `[${at}]${check(value[at]) ?? ''}`
  }

/** An object with these keys and no others: a misspelt `name` of a server would leave it unchecked. */
export const shape =
  (checks: Readonly<Record<string, Check>>): Check =>
  value => {
    if (typeof value !== 'object' || value === null) return ' must be an object'
    const all: Readonly<Record<string, unknown>> = { ...value }
    for (const [key, check] of Object.entries(checks)) {
      const problem = check(all[key])
      if (problem !== undefined) return `.${key}${problem}`
    }
    const unknown = Object.keys(all).find(key => !Object.hasOwn(checks, key))
    return unknown === undefined
      ? undefined
      : `.${unknown} is not known: ${Object.keys(checks).join(', ')} are`
  }

/** Throws `invalid-argument` naming the place and what it has to be. */
export function demand(name: string, value: unknown, check: Check): void {
  const problem = check(value)
  if (problem !== undefined) throw new SupplicantError('invalid-argument', `${name}${problem}`)
}

/** The regulatory domain. */
export const country = matching(/^[A-Z]{2}$/, 'an ISO 3166 country: two capital letters, e.g. DE')

/** MHz, of the bands that 802.11 uses. */
export const frequencies = listOf(integer(2400, 7200, 'MHz'))
