/**
 * What a schema cannot say of a network profile: which sections belong together.
 * Works on the document as it came, so that these problems are found beside those of the schema.
 */
import { X509Certificate } from 'node:crypto'
import * as z from 'zod/mini'
import { unknownVariable } from './variables.ts'
import type { Problem } from './problems.ts'

type Section = Record<string, unknown>

const section = (value: unknown): Section | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Section) : undefined
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

/** Problems between the sections of one profile; `id` is the network's own, from its topic. */
export function checkProfile(document: unknown, id: string): Problem[] {
  const profile = section(document)
  if (profile === undefined) return []
  return [
    ...checkRadio(profile),
    ...checkAuthentication(profile),
    ...checkEap(section(profile['eap'])),
    ...checkScep(profile, id),
    ...checkCertificates(profile),
    ...checkTemplates(profile),
    ...checkNames(profile),
  ]
}

function* checkRadio(profile: Section): Generator<Problem> {
  const wireless = section(profile['wireless'])
  const medium = profile['interface'] ?? 'wired'
  if (medium === 'wired' && wireless !== undefined) {
    yield {
      path: 'interface',
      message: '"wired" does not go with a wireless section',
      hint: 'write "interface": "wireless", or leave wireless out',
    }
  }
  if (medium === 'wireless' && profile['wireless'] === undefined) {
    yield { path: 'wireless', message: 'is missing', hint: 'a wireless network needs {"ssid", "security"}' }
  }
  if (wireless === undefined) return
  const { ssid, security, passphrase } = wireless
  if (typeof ssid === 'string' && Buffer.byteLength(ssid) > 32 && ssid.length <= 32) {
    yield { path: 'wireless.ssid', message: 'has to have at most 32 bytes in UTF-8' }
  }
  const personal = typeof security === 'string' && /psk|sae/.test(security)
  if (personal && passphrase === undefined) {
    yield { path: 'wireless.passphrase', message: 'is missing', hint: `${security} needs one` }
  }
  if (!personal && typeof security === 'string' && passphrase !== undefined) {
    yield { path: 'wireless.passphrase', message: `is not used with security "${security.slice(0, 24)}"` }
  }
  if (
    (security === 'wpa2-psk' || security === 'wpa2-wpa3-psk') &&
    typeof passphrase === 'string' &&
    passphrase.length === 64 &&
    !/^[0-9a-f]{64}$/i.test(passphrase)
  ) {
    yield {
      path: 'wireless.passphrase',
      message: 'has to have 8 to 63 characters, or be a key of 64 hex digits',
    }
  }
}

const isEnterprise = (security: unknown): boolean =>
  typeof security === 'string' && security.includes('enterprise')

function* checkAuthentication(profile: Section): Generator<Problem> {
  const security = section(profile['wireless'])?.['security']
  const eap = section(profile['eap'])
  if (isEnterprise(security) && profile['eap'] === undefined) {
    yield {
      path: 'eap',
      message: 'is missing',
      hint: 'an enterprise network needs {"method": "TLS" | "PEAP" | "TTLS"}',
    }
  }
  if (typeof security === 'string' && !isEnterprise(security) && profile['eap'] !== undefined) {
    yield {
      path: 'eap',
      message: `is not used with security "${security.slice(0, 24)}"`,
      hint: 'choose wpa2-enterprise or wpa3-enterprise',
    }
  }
  if (eap?.['method'] === 'TLS' && profile['scep'] === undefined) {
    yield { path: 'scep', message: 'is missing', hint: 'EAP-TLS needs a certificate, and SCEP obtains it' }
  }
  if (
    profile['scep'] !== undefined &&
    (profile['eap'] === undefined || eap?.['method'] === 'PEAP' || eap?.['method'] === 'TTLS')
  ) {
    yield {
      path: 'scep',
      message: 'is not used without eap.method "TLS"',
      hint: 'to obtain a certificate and not use 802.1X yet, write "eap": {"method": "TLS"} and "enabled": false',
    }
  }
  if (security === 'wpa3-enterprise-192') {
    if (eap?.['method'] === 'PEAP' || eap?.['method'] === 'TTLS') {
      yield { path: 'eap.method', message: 'WPA3-Enterprise 192-bit needs "TLS"' }
    }
    const key = section(profile['scep'])?.['key'] ?? 'rsa-2048'
    if (profile['scep'] !== undefined && (key === 'rsa-1024' || key === 'rsa-2048' || key === 'ec-p256')) {
      yield {
        path: 'scep.key',
        message: 'is too weak for WPA3-Enterprise 192-bit',
        hint: 'choose rsa-3072, rsa-4096 or ec-p384',
      }
    }
  }
}

