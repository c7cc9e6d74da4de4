/**
 * Reading BER (and so DER) as slices of the bytes received, one level at a time.
 *
 * Signatures are over bytes, so nothing is decoded and encoded again: an `Element` is a view. Members are found only
 * when asked for: forge's reader keeps no positions and makes half a million objects of a hostile megabyte
 * (110 ms and 110 MB measured). Everything wrong is a BerError; `reading` gives it a place.
 */
import { dottedOid, encode, raw } from './der.ts'

/** What cannot be read, in words; callers turn it into a ScepError that names the message. */
export class BerError extends Error {
  override name = 'BerError'
}

/** Identifier octets of the types SCEP uses. */
export const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  numericString: 0x12,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  visibleString: 0x1a,
  generalString: 0x1b,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
  /** `[n]` of a constructed type. */
  context: (n: number) => 0xa0 | n,
  /** `[n]` of a primitive type. */
  contextPrimitive: (n: number) => 0x80 | n,
} as const

/** One type-length-value: `bytes` is all of it as received, `content` is what is inside. */
export interface Element {
  readonly tag: number
  readonly bytes: Buffer
  readonly content: Buffer
}

const deepest = 64

/** Reads exactly one element; bytes after it are an error. */
export function read(bytes: Uint8Array): Element {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const element = elementAt(buffer, 0, 0)
  if (element.bytes.length !== buffer.length) throw new BerError('bytes follow the end of the structure')
  return element
}

/** Reads one element and says nothing about the bytes after it (servers pad). */
export const readFirst = (bytes: Buffer): Element => elementAt(bytes, 0, 0)

/** The members of a constructed element, in the order received. */
export function members(element: Element): Element[] {
  if (!(element.tag & 0x20))
    throw new BerError(`a primitive value (tag ${hex(element.tag)}) where members were expected`)
  const found: Element[] = []
  for (let at = 0; at < element.content.length;) {
    const member = elementAt(element.content, at, 0)
    found.push(member)
    at += member.bytes.length
  }
  return found
}

interface Header {
  tag: number
  contentAt: number
  /** undefined: indefinite length (X.690 §8.1.3.6). */
  length: number | undefined
}

function header(bytes: Buffer, at: number): Header {
  const identifier = bytes[at]
  const first = bytes[at + 1]
  if (identifier === undefined || first === undefined) throw new BerError('the structure is cut off')
  if ((identifier & 0x1f) === 0x1f) throw new BerError('a tag number above 30')
  if (first < 0x80) return { tag: identifier, contentAt: at + 2, length: first }
  if (first === 0x80) {
    if (!(identifier & 0x20)) throw new BerError('a primitive value of indefinite length')
    return { tag: identifier, contentAt: at + 2, length: undefined }
  }
  const octets = first & 0x7f
  if (octets > 4) throw new BerError('a length of more than four octets')
  if (at + 2 + octets > bytes.length) throw new BerError('the structure is cut off')
  return { tag: identifier, contentAt: at + 2 + octets, length: bytes.readUIntBE(at + 2, octets) }
}

function elementAt(bytes: Buffer, at: number, depth: number): Element {
  const { tag, contentAt, length } = header(bytes, at)
  if (length === undefined) {
    const end = endOfContents(bytes, contentAt, depth + 1)
    return { tag, bytes: bytes.subarray(at, end + 2), content: bytes.subarray(contentAt, end) }
  }
  const end = contentAt + length
  if (end > bytes.length) throw new BerError('a length reaches past the end of the structure')
  return { tag, bytes: bytes.subarray(at, end), content: bytes.subarray(contentAt, end) }
}

function endOfContents(bytes: Buffer, from: number, depth: number): number {
  if (depth > deepest) throw new BerError(`nested deeper than ${String(deepest)} levels`)
  let at = from
  while (bytes[at] !== 0 || bytes[at + 1] !== 0) at += elementAt(bytes, at, depth).bytes.length
  return at
}

/** The value with definite lengths throughout: a Name in BER is the same as one in DER. */
export function definite(element: Element, depth = 0): Buffer {
  if (!(element.tag & 0x20)) return element.bytes
  if (depth > 8) throw new BerError('a name of too many levels')
  const parts = members(element).map(each => definite(each, depth + 1))
  return encode(raw(Buffer.concat([Buffer.from([element.tag, 0]), ...parts])))
}

