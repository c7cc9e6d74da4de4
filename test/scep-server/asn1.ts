/** A small ASN.1 writer of the tests' own, so that servers and wrong messages are not made by what they test. */
export type Bytes = Uint8Array

const lengthOf = (length: number): number[] => {
  if (length < 0x80) return [length]
  const octets: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256)
  return [0x80 | octets.length, ...octets]
}

/** A value of definite length. */
export const tlv = (tag: number, ...parts: Bytes[]): Buffer => {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content])
}

/** The same value in BER of indefinite length. */
export const indefinite = (tag: number, ...parts: Bytes[]): Buffer =>
  Buffer.concat([Buffer.from([tag, 0x80]), ...parts, Buffer.alloc(2)])

export const sequence = (...parts: Bytes[]): Buffer => tlv(0x30, ...parts)
export const set = (...parts: Bytes[]): Buffer =>
  tlv(0x31, ...[...parts].sort((a, b) => Buffer.compare(a, b)))
export const context = (n: number, ...parts: Bytes[]): Buffer => tlv(0xa0 | n, ...parts)
export const octets = (bytes: Bytes): Buffer => tlv(0x04, bytes)
export const bits = (bytes: Bytes, unused = 0): Buffer => tlv(0x03, Buffer.from([unused]), bytes)
export const nothing = tlv(0x05)
export const yes = tlv(0x01, Buffer.from([0xff]))
export const printable = (text: string): Buffer => tlv(0x13, Buffer.from(text, 'latin1'))
export const utf8 = (text: string): Buffer => tlv(0x0c, Buffer.from(text))
export const ia5 = (text: string): Buffer => tlv(0x16, Buffer.from(text, 'latin1'))

/** A non-negative INTEGER. */
export const integer = (value: number | Bytes): Buffer => {
  const hex = typeof value === 'number' ? value.toString(16) : ''
  const bytes =
    typeof value === 'number'
      ? Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
      : Buffer.from(value)
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1
  const short = bytes.subarray(start)
  return tlv(0x02, ...((short[0] ?? 0) & 0x80 ? [Buffer.alloc(1)] : []), short)
}

export const oid = (dotted: string): Buffer => {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const base128 = (value: number): number[] => {
    const octets = [value % 128]
    for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128))
      octets.unshift(0x80 | (left % 128))
    return octets
  }
  return tlv(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(base128)))
}

/** UTCTime, or GeneralizedTime from 2050. */
export const time = (date: Date): Buffer => {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '')
  return date.getUTCFullYear() < 2050
    ? tlv(0x17, Buffer.from(digits.slice(2)))
    : tlv(0x18, Buffer.from(digits))
}
