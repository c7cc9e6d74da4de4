/**
 * Writing DER: a typed face over node-forge's encoder, the only place that imports it.
 *
 * Every function returns a node of the tree; `encode` turns a tree into bytes. Reading is in ber.ts.
 */
import asn1, { type Asn1 } from 'node-forge/lib/asn1.js'

export type Node = Asn1

const binary = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
const primitive = (type: number, value: string): Node => asn1.create(0x00, type, false, value)

/** The bytes of a tree. */
export const encode = (node: Node): Buffer => Buffer.from(asn1.toDer(node).getBytes(), 'latin1')

export const sequence = (...members: Node[]): Node => asn1.create(0x00, 16, true, members)

/** A SET OF, in the order DER demands: by the encodings of the members (X.690 §11.6). */
export const setOf = (...members: Node[]): Node => asn1.create(0x00, 17, true, sorted(members))

const sorted = (members: Node[]): Node[] =>
  members
    .map(node => ({ node, bytes: encode(node) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ node }) => node)

/** `[n] EXPLICIT`, or `[n] IMPLICIT` of a constructed type given its members. */
export const context = (n: number, ...members: Node[]): Node => asn1.create(0x80, n, true, members)

/** `[n] IMPLICIT` of a primitive type. */
export const contextPrimitive = (n: number, bytes: Uint8Array): Node =>
  asn1.create(0x80, n, false, binary(bytes))

export const oid = (dotted: string): Node => primitive(6, asn1.oidToDer(dotted).getBytes())
export const nothing = (): Node => primitive(5, '')
export const boolean = (value: boolean): Node => primitive(1, value ? '\xff' : '\0')
export const octetString = (bytes: Uint8Array): Node => primitive(4, binary(bytes))
export const printableString = (text: string): Node => primitive(19, text)
export const ia5String = (text: string): Node => primitive(22, text)
export const utf8String = (text: string): Node => primitive(12, binary(Buffer.from(text, 'utf8')))

/** A BIT STRING of whole octets, or with `unused` trailing bits. */
export const bitString = (bytes: Uint8Array, unused = 0): Node =>
  primitive(3, String.fromCharCode(unused) + binary(bytes))

/** A non-negative INTEGER from a small number or from big-endian magnitude bytes. */
export function integer(value: number | Uint8Array): Node {
  const magnitude = typeof value === 'number' ? Buffer.from(evenHex(value), 'hex') : Buffer.from(value)
  let first = 0
  while (first < magnitude.length - 1 && magnitude[first] === 0) first += 1
  const bytes = magnitude.subarray(first)
  return primitive(2, ((bytes[0] ?? 0) & 0x80 ? '\0' : '') + binary(bytes))
}

const evenHex = (value: number): string => {
  const hex = value.toString(16)
  return hex.length % 2 ? `0${hex}` : hex
}

/** UTCTime up to 2049 and GeneralizedTime from 2050, as RFC 5280 §4.1.2.5 asks. */
export const time = (date: Date): Node =>
  date.getUTCFullYear() < 2050
    ? primitive(23, asn1.dateToUtcTime(date))
    : primitive(24, asn1.dateToGeneralizedTime(date))

/** A string that is a PrintableString where its characters allow it, because NDES reads no other (B-40), else UTF8String. */
export const directoryString = (text: string): Node =>
  isPrintable(text) ? printableString(text) : utf8String(text)

export const isPrintable = (text: string): boolean => /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text)

/** Finished DER, embedded byte for byte: the whole identifier octet is given to forge as a type, so that it looks no further. */
export function raw(bytes: Uint8Array): Node {
  const identifier = bytes[0] ?? 0
  const first = bytes[1] ?? 0
  const header = first < 0x80 ? 2 : 2 + (first & 0x7f)
  return asn1.create(identifier & 0xc0, identifier & 0x3f, false, binary(bytes.subarray(header)))
}

/** Dotted text of the contents of an OBJECT IDENTIFIER. */
export const dottedOid = (contents: Uint8Array): string => asn1.derToOid(binary(contents))
