/** The options of `sonde scep`, one table for parsing and for help. */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import type { Digest, KeyTransport, RequestCipher, RequestSettings } from '../scep/index.ts'
import type { Io } from './output.ts'

/** What the person typed cannot be used. */
export class UsageError extends Error {
  override name = 'UsageError'
}

const table = {
  'ca-identifier': ['NAME', 'sent as message= (default: CAIdentifier; empty: none)'],
  ca: ['FILE', 'PEM with CA certificates to trust, for https too; may be given again'],
  fingerprint: ['HEX', 'fingerprint of the root CA: SHA-256, SHA-1 or MD5'],
  pinned: ['HEX', 'SHA-256 of the CA that was trusted on first use'],
  cn: ['NAME', 'common name of the certificate'],
  name: ['FORM', 'dns:, email:, upn:, uri:, ip: or mac: and a value; may be given again'],
  'password-file': ['FILE', 'holds the challenge password; - is standard input (or set SONDE_SCEP_PASSWORD)'],
  template: ['NAME', 'Microsoft certificate template'],
  key: ['KIND', 'rsa-1024 -2048 -3072 -4096, ec-p256, ec-p384, or a PEM file (default: rsa-2048)'],
  signature: ['DIGEST', 'of the request: SHA-1, SHA-256, SHA-384, SHA-512 (default: SHA-256)'],
  digest: ['DIGEST', 'of the message (default: that of --signature)'],
  encryption: ['CIPHER', '3DES, AES-128, AES-192, AES-256 or automatic (default: automatic)'],
  'key-transport': ['KIND', 'PKCS1, OAEP-SHA-1, -256, -384, -512 (default: PKCS1)'],
  method: ['KIND', 'how to renew: automatic, RenewalReq, PKCSReq, re-enrol'],
  out: ['FOLDER', 'where key.pem, certificate.pem, chain.pem and request.json go (default: .)'],
  from: ['FOLDER', 'where they are, for renew and poll (default: .)'],
  interval: ['SECONDS', 'poll again after that many'],
  most: ['COUNT', 'polls at most (default: 1)'],
  'source-address': ['ADDRESS', 'the local address to connect from'],
  timeout: ['SECONDS', 'for one answer (default: 30)'],
  afresh: ['', 'give up what is in the folder: an open request, a certificate and its key'],
  json: ['', 'print JSON'],
  verbose: ['', 'show both messages, decoded'],
  help: ['', ''],
} as const

/** Those of the options that have one letter too. */
const letters: Partial<Record<string, string>> = { help: 'h' }

type Name = keyof typeof table
const repeated = new Set<Name>(['ca', 'name'])

/** Typed values of everything that was given. */
export interface Options {
  text: (name: Name) => string | undefined
  all: (name: 'ca' | 'name') => string[]
  flag: (name: 'afresh' | 'json' | 'verbose' | 'help') => boolean
  positionals: string[]
}

/** Parses the words after the subcommand. Throws UsageError. */
export function parseOptions(argv: string[]): Options {
  const entries = Object.entries(table).map(([name, [value]]) => [
    name,
    {
      ...(value === '' ? { type: 'boolean' } : { type: 'string', multiple: repeated.has(name as Name) }),
      ...(letters[name] === undefined ? {} : { short: letters[name] }),
    },
  ])
  const options = Object.fromEntries(entries) as NonNullable<ParseArgsConfig['options']>
  try {
    const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true, strict: true })
    const text = (name: Name): string | undefined =>
      typeof values[name] === 'string' ? values[name] : undefined
    const all = (name: Name): string[] => (Array.isArray(values[name]) ? values[name].map(String) : [])
    return { text, all, flag: name => values[name] === true, positionals }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

export const optionHelp = (): string =>
  Object.entries(table)
    .filter(([, [, meaning]]) => meaning !== '')
    .map(([name, [value, meaning]]) => `  ${`--${name} ${value}`.padEnd(26)} ${meaning}`)
    .join('\n')

function oneOf<T extends string>(options: Options, name: Name, values: readonly T[], otherwise: T): T {
  const given = options.text(name) ?? otherwise
  const found = values.find(each => each.toLowerCase() === given.toLowerCase())
  if (found === undefined) throw new UsageError(`--${name} is one of ${values.join(', ')}, not "${given}"`)
  return found
}

const digests = ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'] as const satisfies readonly Digest[]

export const signatureOf = (options: Options): Digest => oneOf(options, 'signature', digests, 'SHA-256')
export const methodOf = (options: Options) =>
  oneOf(options, 'method', ['automatic', 'RenewalReq', 'PKCSReq', 're-enrol'], 'automatic')

/** How messages are made. */
export function settingsOf(options: Options): RequestSettings {
  const ciphers = ['automatic', '3DES', 'AES-128', 'AES-192', 'AES-256'] as const satisfies readonly (
    RequestCipher | 'automatic'
  )[]
  const transports = [
    'PKCS1',
    'OAEP-SHA-1',
    'OAEP-SHA-256',
    'OAEP-SHA-384',
    'OAEP-SHA-512',
  ] as const satisfies readonly KeyTransport[]
  const signature = signatureOf(options)
  return {
    encryption: oneOf(options, 'encryption', ciphers, 'automatic'),
    signature,
    digest: oneOf(options, 'digest', digests, signature),
    keyTransport: oneOf(options, 'key-transport', transports, 'PKCS1'),
  }
}

/** A day, in seconds; timers cannot wait for more than 24 of them. */
const largest = 86_400

/** A whole number; seconds, or times. */
export function numberOf(options: Options, name: 'interval' | 'most' | 'timeout', otherwise: number): number {
  const given = options.text(name)
  const value = given === undefined ? otherwise : Number(given)
  if (!Number.isInteger(value) || value < 1 || value > largest)
    throw new UsageError(`--${name} is a whole number from 1 to ${String(largest)}`)
  return value
}

/** The local address to connect from. */
export function sourceOf(options: Options): string | undefined {
  const address = options.text('source-address')
  if (address !== undefined && isIP(address) === 0)
    throw new UsageError(`--source-address is an IP address of this machine, not "${address}"`)
  return address
}

/** The challenge password, from a file, standard input or the environment: never from the command line, which others can read. */
export async function passwordOf(options: Options, { env, input }: Io): Promise<string | undefined> {
  const file = options.text('password-file')
  const told = env['SONDE_SCEP_PASSWORD']
  // An empty one is none: it would stand in the request as a password of no characters.
  if (file === undefined) return told === '' ? undefined : told
  const password = (file === '-' ? (await input()).toString() : await readText(file)).replace(/\r?\n$/, '')
  if (password === '') throw new UsageError(`--password-file: there is no password in ${file}`)
  return password
}

export const readText = async (file: string): Promise<string> => (await readBytes(file)).toString()

/** A file of the person's, or a UsageError that names it. */
export async function readBytes(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}
