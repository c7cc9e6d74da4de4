/** The tables of fields in docs/mqtt.md: everything between `<!-- fields: NAME -->` and `<!-- end -->` is made here. */
import type { DocumentName } from './descriptions.ts'
import { fieldsOf, schemaOf, type Schema } from './schemas.ts'

const marker = /<!-- fields: (\w+) -->\n[\s\S]*?<!-- end -->/g

/** The text with every table made anew. */
export const withTables = (text: string): string =>
  text.replace(
    marker,
    (_, name: string) => `<!-- fields: ${name} -->\n${tableOf(name as DocumentName)}\n<!-- end -->`,
  )

/** The documents a text has a table for. */
export const tabled = (text: string): string[] => [...text.matchAll(marker)].map(match => match[1] ?? '')

function tableOf(name: DocumentName): string {
  const rows = fieldsOf(schemaOf(name)).map(({ path, schema, required }) => {
    const text = (schema.description ?? '').replaceAll('|', '\\|')
    return `| \`${path}\` | ${typeOf(schema)} | ${required ? 'yes' : defaultOf(schema)} | ${text} |`
  })
  return ['| field | type | required, or default | meaning |', '|---|---|---|---|', ...rows].join('\n')
}

function typeOf(schema: Schema): string {
  if (schema.enum) return schema.enum.map(code).join(' ')
  if (schema.const !== undefined) return code(schema.const)
  if (schema.anyOf?.some(option => option.type === 'null'))
    return `${schema.anyOf
      .filter(option => option.type !== 'null')
      .map(typeOf)
      .join(' ')} or null`
  if (schema.type === 'array')
    return `list of ${schema.items ? typeOf(schema.items) : 'anything'}${limits(schema)}`
  if (schema.type === undefined) return (schema.anyOf ?? schema.oneOf) ? 'object' : 'anything'
  if (schema['format'] === 'date-time') return 'time (ISO 8601, UTC)'
  if (schema['format'] === 'uri') return 'URL'
  return `${schema.type === 'string' ? 'text' : schema.type}${limits(schema)}`
}

const code = (value: unknown): string => `\`${JSON.stringify(value)}\``

function limits(schema: Schema): string {
  const number = (key: string): number | undefined =>
    typeof schema[key] === 'number' ? schema[key] : undefined
  // What every integer keeps to, because JSON cannot carry more, is no limit of this one.
  const chosen = (value: number | undefined): number | undefined =>
    Math.abs(value ?? 0) === Number.MAX_SAFE_INTEGER ? undefined : value
  const least = chosen(number('minLength') ?? number('minItems') ?? number('minimum'))
  const most = chosen(number('maxLength') ?? number('maxItems') ?? number('maximum'))
  const above = number('exclusiveMinimum')
  if (above !== undefined && most !== undefined) return `, above ${String(above)}, at most ${String(most)}`
  if (least === undefined && most === undefined) return ''
  if (least === undefined || (least === 1 && schema.type === 'string'))
    return most === undefined ? '' : `, at most ${String(most)}`
  return most === undefined ? `, at least ${String(least)}` : `, ${String(least)} to ${String(most)}`
}

function defaultOf({ default: value }: Schema): string {
  return value === undefined ? '' : code(value)
}
