/** Every value of the menus once (their product is in test/long/scep.test.ts), judged by openssl and a strict server. */
import t from 'tap'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import type { RequestSettings } from '../../../agent/scep/index.ts'
import { fixtureKey } from '../../scep-server/authority.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { plainShape } from '../../scep-server/shapes.ts'
import { enrol } from './enrolling.ts'
import { opensslEach } from './openssl.ts'

const ec = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).privateKey

const cases: {
  row: string
  key?: KeyObject
  settings?: Partial<RequestSettings>
  expected: object
  warned?: string[]
}[] = [
  {
    row: 'S2-34, S2-35: 3DES',
    settings: { encryption: '3DES' },
    expected: { encryption: '3DES' },
    warned: ['weak-encryption'],
  },
  { row: 'S2-34, S2-35: AES-128', settings: { encryption: 'AES-128' }, expected: { encryption: 'AES-128' } },
  { row: 'AES-192', settings: { encryption: 'AES-192' }, expected: { encryption: 'AES-192' } },
  { row: 'S1-42: AES-256', settings: { encryption: 'AES-256' }, expected: { encryption: 'AES-256' } },
  {
    row: 'S2-36, S2-40: SHA-1 signature, the digest follows',
    settings: { signature: 'SHA-1' },
    expected: { digest: 'sha1' },
    warned: ['weak-digest'],
  },
  {
    row: 'S2-36, S2-40: SHA-512 signature, the digest follows',
    settings: { signature: 'SHA-512' },
    expected: { digest: 'sha512' },
  },
  {
    row: 'S2-38, S2-39: a digest of its own',
    settings: { signature: 'SHA-256', digest: 'SHA-512' },
    expected: { digest: 'sha512' },
  },
  {
    row: 'S1-41: SHA-384, which no capability advertises',
    settings: { signature: 'SHA-384' },
    expected: { digest: 'sha384' },
    warned: ['not-advertised'],
  },
  { row: 'S1-40: OAEP', settings: { keyTransport: 'OAEP-SHA-1' }, expected: { keyTransport: 'OAEP-sha1' } },
  {
    row: 'S1-40: OAEP with SHA-384',
    settings: { keyTransport: 'OAEP-SHA-384' },
    expected: { keyTransport: 'OAEP-sha384' },
  },
  {
    row: 'S2-41: RSA-1024, which works and is reported',
    key: fixtureKey('rsa-1024'),
    expected: {},
    warned: ['weak-key'],
  },
  { row: 'S1-35: RSA-3072', key: fixtureKey('rsa-3072'), expected: {} },
  { row: 'S2-41: RSA-4096', key: fixtureKey('rsa-4096'), expected: {} },
  { row: 'S1-36: EC P-256', key: ec('P-256'), expected: {} },
  { row: 'S1-36: EC P-384', key: ec('P-384'), expected: {} },
]

t.test('S2-34 … S2-41, S1-35 … S1-42: each value of the menus', async t => {
  const folder = t.testdir()
  const shape = plainShape()
  for (const [place, { row, key, settings, expected, warned = [] }] of cases.entries()) {
    await using server = await scepTestServer({ shape })
    const sent: Buffer[] = []
    const outcome = await enrol(server.url, {
      ...(key ? { key } : {}),
      transportKey: fixtureKey('rsa-2048-b'),
      settings: settings ?? {},
      onStep: step => sent.push(...(step.sent ? [step.sent] : [])),
    })
    t.equal(outcome.status, 'issued', row)
    t.match(server.messages, [expected], 'as chosen')
    t.strictSame(server.violations, [])
    t.strictSame(
      outcome.warnings.map(each => each.code),
      warned,
      'and what is weak or not advertised is reported',
    )
    writeFileSync(`${folder}/${place}.message`, sent[0] ?? '')
    writeFileSync(`${folder}/${place}.csr`, outcome.enrolment.csr)
  }
  const said = opensslEach(
    folder,
    cases.flatMap((_, place) => [
      `cms -verify -binary -inform DER -in ${place}.message -noverify -out ${place}.envelope`,
      `req -in ${place}.csr -verify -noout -text -out ${place}.text`,
    ]),
  )
  for (const words of ['CMS Verification successful', 'self-signature verify OK'])
    t.equal(said.split(words).length - 1, cases.length, `openssl of each: ${words}`)
  for (const [place, { settings: { signature } = {} }] of cases.entries())
    if (signature !== undefined) {
      const algorithm = `${signature.toLowerCase().replace('-', '')}With`
      const shown = readFileSync(`${folder}/${place}.text`, 'utf8')
      t.match(shown, algorithm, 'S2-37: the request is signed so')
    }
})
