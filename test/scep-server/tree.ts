/** A message of BER as asn1js reads it: each once, since that takes longer than everything else a server of the tests does. */
import { AsnParser } from '@peculiar/asn1-schema'
import { ContentInfo } from '@peculiar/asn1-cms'
import { Constructed, fromBER, Sequence, type AsnType } from 'asn1js'

/** Every length is definite and as short as can be (X.690 section 10.1), all the way down, and nothing follows. */
export function isDer(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length;) {
    const count = bytes[at + 1] ?? 0x80
    const long = count > 0x80 ? count - 0x80 : 0
    if (count === 0x80 || long > 6 || at + 2 + long > bytes.length) return false
    const length = long > 0 ? bytes.readUIntBE(at + 2, long) : count
    if (long > 0 && length < Math.max(0x80, 2 ** (8 * (long - 1)))) return false
    const start = at + 2 + long
    const isConstructed = ((bytes[at] ?? 0) & 0x20) !== 0
    if (isConstructed && !isDer(bytes.subarray(start, start + length))) return false
    at = start + length
    if (at > bytes.length) return false
  }
  return true
}

/** What is parsed once is read by several schemas. */
export function treeOf(bytes: Buffer): AsnType {
  const { result } = fromBER(bytes)
  if (result.error) throw new Error(result.error)
  return result
}

/** A ContentInfo, and the tree of what is in it. */
export function contentOf(tree: AsnType): { type: string; content: AsnType } {
  const { contentType } = AsnParser.fromASN(tree, ContentInfo)
  const [, tagged] = tree instanceof Sequence ? tree.valueBlock.value : []
  const [content] = tagged instanceof Constructed ? tagged.valueBlock.value : []
  if (!content) throw new Error('the ContentInfo is empty')
  return { type: contentType, content }
}
