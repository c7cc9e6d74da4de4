/** Secrets in the documents of the operator, and what they may travel over. Pure. */

/** Encrypted, or not leaving this machine. */
export function isPrivate(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'mqtts:' || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
}

const secretKeys = new Set(['challengePassword', 'password', 'passphrase'])

/** By its name, or because it is a URL with a password before the `@`. */
export const isSecret = (key: string, value: unknown): boolean =>
  secretKeys.has(key) || (typeof value === 'string' && /^https?:\/\/[^/?#]*@/i.test(value))

/** Where a document holds secrets: `scep.challengePassword`. */
export function secretsIn(document: unknown): string[] {
  if (typeof document !== 'object' || document === null) return []
  return Object.entries(document).flatMap(([key, value]) =>
    isSecret(key, value)
      ? value === undefined
        ? []
        : [key]
      : secretsIn(value).map(path => `${key}.${path}`),
  )
}

/** The document without its secrets. */
export function withoutSecrets<T>(document: T): T {
  if (Array.isArray(document)) return document.map(withoutSecrets) as T
  if (typeof document !== 'object' || document === null) return document
  return Object.fromEntries(
    Object.entries(document).flatMap(([key, value]) =>
      isSecret(key, value) ? [] : [[key, withoutSecrets(value as unknown)]],
    ),
  ) as T
}