/** The octets of an OCTET STRING, joining the chunks of a constructed one (BER); also for `[n] IMPLICIT OCTET STRING`. */
export function octets(element: Element, depth = 0): Buffer {
  if (!(element.tag & 0x20)) return element.content
  if (depth > 8) throw new BerError('an OCTET STRING of too many levels')
  return Buffer.concat(members(element).map(chunk => octets(chunk, depth + 1)))
}

/** The octets of a BIT STRING without unused bits. */
export function bits(element: Element): Buffer {
  if (element.tag !== tag.bitString || element.content.length < 1) throw new BerError('not a BIT STRING')
  return element.content.subarray(1)
}

/** The text of any of the string types that certificates and servers use (B-20), in one piece or (BER) in several. */
export function text(element: Element): string {
  switch (element.tag & ~0x20) {
    case tag.bmpString: {
      const units = Buffer.from(octets(element))
      if (units.length % 2) throw new BerError('a BMPString of odd length')
      return units.swap16().toString('utf16le')
    }
    case tag.universalString: {
      const units = octets(element)
      if (units.length % 4) throw new BerError('a UniversalString of odd length')
      const points = Array.from({ length: units.length / 4 }, (_, at) => units.readUInt32BE(4 * at))
      return points.map(point => (point > 0x10ffff ? '\ufffd' : String.fromCodePoint(point))).join('')
    }
    case tag.numericString:
    case tag.printableString:
    case tag.ia5String:
    case tag.teletexString:
    case tag.visibleString:
    case tag.generalString:
      return octets(element).toString('latin1')
    case tag.utf8String:
    case tag.octetString:
      return octets(element).toString('utf8')
    default:
      throw new BerError(`no string (tag ${hex(element.tag)})`)
  }
}

/** Dotted text of an OBJECT IDENTIFIER. */
export function oidText(element: Element): string {
  if (element.tag !== tag.oid || element.content.length === 0)
    throw new BerError(`no object identifier (tag ${hex(element.tag)})`)
  try {
    return dottedOid(element.content)
  } catch (error) {
    throw new BerError(`no object identifier that anybody uses: ${(error as Error).message}`)
  }
}

/** A small non-negative INTEGER. */
export function smallInteger(element: Element): number {
  const { content } = element
  if (element.tag !== tag.integer || content.length < 1 || content.length > 4 || (content[0] ?? 0) > 0x7f)
    throw new BerError('not a small INTEGER')
  return content.readUIntBE(0, content.length)
}

/** The point in time of a UTCTime or GeneralizedTime in the form that RFC 5280 demands. */
export function date(element: Element): Date {
  const match = /^(\d{2})?(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(
    element.content.toString('latin1'),
  )
  if (!match || (element.tag !== tag.utcTime && element.tag !== tag.generalizedTime))
    throw new BerError('not a time')
  const [, century, year, ...rest] = match
  const [month = 1, day = 1, hour = 0, minute = 0, second = 0] = rest.map(Number)
  const short = Number(year)
  const full = century === undefined ? (short < 50 ? 2000 : 1900) + short : Number(century) * 100 + short
  return new Date(Date.UTC(full, month - 1, day, hour, minute, second))
}

/** Takes the members of a SEQUENCE or SET one after the other, naming each for the error text. */
export class Fields {
  readonly #what: string
  readonly #members: Element[]
  #at = 0

  constructor(element: Element, what: string, expected: number = tag.sequence) {
    if (element.tag !== expected)
      throw new BerError(`${what} has tag ${hex(element.tag)} instead of ${hex(expected)}`)
    this.#what = what
    this.#members = members(element)
  }

  /** The next member, which must have one of these tags (any, when none is given). */
  take(name: string, ...tags: number[]): Element {
    const element = this.#members[this.#at]
    if (!element) throw new BerError(`${this.#what} ends before ${name}`)
    if (tags.length > 0 && !tags.includes(element.tag))
      throw new BerError(`${name} of ${this.#what} has tag ${hex(element.tag)}`)
    this.#at += 1
    return element
  }

  /** The next member if it has one of these tags. */
  optional(...tags: number[]): Element | undefined {
    const element = this.#members[this.#at]
    if (!element || !tags.includes(element.tag)) return undefined
    this.#at += 1
    return element
  }

  rest(): Element[] {
    return this.#members.slice(this.#at)
  }
}

const hex = (octet: number): string => `0x${octet.toString(16).padStart(2, '0')}`
