/**
 * From a schema's issues to problems a person can act on: every one with its path, none with a value
 * from the document, because the value may be the challenge password.
 */
import type * as z from 'zod/mini'

/** One thing wrong with a document. `path` reads `networks[1].scep.url`; '' is the document itself. */
export interface Problem {
  path: string
  message: string
  /** What to write instead, where that can be known. */
  hint?: string
}

/** A problem with the topic of the document it belongs to, as `reported.problems` lists it. */
export interface TopicProblem extends Problem {
  topic: string
}

type Issue = z.core.$ZodIssue
type Path = readonly PropertyKey[]

/** `['networks', 1, 'scep']` → `networks[1].scep` */
function pathText(path: Path): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else text += text === '' ? cut(String(part)) : `.${cut(String(part))}`
  }
  return text
}

/** Keys come from the document and may be as long as it likes. */
const cut = (key: string): string => (key.length > 48 ? `${key.slice(0, 48)}…` : key)

/** Problems of one document that are shown. */
export const mostShown = 50

/** Edits (insert, delete, replace, swap neighbours) between two short words. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let least = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1))
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] ?? i) + 1)
      next.push(least)
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}

/** The known word nearest to a mistyped one; undefined when none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const lower = word.slice(0, 64).toLowerCase()
  let best: string | undefined
  let least = Math.max(1, Math.floor(lower.length / 3)) + 1
  for (const candidate of known) {
    const name = candidate.toLowerCase()
    const edits = name.startsWith(lower) && lower.length > 2 ? 1 : distance(lower, name)
    if (edits < least) {
      best = candidate
      least = edits
    }
  }
  return best
}

const valueAt = (document: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<PropertyKey, unknown>)[key]
        : undefined,
    document,
  )

const kinds: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
}

const oneOf = (values: readonly unknown[]): string => values.map(value => JSON.stringify(value)).join(', ')

function problem(path: Path, message: string, hint?: string): Problem {
  return hint === undefined ? { path: pathText(path), message } : { path: pathText(path), message, hint }
}

function choice(path: Path, values: readonly unknown[], value: unknown): Problem {
  if (value === undefined) return problem(path, 'is missing', `one of ${oneOf(values)}`)
  const message = values.length === 1 ? `is not ${oneOf(values)}` : `is none of ${oneOf(values)}`
  const words = values.filter(each => typeof each === 'string')
  const near = typeof value === 'string' ? nearest(value, words) : undefined
  if (near !== undefined) return problem(path, message, `did you mean ${JSON.stringify(near)}?`)
  const quoted = typeof value === 'string' && values.some(each => String(each) === value)
  return problem(path, message, quoted ? 'write it without quotation marks' : undefined)
}

function size(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>, path: Path): Problem {
  const bound = issue.code === 'too_small' ? issue.minimum : issue.maximum
  const word = issue.code === 'too_small' ? 'at least' : 'at most'
  if (issue.origin === 'string') {
    return bound === 1 && issue.code === 'too_small'
      ? problem(path, 'is empty')
      : problem(path, `has to have ${word} ${String(bound)} characters`)
  }
  if (issue.origin === 'array') {
    return problem(path, `has to have ${word} ${String(bound)} ${bound === 1 ? 'entry' : 'entries'}`)
  }
  const strict = issue.code === 'too_small' ? 'more than' : 'less than'
  return problem(path, `has to be ${issue.inclusive === false ? strict : word} ${String(bound)}`)
}

/** What the value as a whole should have been for this form, where it is of another kind. */
function kindMissed(branch: readonly Issue[]): string | undefined {
  const whole = branch.find(({ path }) => path.length === 0)
  if (whole?.code === 'invalid_type') return kinds[whole.expected] ?? whole.expected
  return whole?.code === 'invalid_value' ? oneOf(whole.values) : undefined
}

/** Of several forms the one the writer most likely meant: of those of this kind the one with the fewest complaints. */
function likeliest(branches: readonly (readonly Issue[])[]): readonly Issue[] {
  const ofThisKind = branches.filter(branch => kindMissed(branch) === undefined)
  const [first = [], ...others] = ofThisKind.length > 0 ? ofThisKind : branches
  return others.reduce((best, branch) => (branch.length < best.length ? branch : best), first)
}

/** The kinds that would do, where the value is of none of them; undefined where it is, or where the one form says it all. */
function noneOfTheKinds(branches: readonly (readonly Issue[])[]): string | undefined {
  const missed = [...new Set(branches.map(kindMissed))]
  return missed.length < 2 || missed.includes(undefined) ? undefined : `is neither ${missed.join(' nor ')}`
}

/** What the schema says of a text's form, by path without indexes; `message` of the schema wins. */
function form(issue: Extract<Issue, { code: 'invalid_format' }>): string {
  if (issue.message !== 'Invalid input') return issue.message
  return issue.format === 'url' ? 'not an http(s) URL' : 'has the wrong form'
}

/**
 * All problems of one document.
 * @param keysAt the known keys of the object at a path, for suggestions; [] where unknown
 */
export function problemsOf(
  issues: readonly Issue[],
  document: unknown,
  keysAt: (path: Path) => readonly string[],
  base: Path = [],
): Problem[] {
  return issues.flatMap((issue): Problem[] => {
    const path = [...base, ...issue.path]
    const value = valueAt(document, path)
    switch (issue.code) {
      case 'invalid_type': {
        const expected = kinds[issue.expected] ?? issue.expected
        return [problem(path, value === undefined && path.length > 0 ? 'is missing' : `is not ${expected}`)]
      }
      case 'unrecognized_keys':
        return issue.keys.map((key, i) => {
          // Only so many are shown, and a document of nothing else would take a small board seconds.
          const known = i < mostShown ? keysAt(path) : []
          const at = [...path, key]
          if (known.includes(key)) return problem(at, 'is not used in this form')
          const near = nearest(key, known)
          return near === undefined
            ? problem(at, 'unknown key')
            : problem(at, 'unknown key', `did you mean ${JSON.stringify(near)}?`)
        })
      case 'invalid_value':
        return [choice(path, issue.values, value)]
      case 'invalid_union': {
        if ('options' in issue && Array.isArray(issue.options)) return [choice(path, issue.options, value)]
        const neither = value === undefined ? undefined : noneOfTheKinds(issue.errors)
        return neither === undefined
          ? problemsOf(likeliest(issue.errors), document, keysAt, path)
          : [problem(path, neither)]
      }
      case 'too_small':
      case 'too_big':
        return [size(issue, path)]
      case 'invalid_format':
        return [problem(path, form(issue))]
      case 'custom':
        return [problem(path, issue.message)]
      case 'invalid_key':
        return [problem(path, issue.issues[0]?.message ?? 'is not valid')]
      case 'not_multiple_of':
      case 'invalid_element':
        return [problem(path, 'is not valid')]
    }
  })
}
