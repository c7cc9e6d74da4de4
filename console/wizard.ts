/**
 * Add Network by questions: the fields in the order of the form, asked again while the answer cannot be used. What is there
 * already stands in brackets: an empty answer keeps it, `-` takes it out.
 */
import { parseNetworkProfile } from '../agent/desired/parse.ts'
import { fields, put, valueAt, valueOf } from './fields.ts'
import { Failure, usage } from './failure.ts'
import type { Io } from './io.ts'

type Document = Record<string, unknown>

/** @returns the document as answered; the caller validates the whole */
export async function ask(io: Io, id: string, start: Document): Promise<Document> {
  if (io.ask === undefined) throw usage('nobody is there to answer', 'give the fields as flags, or --file')
  let document = start
  for (const field of fields) {
    if (field.question === undefined || field.asked?.(document) === false) continue
    document = await one(io, id, document, field)
  }
  return document
}

async function one(
  io: Io,
  id: string,
  document: Document,
  field: (typeof fields)[number],
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
      const wrong = problemAt(next, id, field.path)
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
function shown(document: Document, field: (typeof fields)[number]): string | undefined {
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