function* checkEap(eap: Section | undefined): Generator<Problem> {
  if (eap === undefined) return
  const own = list(eap['serverCa']).length > 0
  const password = eap['method'] === 'PEAP' || eap['method'] === 'TTLS'
  if (password && !own && eap['acceptAnyServer'] !== true) {
    yield {
      path: 'eap.serverCa',
      message: 'is missing: without it the password would be given to any server',
      hint: 'give the CA of the RADIUS server (Specify Server CA), or write "acceptAnyServer": true',
    }
  }
  if (own && eap['acceptAnyServer'] === true) {
    yield { path: 'eap.acceptAnyServer', message: 'contradicts eap.serverCa', hint: 'leave one of them out' }
  }
  if (eap['serverCaOnly'] === true && !own) {
    yield { path: 'eap.serverCaOnly', message: 'needs eap.serverCa' }
  }
  if (eap['method'] === 'PEAP' && eap['phase2'] === 'PAP') {
    yield { path: 'eap.phase2', message: 'PEAP does not carry PAP', hint: 'choose MSCHAPV2, or method TTLS' }
  }
}

/** S2-06. */
function* checkScep(profile: Section, id: string): Generator<Problem> {
  const scep = section(profile['scep'])
  if (scep?.['enrollmentNetwork'] === id) {
    yield {
      path: 'scep.enrollmentNetwork',
      message: 'is this network itself, which cannot be joined before it has a certificate',
      hint: 'name another profile, on the same SSID if need be',
    }
  }
}

function* checkCertificates(profile: Section): Generator<Problem> {
  const lists = {
    'eap.serverCa': section(profile['eap'])?.['serverCa'],
    'scep.caCertificates': section(profile['scep'])?.['caCertificates'],
  }
  for (const [path, pems] of Object.entries(lists)) {
    for (const [index, pem] of list(pems).slice(0, 32).entries()) {
      if (
        typeof pem === 'string' &&
        pem.includes('BEGIN CERTIFICATE') &&
        pem.length <= 65536 &&
        !isCertificate(pem)
      ) {
        yield { path: `${path}[${index}]`, message: 'is not a certificate that can be read' }
      }
    }
  }
}

function isCertificate(pem: string): boolean {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  try {
    return blocks.length > 0 && blocks.every(block => new X509Certificate(block).serialNumber !== '')
  } catch {
    return false
  }
}

const Address = z.union([z.ipv4(), z.ipv6()])

/** By kind: what a value without variables looks like. The SCEP client has the last word, on what comes of variables. */
const nameForms: Record<string, { is: (value: string) => boolean; message: string; hint: string }> = {
  ip: {
    is: value => Address.safeParse(value).success,
    message: 'is no IP address',
    hint: 'write an IPv4 or IPv6 address without a zone',
  },
  email: {
    is: value => /^[^@]+@[^@]+$/.test(value),
    message: 'is no mail address',
    hint: 'write it as local@domain',
  },
  uri: {
    is: value => /^[a-z][a-z0-9+.-]*:./i.test(value),
    message: 'is no absolute URI',
    hint: 'write the scheme too, e.g. urn: or https:',
  },
}

/** Found when the document comes, and not when a certificate is due. */
function* checkNames(profile: Section): Generator<Problem> {
  for (const [index, name] of list(section(profile['scep'])?.['alternativeNames']).slice(0, 16).entries()) {
    if (typeof name !== 'string') continue
    const [kind = '', value] = name.split(/:(.*)/s, 2)
    const form = Object.hasOwn(nameForms, kind) ? nameForms[kind] : undefined
    if (form === undefined || value === undefined || /^$|\{/.test(value) || form.is(value)) continue
    const { message, hint } = form
    yield { path: `scep.alternativeNames[${index}]`, message, hint }
  }
}

function* checkTemplates(profile: Section): Generator<Problem> {
  const eap = section(profile['eap'])
  const scep = section(profile['scep'])
  const templates: [string, unknown][] = [
    ['eap.identity', eap?.['identity']],
    ['eap.anonymousIdentity', eap?.['anonymousIdentity']],
    ['scep.subject.commonName', section(scep?.['subject'])?.['commonName']],
    ...list(scep?.['alternativeNames']).map((name, index): [string, unknown] => [
      `scep.alternativeNames[${index}]`,
      name,
    ]),
  ]
  for (const [path, template] of templates) {
    const wrong = typeof template === 'string' ? unknownVariable(template) : undefined
    if (wrong !== undefined) yield { path, ...wrong }
  }
}
