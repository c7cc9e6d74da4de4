/**
 * Bytes from a topic or from the settings → a document that can be trusted, or every problem it has.
 * Pure. Nothing of a document's text gets into a message but the names of its keys.
 */
import { createHash } from 'node:crypto'
import * as z from 'zod/mini'
import { NetworkProfile } from './profile.ts'
import { SensorDocument } from './sensor.ts'
import { checkProfile } from './checks.ts'
import { mostShown, problemsOf, type Problem } from './problems.ts'

/** Versions of documents this sensor reads: `reported.schemas`. */
export const schemas = { network: [1], sensor: [1] } as const

/** Bytes; a larger document is refused unread. */
export const sizeLimits = { network: 256 * 1024, sensor: 64 * 1024 } as const

export interface Parsed<T> {
  value: T
  /** SHA-256 of the bytes as they came, hex. */
  sha256: string
  /** The text as it came, for the cache. */
  text: string
}

export type ParseResult<T> =
  { ok: true; document: Parsed<T> } | { ok: false; sha256: string; problems: Problem[] }

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

/** @param id the network's id, from the topic */
export function parseNetworkProfile(bytes: Uint8Array, id: string): ParseResult<NetworkProfile> {
  return parse(bytes, sizeLimits.network, NetworkProfile, document => checkProfile(document, id))
}

export function parseSensorDocument(bytes: Uint8Array): ParseResult<SensorDocument> {
  return parse(bytes, sizeLimits.sensor, SensorDocument, checkSensorDocument)
}

function checkSensorDocument(document: unknown): Problem[] {
  const networks = (document as { networks?: unknown } | null)?.networks
  if (!Array.isArray(networks)) return []
  const ids = networks.map(entry => (entry as { network?: unknown } | null)?.network)
  return ids.flatMap((id, index) =>
    typeof id === 'string' && ids.indexOf(id) < index
      ? [{ path: `networks[${index}].network`, message: `is listed already as networks[${ids.indexOf(id)}]` }]
      : [],
  )
}

function parse<S extends z.core.$ZodType>(
  bytes: Uint8Array,
  limit: number,
  schema: S,
  check: (document: unknown) => Problem[],
): ParseResult<z.core.output<S>> {
  const hash = sha256(bytes)
  const refuse = (...problems: Problem[]) => ({ ok: false as const, sha256: hash, problems })
  if (bytes.length > limit) {
    return refuse({ path: '', message: `has ${bytes.length} bytes; at most ${limit} are read` })
  }
  let text
  try {
    // As it came: of a text without its byte order mark the cache would make another document.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return refuse({ path: '', message: 'is not UTF-8' })
  }
  let document: unknown
  try {
    document = JSON.parse(text.replace(/^\ufeff/, ''))
  } catch (error) {
    return refuse({ path: '', message: 'is not JSON', hint: whereJsonBreaks(text, error) })
  }
  const result = z.safeParse(schema, document)
  const problems = [
    ...(result.success ? [] : problemsOf(result.error.issues, document, path => knownKeys(schema, path))),
    ...check(document),
  ]
  if (!result.success || problems.length > 0) return refuse(...orderly(problems))
  return { ok: true, document: { value: result.data, sha256: hash, text } }
}

/** At most `mostShown`, one per path: a document of a thousand mistakes is not worth a report of a thousand lines. */
function orderly(problems: Problem[]): Problem[] {
  const first = new Map<string, Problem>()
  for (const problem of problems) if (!first.has(problem.path)) first.set(problem.path, problem)
  const all = [...first.values()]
  if (all.length <= mostShown) return all
  const rest = `and ${all.length - mostShown + 1} more problems`
  return [...all.slice(0, mostShown - 1), { path: '', message: rest }]
}

/** Line and column only: Node's own message quotes the text around, which may be a password. */
function whereJsonBreaks(text: string, error: unknown): string {
  const position = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1]
  const before = text.slice(0, position === undefined ? text.length : Number(position))
  const line = before.split('\n').length
  return `look at line ${line}, column ${before.length - before.lastIndexOf('\n')}`
}

/** The keys the schema knows at a path of the document. */
export function knownKeys(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  let types: z.core.$ZodType[] = [schema]
  for (const key of path) types = types.flatMap(unwrap).flatMap(type => childOf(type, key))
  return [...new Set(types.flatMap(unwrap).flatMap(type => Object.keys(shapeOf(type) ?? {})))]
}

/** Through optional, default, nullable and unions to the types themselves. */
function unwrap(type: z.core.$ZodType): z.core.$ZodType[] {
  const def = (type as z.core.$ZodTypes)._zod.def
  if (def.type === 'optional' || def.type === 'nullable' || def.type === 'default')
    return unwrap(def.innerType)
  return def.type === 'union' ? def.options.flatMap(unwrap) : [type]
}

const shapeOf = (type: z.core.$ZodType): z.core.$ZodShape | undefined => {
  const def = (type as z.core.$ZodTypes)._zod.def
  return def.type === 'object' ? def.shape : undefined
}

function childOf(type: z.core.$ZodType, key: PropertyKey): z.core.$ZodType[] {
  const def = (type as z.core.$ZodTypes)._zod.def
  if (def.type === 'array') return [def.element]
  const child = shapeOf(type)?.[String(key)]
  return child === undefined ? [] : [child]
}
