/** What the server of the tests calls DER: every request of ours is held against it. */
import t from 'tap'
import { indefinite, integer, octets, sequence } from '../../scep-server/asn1.ts'
import { isDer } from '../../scep-server/tree.ts'

const inner = sequence(integer(1), octets(Buffer.alloc(200)))
const hex = (text: string) => Buffer.from(text, 'hex')

const cases: [string, Buffer, boolean][] = [
  ['a value in a value', sequence(inner, inner), true],
  ['what has lengths of one, two and three octets', sequence(octets(Buffer.alloc(70_000)), inner), true],
  ['an indefinite length', indefinite(0x30, integer(1)), false],
  ['an indefinite length further down', sequence(inner, indefinite(0x24, octets(Buffer.of(1)))), false],
  ['a length of two octets for one', hex('308103020101'), false],
  ['the same further down', hex('3006300402810101'), false],
  ['a length with a leading zero', Buffer.concat([hex('04820080'), Buffer.alloc(128)]), false],
  ['less than the length says', sequence(inner).subarray(0, -1), false],
  ['an octet that is left over', sequence(hex('020101'), hex('02')), false],
]
for (const [what, bytes, expected] of cases)
  t.test(`${what} is ${expected ? '' : 'not '}DER`, async t => {
    t.equal(isDer(bytes), expected)
  })
