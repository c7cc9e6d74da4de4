/** Generated documents: valid ones, and valid ones with one thing broken. */
import fc from 'fast-check'
import { pem } from './documents.ts'

const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/)
const line = (most: number) =>
  fc.string({
    minLength: 1,
    maxLength: most,
    unit: fc.constantFrom('a', 'b', 'Z', ' ', '0', '-', '_', '.', 'ä', 'ß', '€'),
  })
const template = fc.oneof(
  line(20),
  fc.constantFrom('{serial}', '{name}', 'x-{mac}', '{fqdn}', '{model}.{hostname}'),
)
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const trust = { serverName: some(line(40)), serverCa: some(fc.constantFrom([pem], [pem, pem])) }

const tls = fc.record({ method: fc.constant('TLS'), identity: some(template), ...trust })
const password = fc.record({
  method: fc.constantFrom('PEAP', 'TTLS'),
  identity: template,
  password: line(40),
  serverName: some(line(40)),
  serverCa: fc.constant([pem]),
})

const signs = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@".split('')
const inPercentSigns = fc
  .integer({ min: 0, max: 0x10ffff })
  .filter(code => code < 0xd800 || code > 0xdfff)
  .map(code => Buffer.from(String.fromCodePoint(code)).toString('hex').replace(/../g, '%$&'))
/** What may stand in a part of a URL (RFC 3986): its signs and, more seldom, any other one in percent signs. */
const urlText = (...more: string[]) => {
  const sign = { weight: 10, arbitrary: fc.constantFrom(...signs, ...more) }
  return fc.array(fc.oneof(sign, { weight: 1, arbitrary: inPercentSigns })).map(parts => parts.join(''))
}
/** What every object has, for whoever takes one for a dictionary. */
const ofObjects = fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf')
/** Like fc.webUrl(), which lists all signs of Unicode before its first one: that takes most of a second. */
const url = fc
  .tuple(
    fc.constantFrom('http', 'https'),
    fc.webAuthority(),
    fc
      .array(fc.oneof({ weight: 9, arbitrary: urlText() }, ofObjects).map(segment => `/${segment}`))
      .map(segments => segments.join('')),
    fc.option(urlText('/', '?').map(query => `?${query}`)),
  )
  .map(([scheme, authority, path, query]) => `${scheme}://${authority}${path}${query ?? ''}`)

const scep = fc.record({
  enrollmentNetwork: id.map(name => `e-${name}`),
  url,
  caIdentifier: some(line(20)),
  challengePassword: some(line(40)),
  subject: some(fc.record({ commonName: template })),
  alternativeNames: some(
    fc.array(
      fc.oneof(
        template.map(name => `dns:${name}`),
        fc.constant('mac'),
      ),
      { maxLength: 16 },
    ),
  ),
  key: some(fc.constantFrom('rsa-1024', 'rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-p256', 'ec-p384')),
  digest: some(fc.constantFrom('SHA-1', 'SHA-256', 'SHA-384', 'SHA-512')),
  encryption: some(fc.constantFrom('3DES', 'AES-128', 'AES-192', 'AES-256')),
  caCertificates: some(fc.array(fc.constant(pem), { maxLength: 2 })),
  renewal: some(
    fc.oneof(
      fc.constantFrom({ when: 'half-life' }, { when: 'manual' }),
      fc.record({ daysBeforeExpiry: fc.integer({ min: 1, max: 36500 }) }),
      fc.record({ percent: fc.integer({ min: 1, max: 99 }) }),
    ),
  ),
})

const common = { schema: fc.constant(1), alias: some(line(64)), enabled: some(fc.boolean()) }
const wifi = (...security: string[]) =>
  fc.record({ ssid: fc.stringMatching(/^[ -~]{1,32}$/), security: fc.constantFrom(...security) })
const personal = fc.record({
  ssid: fc.constant('at home'),
  security: fc.constantFrom('wpa2-psk', 'wpa2-wpa3-psk', 'wpa3-sae'),
  passphrase: fc.stringMatching(/^[ -~]{8,63}$/),
})
const wireless = fc.constant('wireless')

/** Network profiles as an operator may write them. */
export const profile = fc
  .oneof(
    fc.record({ ...common, interface: some(fc.constantFrom('wired', 'eth0')), eap: tls, scep }),
    fc.record({ ...common, interface: some(fc.constant('wired')), eap: some(password) }),
    fc.record({ ...common, interface: wireless, wireless: wifi('open', 'owe') }),
    fc.record({ ...common, interface: wireless, wireless: personal }),
    fc.record({
      ...common,
      interface: wireless,
      wireless: wifi('wpa2-enterprise', 'wpa3-enterprise'),
      eap: tls,
      scep,
    }),
    fc.record({ ...common, interface: wireless, wireless: wifi('wpa2-enterprise'), eap: password }),
  )
  .map(value => JSON.parse(JSON.stringify(value)) as Record<string, unknown>)

export const sensorDocument = fc
  .record({
    schema: fc.constant(1),
    version: fc.integer({ min: 1 }),
    epoch: some(fc.nat()),
    name: some(line(64)),
    networks: fc.uniqueArray(fc.record({ network: id, assignment: id }), {
      maxLength: 4,
      selector: ({ network }) => network,
    }),
    testEvery: some(fc.integer({ min: 10, max: 86400 })),
    targets: some(
      fc.array(
        fc.oneof(
          fc.record({ probe: fc.constant('ping'), host: line(20) }),
          fc.record({ probe: fc.constant('tcp'), host: line(20), port: fc.integer({ min: 1, max: 65535 }) }),
        ),
        { maxLength: 16 },
      ),
    ),
  })
  .map(value => JSON.parse(JSON.stringify(value)) as Record<string, unknown>)

export interface Broken {
  document: unknown
  /** Where it was broken; its own problem or its parent's has to name the place. */
  path: string
}

/** A document with one value of the wrong type, or one key too many. */
export const broken = (valid: fc.Arbitrary<Record<string, unknown>>): fc.Arbitrary<Broken> =>
  fc
    .record({ document: valid, where: fc.nat(), how: fc.constantFrom('type', 'key') })
    .map(({ document, where, how }) => {
      const places = [...walk(document, '')]
      const place = places[where % places.length]
      if (place === undefined) throw new Error('an empty document')
      const { holder, key, path } = place
      const value = (holder as Record<string, unknown>)[key]
      if (how === 'key' && typeof value === 'object' && value !== null && !Array.isArray(value)) {
        ;(value as Record<string, unknown>)['surplus'] = 1
        return { document, path: `${path}.surplus` }
      }
      ;(holder as Record<string, unknown>)[key] = { wrong: value }
      return { document, path }
    })

function* walk(holder: object, base: string): Generator<{ holder: object; key: string; path: string }> {
  for (const [key, value] of Object.entries(holder) as [string, unknown][]) {
    const path = Array.isArray(holder) ? `${base}[${key}]` : base === '' ? key : `${base}.${key}`
    yield { holder, key, path }
    if (typeof value === 'object' && value !== null) yield* walk(value, path)
  }
}
