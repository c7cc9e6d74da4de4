/** config/schema/*.json out of the zod sources, with the descriptions of descriptions.ts. */
import * as z from 'zod/mini'
import { Settings } from '../../agent/config.ts'
import { Command, Event, Presence, Reply } from '../../agent/desired/messages.ts'
import { NetworkProfile } from '../../agent/desired/profile.ts'
import { Reported } from '../../agent/desired/reported.ts'
import { SensorDocument } from '../../agent/desired/sensor.ts'
import { descriptions, titles, type DocumentName } from './descriptions.ts'

/** As much of JSON Schema as zod writes. */
export interface Schema {
  $schema?: string
  $id?: string
  title?: string
  description?: string
  type?: string
  const?: unknown
  enum?: unknown[]
  default?: unknown
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  propertyNames?: Schema
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  [more: string]: unknown
}

const sources: Record<DocumentName, { schema: z.core.$ZodType; io: 'input' | 'output' }> = {
  network: { schema: NetworkProfile, io: 'input' },
  sensor: { schema: SensorDocument, io: 'input' },
  command: { schema: Command, io: 'input' },
  reply: { schema: Reply, io: 'input' },
  event: { schema: Event, io: 'input' },
  presence: { schema: Presence, io: 'input' },
  reported: { schema: Reported, io: 'input' },
  settings: { schema: Settings, io: 'input' },
}

export const documentNames = Object.keys(sources) as DocumentName[]

/** The JSON Schema (draft 2020-12) of one document. */
export function schemaOf(name: DocumentName): Schema {
  const { schema, io } = sources[name]
  const { $schema, ...rest } = z.toJSONSchema(schema, { io, override: withProtocol }) as Schema
  const described = describe(rest, descriptions[name], '')
  return { ...($schema !== undefined && { $schema }), $id: `${name}.json`, title: titles[name], ...described }
}

/** JSON Schema knows URLs of any kind: which a field takes, zod leaves out. */
function withProtocol({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodType; jsonSchema: object }): void {
  const { protocol } = zodSchema._zod.def as { protocol?: RegExp }
  if (protocol !== undefined) Object.assign(jsonSchema, { pattern: protocol.source.replace(/\$$/, ':') })
}

function describe(schema: Schema, texts: Record<string, string>, path: string): Schema {
  const text = texts[path]
  const { properties, items, anyOf, oneOf, additionalProperties, ...rest } = schema
  const each = (list: Schema[]): Schema[] => list.map(option => describe(option, texts, path))
  return {
    ...(text !== undefined && { description: text }),
    ...rest,
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([key, value]) => [key, describe(value, texts, join(path, key))]),
      ),
    }),
    ...(items && { items: describe(items, texts, `${path}[]`) }),
    ...(anyOf && { anyOf: each(anyOf) }),
    ...(oneOf && { oneOf: each(oneOf) }),
    ...(typeof additionalProperties === 'object'
      ? { additionalProperties: describe(additionalProperties, texts, `${path}.*`) }
      : additionalProperties !== undefined && { additionalProperties }),
  }
}

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`)

/** Every field of a document by its path: `scep.subject.commonName`, `targets[].probe`, `networks.*.phase`. */
export function fieldsOf(schema: Schema, path = '', required = true): Field[] {
  const forms = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].map(option =>
    fieldsOf(option, path, required),
  )
  const inner = forms
    .flat()
    .map(field => ({ ...field, required: field.required && inAll(forms, field.path) }))
  const properties = Object.entries(schema.properties ?? {}).flatMap(([key, value]) =>
    fieldsOf(value, join(path, key), (schema.required ?? []).includes(key)),
  )
  const items = schema.items ? fieldsOf(schema.items, `${path}[]`) : []
  const { additionalProperties } = schema
  const entries = typeof additionalProperties === 'object' ? fieldsOf(additionalProperties, `${path}.*`) : []
  const own = path === '' || path.endsWith('[]') || path.endsWith('.*') ? [] : [{ path, schema, required }]
  return merge([...own, ...inner, ...properties, ...items, ...entries])
}

export interface Field {
  path: string
  schema: Schema
  required: boolean
}

/** A field that only one form of a union has is not required of the others. */
const inAll = (forms: Field[][], path: string): boolean =>
  forms.every(fields => fields.some(field => field.path === path))

/** The forms of a union name the same field more than once. */
function merge(fields: Field[]): Field[] {
  const byPath = new Map<string, Field>()
  for (const field of fields) {
    const seen = byPath.get(field.path)
    if (seen === undefined) byPath.set(field.path, field)
    else
      byPath.set(field.path, {
        ...seen,
        schema: both(seen.schema, field.schema),
        required: seen.required && field.required,
      })
  }
  return [...byPath.values()]
}

/** Two forms of the same field: the values of both, where they are choices. */
function both(one: Schema, other: Schema): Schema {
  const values = [one, other].flatMap(
    ({ const: value, enum: list }) => list ?? (value === undefined ? [] : [value]),
  )
  return values.length === 0 ? one : { ...one, const: undefined, enum: [...new Set(values)] }
}
