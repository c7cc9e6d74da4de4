/**
 * The network profile: `<prefix>/networks/<network>`, one document for the whole fleet (docs/mqtt.md).
 * This schema is the one source: the types, the validation and config/schema/*.json come from it.
 */
import * as z from 'zod/mini'

export const text = (most: number) => z.string().check(z.minLength(1), z.maxLength(most))

/** Ids of networks and sensors: they become topic levels, folder names and parts of `id_str`. */
export const idPattern = /^[A-Za-z0-9_-]{1,64}$/
export const Id = z.string().check(z.regex(idPattern, 'not an id: 1 to 64 of A-Z a-z 0-9 _ -'))

const Pem = z
  .string()
  .check(
    z.maxLength(65536),
    z.regex(/^\s*-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----\s*$/, 'not a PEM certificate'),
  )

/** S2-30: `dns:`, `upn:`, `email:`, `uri:` or `ip:` with a value, or `mac` alone. */
const AlternativeName = text(255).check(
  z.regex(
    /^(?:mac|(?:dns|upn|email|uri|ip):.+)$/,
    'not an alternative name: dns:, upn:, email:, uri: or ip: and a value, or mac',
  ),
)

/** S2-49, B-12: SHA-256, SHA-1 or, as old NDES pages show it, MD5; told by the length, with any punctuation. */
const Fingerprint = z
  .string()
  .check(
    z.maxLength(255),
    z.regex(
      /^[^0-9A-Za-z]*(?:(?:[0-9A-Fa-f][^0-9A-Za-z]*){32}|(?:[0-9A-Fa-f][^0-9A-Za-z]*){40}|(?:[0-9A-Fa-f][^0-9A-Za-z]*){64})$/,
      'not a SHA-256, SHA-1 or MD5 fingerprint in hex',
    ),
  )

/** S2-15, S2-17: how the radio joins; `security` names are the field's own. */
export const Wireless = z.strictObject({
  ssid: text(32),
  hidden: z._default(z.boolean(), false),
  security: z.enum([
    'open',
    'owe',
    'owe-transition',
    'wpa2-psk',
    'wpa2-wpa3-psk',
    'wpa3-sae',
    'wpa2-enterprise',
    'wpa3-enterprise',
    'wpa3-enterprise-192',
  ]),
  passphrase: z.optional(z.string().check(z.minLength(8), z.maxLength(64))),
  /** One access point only. */
  bssid: z.optional(z.string().check(z.regex(/^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$/, 'not a BSSID'))),
  /** MHz; the radio stays on these, which also spares the full scan. */
  frequencies: z._default(
    z.array(z.int().check(z.minimum(2400), z.maximum(7200))).check(z.maxLength(64)),
    [],
  ),
})

/** How the server is verified; S2-82 Specify Server CA is `serverCa`. */
const serverTrust = {
  serverName: z.optional(text(255)),
  serverCa: z._default(z.array(Pem).check(z.maxLength(32)), []),
  serverCaOnly: z._default(z.boolean(), false),
  /** The exact name, or one alternative name such as `DNS:radius.example.org`, instead of a suffix. */
  serverExactName: z.optional(text(255)),
  serverAlternativeName: z.optional(text(255)),
  /** SHA-256 of the server's own certificate, hex; instead of its CA. */
  serverPin: z.optional(z.string().check(z.regex(/^[0-9A-Fa-f]{64}$/, 'not a SHA-256 in hex'))),
  /** A network that would not verify its server is refused unless it says so in as many words. */
  acceptAnyServer: z._default(z.boolean(), false),
  tlsMinimum: z.optional(z.enum(['1.0', '1.1', '1.2', '1.3'])),
  tlsMaximum: z.optional(z.enum(['1.0', '1.1', '1.2', '1.3'])),
  /** Bytes of one EAP fragment, for paths that lose large ones (C-16). */
  fragmentSize: z.optional(z.int().check(z.minimum(100), z.maximum(1500))),
  /** Only by explicit wish, and never without a warning (C-08). */
  legacy: z.optional(
    z.strictObject({
      unsafeRenegotiation: z._default(z.boolean(), false),
      weakCiphers: z._default(z.boolean(), false),
    }),
  ),
}

