/** The part of node-forge's DER encoder that der.ts uses; the published types do not cover deep paths. */
declare module 'node-forge/lib/asn1.js' {
  interface ByteBuffer {
    getBytes(): string
  }
  /** One node of forge's tree; `value` is a binary string or, for constructed types, the list of children. */
  interface Asn1 {
    tagClass: number
    type: number
    constructed: boolean
    value: string | Asn1[]
  }
  const asn1: {
    create(tagClass: number, type: number, constructed: boolean, value: string | Asn1[]): Asn1
    toDer(node: Asn1): ByteBuffer
    oidToDer(oid: string): ByteBuffer
    derToOid(bytes: string): string
    dateToUtcTime(date: Date): string
    dateToGeneralizedTime(date: Date): string
  }
  export default asn1
  export type { Asn1 }
}
