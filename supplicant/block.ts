import { createHash } from 'node:crypto'
import { variant } from './bus.ts'
import { SupplicantError } from './errors.ts'

/**
 * How the supplicant wants each key of a network block over D-Bus (wpa_supplicant, `dont_quote` and
 * `set_network_properties`): `text` is a string which it quotes itself, `word` a string taken as it is, `int` a
 * number, `bytes` a byte string, `secret` a quoted string that must never be shown, `psk` a passphrase or 32 bytes.
 */
const KEYS = {
  id_str: 'text',
  ssid: 'bytes',
  scan_ssid: 'int',
  bssid: 'word',
  scan_freq: 'word',
  freq_list: 'word',
  key_mgmt: 'word',
  proto: 'word',
  pairwise: 'word',
  group: 'word',
  group_mgmt: 'word',
  auth_alg: 'word',
  ieee80211w: 'int',
  sae_password: 'secret',
  transition_disable: 'int',
  psk: 'psk',
  owe_group: 'int',
  owe_only: 'int',
  eap: 'word',
  eapol_flags: 'int',
  identity: 'text',
  anonymous_identity: 'text',
  password: 'secret',
  ca_cert: 'text',
  client_cert: 'text',
  private_key: 'text',
  private_key_passwd: 'secret',
  subject_match: 'text',
  altsubject_match: 'text',
  domain_suffix_match: 'text',
  domain_match: 'text',
  phase1: 'text',
  phase2: 'text',
  openssl_ciphers: 'text',
  fragment_size: 'int',
  ocsp: 'int',
  proactive_key_caching: 'int',
  mac_addr: 'int',
  priority: 'int',
  disabled: 'int',
} as const satisfies Record<string, Kind>

type Kind = 'text' | 'word' | 'int' | 'bytes' | 'secret' | 'psk'
type ValueOf<K extends Kind> = K extends 'int'
  ? number
  : K extends 'bytes' | 'psk'
    ? string | Uint8Array
    : string
export type BlockKey = keyof typeof KEYS

/**
 * A network block in the supplicant's own words (wpa_supplicant.conf(5)). `id_str` is required: it is how a block is
 * found again, so it must change whenever the content does, secrets included. `blob://name` refers to a blob of the same interface.
 */
export type NetworkBlock = { [K in BlockKey]?: ValueOf<(typeof KEYS)[K]> } & {
  id_str: string
  key_mgmt: string
}

/** A named byte string in the supplicant's memory: a certificate, a CA, a key. Name it by its fingerprint. */
export interface Blob {
  name: string
  bytes: Uint8Array
}

const SECRET: ReadonlySet<string> = new Set(
  Object.entries(KEYS).flatMap(([key, kind]) => (kind === 'secret' || kind === 'psk' ? [key] : [])),
)

/** Whether reading a key of a block would show a secret. */
export const isSecret = (key: string): boolean =>
  SECRET.has(key) || key.includes('password') || key.includes('passwd')

/** Whether joining the block means an EAP conversation. */
export const usesEap = (block: { key_mgmt?: string }): boolean => /EAP|IEEE8021X/.test(block.key_mgmt ?? '')

/** The `a{sv}` for AddNetwork. Throws `invalid-block` naming the key, because the supplicant does not. */
export function encode(block: NetworkBlock): Record<string, unknown> {
  for (const key of ['id_str', 'key_mgmt'] as const)
    if (typeof (block as Partial<NetworkBlock> | null)?.[key] !== 'string')
      throw new SupplicantError('invalid-block', `network block: ${key} is missing`)
  return Object.fromEntries(
    Object.entries(block).map(([key, value]) => {
      if (!isKey(key)) throw invalid(block, key, 'is no key of a network block known here')
      return [key, encodeValue(block, key, value)]
    }),
  )
}