export const Eap = z.discriminatedUnion('method', [
  z.strictObject({
    method: z.literal('TLS'),
    identity: z.optional(text(255)),
    anonymousIdentity: z.optional(text(255)),
    ...serverTrust,
  }),
  z.strictObject({
    method: z.enum(['PEAP', 'TTLS']),
    phase2: z._default(z.enum(['MSCHAPV2', 'PAP']), 'MSCHAPV2'),
    identity: text(255),
    password: text(255),
    anonymousIdentity: z.optional(text(255)),
    ...serverTrust,
  }),
])

export const Renewal = z.union([
  z.strictObject({ when: z.enum(['half-life', 'manual']) }),
  z.strictObject({ daysBeforeExpiry: z.number().check(z.positive(), z.maximum(36500)) }),
  z.strictObject({ percent: z.number().check(z.minimum(1), z.maximum(99)) }),
])

const Polling = z.strictObject({
  every: z._default(z.int().check(z.minimum(5), z.maximum(86400)), 60),
  most: z._default(z.int().check(z.minimum(1), z.maximum(100000)), 1000),
  giveUpAfterHours: z._default(z.number().check(z.positive(), z.maximum(8760)), 168),
})

const Ladder = z.strictObject({
  /** Renew over the enrollment network when the tested one has not served for so long. */
  enrollmentNetworkAfterHours: z.optional(z.number().check(z.minimum(0), z.maximum(8760))),
  /** Enrol afresh over the enrollment network after expiry, without a person (against S2-60). */
  reenrollAfterExpiry: z._default(z.boolean(), false),
})

const Digest = z.enum(['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'])

/** S2-19..49: everything an enrolment needs to know of the server and of the certificate. */
export const Scep = z.strictObject({
  enrollmentNetwork: Id,
  url: z.url({ protocol: /^https?$/ }).check(z.maxLength(2048)),
  caIdentifier: z._default(z.string().check(z.maxLength(255)), 'CAIdentifier'),
  challengePassword: z.optional(text(255)),
  subject: z._default(z.strictObject({ commonName: z._default(text(255), '{serial}') }), {
    commonName: '{serial}',
  }),
  alternativeNames: z._default(z.array(AlternativeName).check(z.maxLength(16)), []),
  key: z._default(z.enum(['rsa-1024', 'rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-p256', 'ec-p384']), 'rsa-2048'),
  signature: z._default(Digest, 'SHA-256'),
  /** `automatic`, here and below: the best that the server advertises. */
  digest: z.optional(z.enum([...Digest.options, 'automatic'])),
  encryption: z._default(z.enum(['3DES', 'AES-128', 'AES-192', 'AES-256', 'automatic']), 'AES-128'),
  keyTransport: z._default(
    z.enum(['PKCS1', 'OAEP-SHA-1', 'OAEP-SHA-256', 'OAEP-SHA-384', 'OAEP-SHA-512']),
    'PKCS1',
  ),
  caCertificates: z._default(z.array(Pem).check(z.maxLength(32)), []),
  rootFingerprint: z._default(z.nullable(Fingerprint), null),
  /** Microsoft certificate template name; OpenXPKI maps it to a profile. */
  template: z.optional(text(255)),
  renewal: z._default(Renewal, { when: 'half-life' }),
  /** `auto` learns per server; `re-enrol` is a PKCSReq with a self-signed signer (B-70). */
  renewalMethod: z._default(z.enum(['auto', 'RenewalReq', 'PKCSReq', 're-enrol']), 'auto'),
  /** RFC 8894 section 2.4: SHOULD be omitted, but many servers ask for it (B-71). */
  challengeOnRenewal: z._default(z.boolean(), true),
  /** How a PENDING request is asked for again: seconds between, how often at most, and hours until it is given up. */
  polling: z._default(Polling, { every: 60, most: 1000, giveUpAfterHours: 168 }),
  /** Ways out that the contract does not ask for; all off unless given. */
  ladder: z.optional(Ladder),
})

export const NetworkProfile = z.strictObject({
  schema: z.literal(1),
  alias: z.optional(text(64)),
  enabled: z._default(z.boolean(), true),
  /** A kind, or the name of one interface of the sensor. */
  interface: z._default(text(15), 'wired'),
  wireless: z.optional(Wireless),
  eap: z.optional(Eap),
  scep: z.optional(Scep),
})

export type NetworkProfile = z.infer<typeof NetworkProfile>
export type Eap = z.infer<typeof Eap>
export type Scep = z.infer<typeof Scep>
export type Renewal = z.infer<typeof Renewal>
