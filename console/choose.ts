/** Which sensors a command is for: one by its id, or many by `--sensors`: ids, and patterns with `*` for those that are known. */
import { isId } from '../agent/desired/topics.ts'
import { text, type Context } from './context.ts'
import { Failure, usage } from './failure.ts'
import type { Fleet } from './fleet.ts'

export interface Choice {
  sensors: string[]
  /** Words after the sensor, or all of them. */
  rest: string[]
  /** Chosen by `--sensors`. */
  many: boolean
}

/** @param synopsis what is said when no sensor is named */
export function chosen(
  { words, values }: Pick<Context, 'words' | 'values'>,
  fleet: Fleet,
  synopsis: string,
): Choice {
  const list = text(values, 'sensors')
  const [first = '', ...rest] = words
  if (list === undefined) {
    if (!isId(first)) throw usage(first === '' ? synopsis : `${first}: ${idsAre}`)
    return { sensors: [first], rest, many: false }
  }
  const named = list.split(/[\s,]+/).filter(id => id !== '')
  if (named.length === 0) throw usage('--sensors: no sensor')
  return { sensors: [...new Set(named.flatMap(id => matching(fleet, id)))], rest: words, many: true }
}

export const idsAre = 'an id is of A-Z a-z 0-9 _ -'

function matching(fleet: Fleet, pattern: string): string[] {
  if (!isId(pattern.replaceAll('*', 'x'))) throw usage(`${pattern}: ${idsAre}`)
  if (!pattern.includes('*')) return [pattern]
  const fits = new RegExp(`^${pattern.replaceAll('*', '.*')}$`)
  const found = fleet.inOrder().flatMap(({ id }) => (fits.test(id) ? [id] : []))
  if (found.length === 0)
    throw new Failure(`no sensor is called ${pattern}`, { hint: 'sonde fleet list shows them' })
  return found
}
