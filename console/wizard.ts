/**
 * Add Network by questions: the fields in the order of the form, asked again while the answer cannot be used. What is there
 * already stands in brackets: an empty answer keeps it, `-` takes it out.
 */
import { parseNetworkProfile } from '../agent/desired/parse.ts'
import { fields, put, valueAt, valueOf, type FieldOf } from './fields.ts'
import { Failure, usage } from './failure.ts'
import { wantsMore, type Io } from './io.ts'

type Document = Record<string, unknown>

export interface Circumstances {
  /** Networks there are; undefined: it does not matter (S2-06). */
  networks: ReadonlyMap<string, unknown> | undefined
  /** Throws a Failure for a whole that cannot be used. */
  check: (document: Document) => void
}

/** Asked from the beginning, with what was answered, until the whole can be used or a person has enough of it. */
export async function ask(io: Io, id: string, start: Document, given: Circumstances): Promise<Document> {
  if (io.ask === undefined) throw usage('nobody is there to answer', 'give the fields as flags, or --file')
  for (let document = start; ;) {
    for (const field of fields) {
      if (field.question === undefined || field.asked?.(document) === false) continue
      document = await one(io, id, document, field, given)
    }
    try {
      given.check(document)
      return document
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      io.err(`${error.message}\n`)
      if (!(await wantsMore(io))) throw error
    }
  }
}

async function one(
  io: Io,
  id: string,
  document: Document,
  field: FieldOf,
  { networks }: Circumstances,
): Promise<Document> {
  const choices = field.choices ? ` (${field.choices.join(', ')})` : ''
  const known = shown(document, field)
  for (;;) {
    const question = `${field.question ?? ''}${choices}${known === undefined ? '' : ` [${known}]`}: `
    const answer = (await io.ask?.(question, field.secret ?? false, io.signal))?.trim() ?? ''
    if (answer === '' && known !== undefined) return document
    const text = answer === none ? '' : answer
    try {
      const texts = field.many === true ? text.split(/[\s,]+/) : [text]
      const next = put(document, field, await valueOf(field, texts))
      const wrong = problemAt(next, id, field.path) ?? unknownNetwork(field, text, networks)
      if (wrong === undefined) return next
      io.err(`  ${wrong}\n`)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      io.err(`  ${error.message}\n`)
    }
  }
}

/** The answer that takes out what is there. */
const none = '-'

/** What is there already, as a person may see it. */
function shown(document: Document, field: FieldOf): string | undefined {
  const value = valueAt(document, field.path)
  if (value === undefined || value === null) return undefined
  if (field.secret === true) return 'set'
  if (Array.isArray(value)) return field.file === true ? `${String(value.length)} set` : value.join(' ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Only what is wrong with this very field: the rest is still to come. */
function problemAt(document: Document, id: string, path: string): string | undefined {
  const result = parseNetworkProfile(Buffer.from(JSON.stringify(document)), id)
  const problem = result.ok
    ? undefined
    : result.problems.find(p => p.path === path || p.path.startsWith(`${path}[`))
  if (problem === undefined || problem.message.startsWith('is missing:')) return undefined
  return problem.hint === undefined ? problem.message : `${problem.message}; ${problem.hint}`
}

/** S2-06: said when it is answered, and not after all the other answers. */
function unknownNetwork(
  { path }: FieldOf,
  answer: string,
  networks: Circumstances['networks'],
): string | undefined {
  if (path !== 'scep.enrollmentNetwork' || answer === '' || (networks?.has(answer) ?? true)) return undefined
  return `there is no network ${answer}: one of ${[...(networks ?? new Map()).keys()].join(', ')}, or add it first`
}
