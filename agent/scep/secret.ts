/** Keeping the challenge password out of what a server says back: it may print what it refused, in its own spelling and cut off. */
import { ScepError } from './errors.ts'

const shown = '(challenge password)'
/** Fewer characters of the beginning of a password, at the end of a text that was cut off, say nothing. */
const fewest = 3

/** The text without the secret, however it is written there. */
export function withoutSecret(text: string, secret: string | undefined): string {
  const signs = secret === undefined ? [] : [...secret.trim().replace(/[\s\p{Cc}]+/gu, ' ')].map(spellings)
  if (signs.length === 0) return text
  const clean = text.replaceAll(new RegExp(signs.join(''), 'g'), shown)
  if (!clean.endsWith('…')) return clean
  for (let length = signs.length - 1; length >= fewest; length -= 1) {
    const cut = clean.replace(new RegExp(`${signs.slice(0, length).join('')}…$`), `${shown}…`)
    if (cut !== clean) return cut
  }
  return clean
}

const entities: Record<string, string> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' }

/** A pattern for one character as it is, in HTML, in a URL and in JSON. */
function spellings(character: string): string {
  if (character === ' ') return '(?:[\\s\\x00-\\x1f\\x7f-\\x9f+]|%20|&nbsp;)+'
  const code = character.codePointAt(0) ?? 0
  const hex = anyCase(code.toString(16))
  const bytes = Buffer.from(character)
    .toString('hex')
    .replace(/../g, byte => `%${byte}`)
  const entity = entities[character]
  const ways = [
    character.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'),
    `&#(?:0*${String(code)}|[xX]0*${hex});`,
    anyCase(bytes),
    `\\\\u0*${hex}`,
    ...(entity === undefined ? [] : [`&${entity};`]),
  ]
  return `\\\\?(?:${ways.join('|')})`
}

const anyCase = (hex: string): string => hex.replace(/[a-f]/g, digit => `[${digit}${digit.toUpperCase()}]`)

/**
 * The same error where no word of the server's holds the secret, else one without. Titles and hints are our own words, and so is the
 * detail of a refusal: "password might be incorrect" stays, also where the password is "password".
 */
export function errorWithoutSecret(error: ScepError, secret: string | undefined): ScepError {
  const { problem } = error
  const detail = problem.pkiStatus === 'FAILURE' ? problem.detail : withoutSecret(problem.detail, secret)
  const serverText = problem.serverText === undefined ? undefined : withoutSecret(problem.serverText, secret)
  if (detail === problem.detail && serverText === problem.serverText) return error
  // Without its cause, which may say it too.
  return new ScepError({ ...problem, detail, serverText })
}
