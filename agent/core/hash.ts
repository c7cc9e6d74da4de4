import { createHash } from 'node:crypto'

/** JSON with sorted keys: the same content always gives the same text. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value === undefined) return 'null'
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(',')}}`
}

/** First 12 hex digits of the SHA-256 of the canonical JSON: enough to tell revisions of one network apart. */
export const digest12 = (value: unknown): string =>
  createHash('sha256').update(canonical(value)).digest('hex').slice(0, 12)