function encodeValue(block: NetworkBlock, key: BlockKey, value: string | number | Uint8Array): unknown {
  const kind: Kind = KEYS[key]
  if (kind === 'int') {
    if (typeof value === 'number' && Number.isInteger(value)) return variant('i', value)
    throw invalid(block, key, 'must be a whole number')
  }
  if (value instanceof Uint8Array) {
    if (kind !== 'bytes' && kind !== 'psk') throw invalid(block, key, 'must be text')
    if (value.length === 0) throw invalid(block, key, 'must not be empty')
    if (kind === 'psk' && value.length !== 32) throw invalid(block, key, 'must be 32 bytes or a passphrase')
    return variant('ay', Buffer.from(value))
  }
  if (typeof value !== 'string') throw invalid(block, key, 'must be text')
  if (value === '') throw invalid(block, key, 'must not be empty: leave it out instead')
  if (hasControl(value) && kind !== 'bytes') throw invalid(block, key, 'must not hold control characters')
  if (kind === 'psk' && !/^[\x20-\x7e]{8,63}$/.test(value))
    throw invalid(block, key, 'must have 8 to 63 characters')
  return kind === 'bytes' ? variant('ay', Buffer.from(value, 'utf8')) : variant('s', value)
}

/**
 * The text in which the supplicant gives a value back (property `Properties` of a network block), so that what is
 * there can be compared with what is wanted.
 */
export function asStored(key: string, value: string | number | Uint8Array): string {
  const kind: Kind | undefined = isKey(key) ? KEYS[key] : undefined
  if (typeof value === 'number') return String(value)
  if (kind === 'word' && typeof value === 'string') return value
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : Buffer.from(value)
  if (kind === 'psk' && typeof value !== 'string') return bytes.toString('hex')
  return kind === 'bytes' && !isPrintable(bytes) ? bytes.toString('hex') : `"${bytes.toString('utf8')}"`
}

/** A stored value as a person would write it: quotes removed. */
export const fromStored = (value: string): string =>
  /^"(?<inner>[^]*)"$/.exec(value)?.groups?.['inner'] ?? value

/**
 * Whether a stored block is the wanted one: it holds everything asked for, and no text that was not. Secrets are never
 * given back by the supplicant: see `digests`.
 */
export const isSame = (stored: Record<string, string>, block: NetworkBlock): boolean => {
  const wanted: Record<string, string | number | Uint8Array | undefined> = block
  const asked = Object.entries(block).every(([key, value]) => {
    const there = stored[key]
    if (isSecret(key)) return true
    return there === undefined || there === '' ? value === 0 : sameWords(there, asStored(key, value))
  })
  // Numbers and most words have defaults that differ between versions; the others are there because somebody set them.
  const unasked = Object.entries(stored).some(
    ([key, value]) =>
      value !== '' && wanted[key] === undefined && isKey(key) && !hasDefault(key) && !isSecret(key),
  )
  return asked && !unasked
}

/** Digests of a block, and of its secrets alone, to tell later whether they are the same without keeping them. */
export function digests(block: NetworkBlock): { all: string; secrets: string } {
  const digest = (entries: [string, unknown][]) =>
    createHash('sha256').update(JSON.stringify(entries.sort())).digest('hex')
  const entries = Object.entries(block)
  return { all: digest(entries), secrets: digest(entries.filter(([key]) => isSecret(key))) }
}

const hasDefault = (key: BlockKey): boolean =>
  KEYS[key] === 'int' || (KEYS[key] === 'word' && !['bssid', 'scan_freq', 'freq_list'].includes(key))

// The supplicant gives lists such as key_mgmt back in an order of its own.
const sameWords = (a: string, b: string): boolean =>
  a === b || (!a.startsWith('"') && a.split(' ').sort().join(' ') === b.split(' ').sort().join(' '))

const isKey = (key: string): key is BlockKey => Object.hasOwn(KEYS, key)
const isPrintable = (bytes: Uint8Array): boolean => bytes.every(byte => byte >= 0x20 && byte < 0x7f)
const hasControl = (value: string): boolean => /[\x00-\x1f\x7f]/.test(value)

const invalid = (block: NetworkBlock, key: string, problem: string): SupplicantError =>
  new SupplicantError('invalid-block', `network block ${block.id_str}: ${key} ${problem}`)
