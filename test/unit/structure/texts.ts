/** What a tracked file may not hold, whatever its language. */
import type { Source } from './imports.ts'

export const ceiling = 300

/** Sentences about a file of ours that is too long. */
export const tooLong = ({ path, text }: Source): string[] => {
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
  return /\.(ts|mjs|js)$/.test(path) && lines > ceiling
    ? [`${path} has ${lines} lines, the ceiling is ${ceiling}`]
    : []
}

const places: readonly { pattern: RegExp; what: string }[] = [
  // Where people and build machines keep their trees. A slash inside a longer path or a URL does not count.
  {
    pattern: /(?<![\w.*$}-])\/(?:home\/\w+|Users\/\w+|root|work|workspace|builds)\//,
    what: 'a path of one machine',
  },
  {
    pattern: /\b(?:registry\.npmjs|registry\.yarnpkg|deb\.debian|artifactory|verdaccio)\b/i,
    what: 'a registry host',
  },
]

/** Sentences about paths and hosts of the machine something was written on. */
export const machinePlaces = ({ path, text }: Source): string[] =>
  places.flatMap(({ pattern, what }) => {
    const place = text.split('\n').findIndex(line => pattern.test(line))
    return place < 0 ? [] : [`${path}:${place + 1} names ${what}`]
  })

/** Sentences about entries of a lock file that say where a package is to be fetched. */
export const lockHosts = (lock: string): string[] => {
  const { packages } = JSON.parse(lock) as { packages: Record<string, { resolved?: string; link?: boolean }> }
  return Object.entries(packages)
    .filter(([, { resolved }]) => resolved !== undefined && /^\w+:/.test(resolved))
    .map(([name, { resolved = '' }]) => `package-lock.json: ${name} is resolved to ${resolved}`)
}

const skips: readonly { pattern: RegExp; what: string }[] = [
  { pattern: /\b(?:skip|todo): *true\b/, what: 'is skipped without a reason' },
  { pattern: /\.(?:skip|todo)\(\s*\)/, what: 'is skipped without a reason' },
  { pattern: /\bt\.(?:skip|todo)\((?:(?!skip:|todo:)[^)])*=>/, what: 'is skipped without a reason' },
  { pattern: /\bonly: *true\b|\bt\.only\(/, what: 'is run alone, which leaves out its neighbours' },
]

/** Sentences about tests that are left out and do not say why. */
export const silentSkips = ({ path, text }: Source): string[] =>
  path.startsWith('test/') && path.endsWith('.ts')
    ? text
        .split('\n')
        .flatMap((line, place) =>
          skips.filter(({ pattern }) => pattern.test(line)).map(({ what }) => `${path}:${place + 1} ${what}`),
        )
    : []
