/** JSON of others, read and shown: sensors write their own topics, and one in the wrong hands may write anything. */

/** Levels of nesting; JSON.stringify and every walk over a document go a step deeper for each. */
const deepest = 100

/** Bytes; no document of Sonde is longer. */
const largest = 1024 * 1024

/** undefined for what is no JSON, or so long or nested so deeply that it is meant to harm. */
export function readJson(payload: Buffer | string): unknown {
  if (payload.length > largest) return undefined
  const text = payload.toString().replace(/^\ufeff/, '')
  try {
    return tooDeep(text) ? undefined : (JSON.parse(text) as unknown)
  } catch {
    return undefined
  }
}

/** One look at each letter: an expression that finds the texts takes for ever over one that does not end. */
function tooDeep(text: string): boolean {
  let [depth, quoted] = [0, false]
  for (let i = 0; i < text.length; i++) {
    const letter = text[i]
    if (letter === '"') quoted = !quoted
    else if (quoted && letter === '\\') i += 1
    else if (!quoted && (letter === '[' || letter === '{')) depth += 1
    else if (!quoted && (letter === ']' || letter === '}')) depth -= 1
    if (depth > deepest) return true
  }
  return false
}

/**
 * JSON that may be printed, the same value: JSON.stringify leaves characters as they are that steer a terminal (U+009B begins a
 * sequence as ESC [ does) or turn its text around.
 */
export const printableJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replaceAll(/(?!\n)[\p{Cc}\p{Cf}\u2028\u2029]/gu, letter =>
    letter
      .split('')
      .map(unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )
