/** Distinguished names and alternative names: structured in, DER out, and back to text for people (B-41, B-42). */
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { BerError, members, oidText, read, tag, text, type Element } from './ber.ts'
import {
  context,
  contextPrimitive,
  directoryString,
  encode,
  ia5String,
  oid,
  printableString,
  sequence,
  setOf,
  utf8String,
  type Node,
} from './der.ts'
import { oids } from './algorithms.ts'
import { ScepError } from './errors.ts'

/** A subject as separate values, never as an escaped string: `+ , ; =` are ordinary characters here. */
export interface Subject {
  commonName: string
  serialNumber?: string | undefined
  organizationalUnit?: string[] | undefined
  organization?: string | undefined
  locality?: string | undefined
  state?: string | undefined
  country?: string | undefined
  /** `example.org` as ["example", "org"] in the order of the host name. */
  domainComponents?: string[] | undefined
}

/** RFC 5280 appendix A.1: OID, short name, upper bound in characters. */
const attributes = {
  country: ['2.5.4.6', 'C', 2],
  domainComponents: ['0.9.2342.19200300.100.1.25', 'DC', 63],
  state: ['2.5.4.8', 'ST', 128],
  locality: ['2.5.4.7', 'L', 128],
  organization: ['2.5.4.10', 'O', 64],
  organizationalUnit: ['2.5.4.11', 'OU', 64],
  commonName: ['2.5.4.3', 'CN', 64],
  serialNumber: ['2.5.4.5', 'serialNumber', 64],
} as const
type Attribute = keyof typeof attributes

const invalid = (detail: string, hint: string): ScepError =>
  new ScepError({
    code: 'name-invalid',
    kind: 'misconfigured',
    title: 'A name cannot go into the request',
    detail,
    hint,
  })

/** The DER of a Name, most significant part first. Throws `name-invalid` naming the attribute. */
export function distinguishedName(subject: Subject): Buffer {
  const parts = (Object.keys(attributes) as Attribute[]).flatMap(attribute => {
    const value = subject[attribute]
    const values =
      value === undefined
        ? []
        : typeof value === 'string'
          ? [value]
          : attribute === 'domainComponents'
            ? value.toReversed()
            : value
    return values.map(each => relative(attribute, each))
  })
  return encode(sequence(...parts))
}

function relative(attribute: Attribute, value: string): Node {
  const [type, short, most] = attributes[attribute]
  const length = [...value].length
  if (length === 0) throw invalid(`${short} is empty`, `Give ${short} a value or leave it out`)
  if (length > most)
    throw invalid(
      `${short} has ${String(length)} characters, the most are ${String(most)} (RFC 5280)`,
      `Shorten ${short}`,
    )
  if (attribute === 'country' && !/^[A-Za-z]{2}$/.test(value))
    throw invalid(`C is "${value}"`, 'C is the two letters of ISO 3166')
  const node =
    attribute === 'domainComponents'
      ? ia5String(value)
      : attribute === 'country'
        ? printableString(value)
        : directoryString(value)
  return setOf(sequence(oid(type), node))
}

const shortNames: Record<string, string> = {
  ...Object.fromEntries(Object.values(attributes).map(([type, short]) => [type, short])),
  '1.2.840.113549.1.9.1': 'emailAddress',
  '2.5.4.4': 'SN',
  '2.5.4.42': 'GN',
  '2.5.4.12': 'title',
}

/** A Name as a person reads it, e.g. `CN=sensor-1, O=Example`, most specific first (RFC 4514 order, lightly escaped). */
export const nameText = (name: Element): string =>
  orElse(
    () => nameParts(name),
    () => '(unreadable name)',
  )

function nameParts(name: Element): string {
  const parts = members(name).map(relative =>
    members(relative)
      .map(attribute => {
        const [type, value] = members(attribute)
        if (!type || !value) return '?'
        const dotted = oidText(type)
        return `${shortNames[dotted] ?? dotted}=${escaped(shown(value))}`
      })
      .join('+'),
  )
  return parts.toReversed().join(', ')
}

/** A control character, which could rewrite the screen it is shown on, as its octets (RFC 4514 §2.4). */
const escaped = (value: string): string =>
  value
    .replace(/[,+;\\"<>=]/g, '\\$&')
    .replace(/\p{Cc}/gu, each => Buffer.from(each).toString('hex').replace(/../g, '\\$&'))

/** A strange name of a server's is no reason to fail: it is shown as something else. */
function orElse<T>(body: () => T, otherwise: () => T): T {
  try {
    return body()
  } catch (error) {
    if (error instanceof BerError) return otherwise()
    throw error
  }
}

/** Text, or for what is no string `#` and the DER in hexadecimal (RFC 4514 §2.4). */
const shown = (value: Element): string =>
  orElse(
    () => text(value),
    () => `#${value.bytes.toString('hex')}`,
  )

/** How a MAC address stands in the certificate; as a dNSName by default, in the form of RFC 3580 §3.21 (`B8-27-EB-12-34-56`). */
export type MacCarrier = 'dns' | 'uri' | 'upn'

export type AlternativeName =
  | { type: 'dns' | 'email' | 'upn' | 'uri' | 'ip'; value: string }
  | { type: 'mac'; value: string; carrier?: MacCarrier | undefined }

/** Parses `dns:x`, `email:x`, `upn:x`, `uri:x`, `ip:x`, `mac:x`, `mac-uri:x`, `mac-upn:x`. Throws `name-invalid`. */
export function alternativeName(form: string): AlternativeName {
  const match = /^(dns|email|upn|uri|ip|mac|mac-dns|mac-uri|mac-upn):(.*)$/s.exec(form)
  const [, type, value] = match ?? []
  if (type === undefined || value === undefined)
    throw invalid(
      `"${form}" is no alternative name`,
      'Write dns:, email:, upn:, uri:, ip: or mac: before the value',
    )
  if (value === '') throw invalid(`${type}: has no value`, `Give ${type}: a value, or remove it`)
  const [kind, carrier] = type.split('-')
  const name = (
    kind === 'mac' ? { type: 'mac', value, carrier: carrier as MacCarrier | undefined } : { type, value }
  ) as AlternativeName
  generalName(name)
  return name
}

/** The GeneralName of one alternative name (RFC 5280 §4.2.1.6). Throws `name-invalid`. */
function generalName(name: AlternativeName): Node {
  const { value } = name
  switch (name.type) {
    case 'dns':
      return contextPrimitive(2, Buffer.from(hostName(value), 'latin1'))
    case 'email':
      if (!/^[\x21-\x3f\x41-\x7e]+@[A-Za-z0-9.-]+$/.test(value))
        throw invalid(`email:${value} is no mail address`, 'Write it as local@domain, in ASCII')
      return contextPrimitive(1, Buffer.from(value, 'latin1'))
    case 'upn':
      return context(0, oid(oids.userPrincipalName), context(0, utf8String(value)))
    case 'uri':
      if (!/^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$/i.test(value))
        throw invalid(`uri:${value} is no absolute URI`, 'Write the scheme too, e.g. urn: or https:')
      return contextPrimitive(6, Buffer.from(value, 'latin1'))
    case 'ip':
      return contextPrimitive(7, addressBytes(value))
    case 'mac':
      return macName(value, name.carrier ?? 'dns')
  }
}

function hostName(value: string): string {
  const ascii = /^[\x21-\x7e]*$/.test(value) ? value : domainToASCII(value)
  if (
    !/^(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(
      ascii,
    ) ||
    ascii.length > 253
  )
    throw invalid(
      `dns:${value} is no host name`,
      'Use letters, digits and hyphens, at most 63 between two dots',
    )
  return ascii
}

function macName(value: string, carrier: MacCarrier): Node {
  const digits = value.replaceAll(/[:.-]/g, '')
  if (!/^[0-9a-f]{12}$/i.test(digits))
    throw invalid(`mac:${value} is no MAC address`, 'Write it as b8:27:eb:12:34:56')
  const hyphened = (digits.toUpperCase().match(/../g) ?? []).join('-')
  switch (carrier) {
    case 'dns':
      return generalName({ type: 'dns', value: hyphened })
    case 'uri': // RFC 9039 §4.1 wants the EUI-64 form
      return generalName({
        type: 'uri',
        value: `urn:dev:mac:${digits.slice(0, 6)}fffe${digits.slice(6)}`.toLowerCase(),
      })
    case 'upn':
      return generalName({ type: 'upn', value: hyphened })
  }
}

function addressBytes(value: string): Buffer {
  const family = isIP(value)
  if (family === 4) return Buffer.from(value.split('.').map(Number))
  if (family !== 6 || value.includes('%'))
    throw invalid(`ip:${value} is no IP address`, 'Write an IPv4 or IPv6 address without a zone')
  // The URL parser turns every spelling into hexadecimal groups, the dotted tail included.
  const [head = '', tail] = new URL(`http://[${value}]/`).hostname.slice(1, -1).split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const all = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return Buffer.from(all.map(group => group.padStart(4, '0')).join(''), 'hex')
}

/** The value of a subjectAltName extension. */
export const subjectAltName = (names: readonly AlternativeName[]): Buffer =>
  encode(sequence(...names.map(generalName)))

/** The members of a subjectAltName value as text in our own forms, for people and for comparison. */
export const alternativeNameTexts = (value: Buffer): string[] =>
  orElse(
    () => alternativeNameForms(value),
    () => ['(unreadable names)'],
  )

function alternativeNameForms(value: Buffer): string[] {
  return members(read(value)).map(name => {
    switch (name.tag) {
      case tag.contextPrimitive(1):
        return `email:${name.content.toString('latin1')}`
      case tag.contextPrimitive(2):
        return `dns:${name.content.toString('latin1')}`
      case tag.contextPrimitive(6):
        return `uri:${name.content.toString('latin1')}`
      case tag.contextPrimitive(7):
        return `ip:${addressText(name.content)}`
      case tag.context(0):
        return otherNameText(name)
      case tag.context(4): {
        const [directory] = members(name)
        return directory ? `dir:${nameText(directory)}` : 'dir:'
      }
      default:
        return `[${String(name.tag & 0x1f)}]:${name.content.toString('hex')}`
    }
  })
}

const addressText = (bytes: Buffer): string =>
  bytes.length === 4
    ? [...bytes].join('.')
    : new URL(`http://[${(bytes.toString('hex').match(/.{4}/g) ?? []).join(':')}]/`).hostname.slice(1, -1)

function otherNameText(name: Element): string {
  const [type, wrapped] = members(name)
  const [value] = wrapped ? members(wrapped) : []
  if (!type || !value) return 'other:'
  const dotted = oidText(type)
  if (dotted === oids.userPrincipalName) return `upn:${shown(value)}`
  return `other:${dotted}:${value.content.toString('hex')}`
}
