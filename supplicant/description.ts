import {
  bytes,
  type Check,
  either,
  flag,
  frequencies,
  integer,
  matching,
  oneOf,
  optional,
  shape,
  text,
} from './checks.ts'

/** How the server of an 802.1X network is told from an impostor. At least one of `ca` and `pin` is needed. */
export interface ServerTrust {
  /** Path of a PEM file with any number of CAs, or `blob://name` with exactly one. */
  ca?: string
  /** SHA-256 of the server's own certificate, hex; instead of `ca`. */
  pin?: string
  /** The server's DNS name, or a domain it lies in (`domain_suffix_match`). */
  name?: string
  /** The server's exact DNS name (`domain_match`). */
  exactName?: string
  /** One of its alternative names, e.g. `DNS:radius.example.org` (`altsubject_match`). */
  alternativeName?: string
  /** Spelled out on purpose: join whoever answers, and hand over what the method sends. */
  acceptAnyServer?: boolean
}

export const TLS_VERSIONS = ['1.0', '1.1', '1.2', '1.3'] as const
export type TlsVersion = (typeof TLS_VERSIONS)[number]

export type Eap = {
  /** PEAP and TTLS need one; TLS as a rule has the certificate's. */
  identity?: string
  anonymousIdentity?: string
  trust: ServerTrust
  /** Minimum 1.2; maximum 1.2, because many servers break on 1.3, which the supplicant leaves off as well. */
  tls?: { minimum?: TlsVersion; maximum?: TlsVersion }
  /** Bytes of one EAP fragment; less than 1398 where the path loses large ones. */
  fragmentSize?: number
  /** Only by explicit wish, and never without a warning. */
  legacy?: { unsafeRenegotiation?: boolean; ignoreDates?: boolean; weakCiphers?: boolean }
} & (
  | { method: 'TLS'; certificate: string; key: string; keyPassphrase?: string }
  | { method: 'PEAP'; inner?: 'MSCHAPV2'; password: string }
  | { method: 'TTLS'; inner?: 'MSCHAPV2' | 'PAP'; password: string }
)

const SECURITIES = [
  'open',
  'owe',
  'owe-transition',
  'wpa2-psk',
  'wpa2-wpa3-psk',
  'wpa3-sae',
  'wpa2-enterprise',
  'wpa3-enterprise',
  'wpa3-enterprise-192',
] as const
export type Security = (typeof SECURITIES)[number]

/** A network in neutral words: the medium, how it is secured, and who may answer. */
export type NetworkDescription =
  | {
      idStr: string
      medium: 'wired'
      eap?: Eap
      /** Some switches open a port with a bare EAP-Success (a guest network, a server that is away): that counts, too. */
      acceptCannedSuccess?: boolean
    }
  | {
      idStr: string
      medium: 'wireless'
      /** 1 to 32 bytes; text is taken as UTF-8. */
      ssid: string | Uint8Array
      security: Security
      hidden?: boolean
      bssid?: string
      /** MHz; the radio stays on these. */
      frequencies?: readonly number[]
      passphrase?: string
      eap?: Eap
    }

const trust = shape({
  ca: optional(text),
  pin: optional(matching(/^[0-9a-f]{64}$/i, 'the SHA-256 of a certificate: 64 hex digits')),
  name: optional(text),
  exactName: optional(text),
  alternativeName: optional(
    matching(
      /^(?:DNS|EMAIL|URI):[\x20-\x7e]+$/,
      'DNS:, EMAIL: or URI: and a value, e.g. DNS:radius.example.org',
    ),
  ),
  acceptAnyServer: optional(flag),
})

const common = {
  identity: optional(text),
  anonymousIdentity: optional(text),
  trust,
  tls: optional(
    shape({ minimum: optional(oneOf(...TLS_VERSIONS)), maximum: optional(oneOf(...TLS_VERSIONS)) }),
  ),
  fragmentSize: optional(integer(100, 1500, 'bytes')),
  legacy: optional(
    shape({
      unsafeRenegotiation: optional(flag),
      ignoreDates: optional(flag),
      weakCiphers: optional(flag),
    }),
  ),
}

const METHODS: Readonly<Record<Eap['method'], Check>> = {
  TLS: shape({
    ...{ method: text, ...common },
    ...{ certificate: text, key: text, keyPassphrase: optional(text) },
  }),
  PEAP: shape({
    method: text,
    ...common,
    identity: text,
    inner: optional(oneOf('MSCHAPV2')),
    password: text,
  }),
  TTLS: shape({
    ...{ method: text, ...common, identity: text },
    ...{ inner: optional(oneOf('MSCHAPV2', 'PAP')), password: text },
  }),
}

/** What is checked of one kind is found by a word in it. */
const byWord =
  (key: string, kinds: Readonly<Record<string, Check>>): Check =>
  value => {
    const word: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
    const problem = oneOf(...Object.keys(kinds))(word)
    if (problem !== undefined) return `.${key}${problem}`
    return kinds[String(word)]?.(value)
  }

const eap = byWord('method', METHODS)

/** What cannot be in a description, whoever wrote it: `.eap.trust.pin must be …`. */
export const descriptionProblem: Check = byWord('medium', {
  wired: shape({ idStr: text, medium: text, eap: optional(eap), acceptCannedSuccess: optional(flag) }),
  wireless: shape({
    ...{ idStr: text, medium: text, security: oneOf(...SECURITIES), hidden: optional(flag) },
    ssid: either('text or bytes, 1 to 32 bytes of them', matching(/^[^]+$/, ''), bytes),
    bssid: optional(matching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i, 'a BSSID, e.g. 02:00:00:00:00:01')),
    frequencies: optional(frequencies),
    ...{ passphrase: optional(text), eap: optional(eap) },
  }),
})
