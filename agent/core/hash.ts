import { hash } from 'node:crypto'

/** JSON with sorted keys: the same content always gives the same text. */
export function canonical(value: unknown): string {
  if (value === undefined) return 'null'
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const members = value as Record<string, unknown>
  const written = Object.keys(members).filter(key => members[key] !== undefined)
  return `{${written
    .sort()
    .map(key => `${JSON.stringify(key)}:${canonical(members[key])}`)
    .join(',')}}`
}

/** First 12 hex digits of the SHA-256 of the canonical JSON: enough to tell revisions of one network apart. */
export const digest12 = (value: unknown): string => hash('sha256', canonical(value), 'hex').slice(0, 12)
