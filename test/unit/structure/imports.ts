/** Who may import whom: the directions of the house, as data, and the function that judges one file by them. */
import { posix } from 'node:path'
import { ts } from '../../documents/typescript.ts'

/** A path from the top of the tree, and what is in it. */
export interface Source {
  path: string
  text: string
}

interface Rule {
  /** Which files it binds. */
  of: RegExp
  /** What they may import; of the packages and `node:` modules if there is no path in it. Nothing else. */
  may?: RegExp
  /** What they may not import. */
  not?: RegExp
  why: string
}

const rules: readonly Rule[] = [
  {
    of: /^agent\/scep\//,
    may: /^(node:.+|node-forge\/lib\/.+|agent\/scep\/.+)$/,
    why: 'the SCEP client could be lifted out with one git mv: node:* and node-forge (by submodule) only',
  },
  {
    of: /^supplicant\//,
    may: /^(node:.+|dbus-next|supplicant\/.+)$/,
    why: 'the wpa_supplicant library is usable on its own: node:* and dbus-next only',
  },
  {
    of: /^agent\/core\//,
    may: /^(node:crypto|agent\/core\/.+|agent\/desired\/.+|agent\/(types|errors)\.ts)$/,
    why: 'the core is pure: no edge, no package (node:crypto for hash alone)',
  },
  {
    of: /^agent\/(types|errors)\.ts$/,
    may: /^agent\/((types|errors)\.ts|desired\/.+)$/,
    why: 'the nouns everybody shares know nobody',
  },
  {
    of: /^agent\/desired\//,
    may: /^(node:(crypto|path)|zod\/mini|agent\/desired\/.+|agent\/core\/.+|agent\/(types|errors|durable)\.ts)$/,
    why: "documents are parsed at the door, for the operator's side as well; the one edge is the cache's file",
  },
  {
    of: /^agent\/effects\//,
    not: /^agent\/(main|loop|mqtt[^/]*|cli)\.ts$|^agent\/(mqtt|web|cli)\//,
    why: 'effects import scep, supplicant, path and store, not who calls them',
  },
  {
    of: /^agent\/path\//,
    not: /^agent\/(main|loop|mqtt[^/]*|cli)\.ts$|^agent\/(mqtt|web|cli|effects|core|scep)\/|^supplicant\//,
    why: 'a path knows one interface, not what it is used for',
  },
  {
    of: /^agent\/probes\//,
    not: /^agent\/(main|loop|mqtt[^/]*|cli)\.ts$|^agent\/(mqtt|web|cli|effects)\//,
    why: 'a probe runs over a path and says what it saw, whoever asks',
  },
  {
    of: /^agent\/(loop|mqtt[^/]*)\.ts$|^agent\/(mqtt|web)\//,
    not: /^agent\/(effects|scep)\/|^supplicant\//,
    why: 'effects reach the loop, the link and the page as arguments: main.ts alone knows everybody',
  },
  {
    of: /^(agent|supplicant)\/(?!main\.ts$)/,
    not: /^agent\/main\.ts$/,
    why: 'nobody imports the composition root',
  },
  {
    of: /^console\//,
    not: /^(agent\/(?!desired\/|types\.ts$)|supplicant\/)/,
    why: "the operator's side shares the documents and the nouns, nothing else",
  },
  { of: /^(agent|supplicant|console)\//, not: /^test\//, why: 'the product does not know its tests' },
]

/** The one place of each prescribed package. Tests and the demonstration are free: they stand on the other side. */
const places: readonly { packages: RegExp; only: RegExp }[] = [
  { packages: /^dbus-next$/, only: /^supplicant\/bus\.ts$/ },
  { packages: /^mqtt(\/|$)/, only: /^agent\/mqtt[^/]*\.ts$|^agent\/mqtt\/|^console\// },
  { packages: /^node-forge(\/|$)/, only: /^agent\/(scep\/.+|keys\.ts)$/ },
  { packages: /^pino(\/|$)/, only: /^agent\/log\.ts$/ },
  { packages: /^systeminformation(\/|$)/, only: /^agent\/identity\.ts$/ },
  { packages: /^zod\/mini$/, only: /^agent\/((desired|mqtt)\/.+|config\.ts|store\.ts)$|^console\// },
]

const product = /^(agent|supplicant|console)\//

/** What a file imports, also for types only and at run time, as paths from the top or names of packages. */
export const imported = ({ path, text }: Source): string[] =>
  ts
    .preProcessFile(text, true, true)
    .importedFiles.map(({ fileName }) =>
      fileName.startsWith('.') ? posix.join(posix.dirname(path), fileName) : fileName,
    )

const isPackage = (name: string) => !/^(node:|agent\/|supplicant\/|console\/|test\/)/.test(name)

/** Sentences about every import of a file that goes the wrong way; empty when all is well. */
export const wrongImports = (source: Source): string[] => {
  if (!product.test(source.path)) return []
  const { path } = source
  const found: string[] = []
  for (const name of imported(source)) {
    for (const { of, may, not, why } of rules)
      if (of.test(path) && (not?.test(name) === true || may?.test(name) === false))
        found.push(`${path} imports ${name}: ${why}`)
    const place = places.find(({ packages }) => packages.test(name))
    if (place && !place.only.test(path))
      found.push(`${path} imports ${name}, which belongs to ${place.only.source}`)
    if (!place && isPackage(name)) found.push(`${path} imports ${name}, a package the product does not use`)
  }
  if (path.startsWith('agent/core/') && source.text.includes('node:crypto') && !onlyHash.test(source.text))
    found.push(`${path} imports more of node:crypto than hash: the core makes no keys and no chance`)
  return found
}

const onlyHash = /^import \{ hash \} from 'node:crypto'$/m
