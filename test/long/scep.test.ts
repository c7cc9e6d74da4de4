/**
 * Every request of the menus: key × encryption × signature × digest × key transport, accepted by `openssl cms -verify`,
 * `-decrypt` and `openssl req -verify`, and by @peculiar/asn1; and every reply that openssl makes of them, accepted by us.
 */
import t from 'tap'
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import {
  prepareEnrolment,
  type Digest,
  type KeyTransport,
  type RequestCipher,
} from '../../agent/scep/index.ts'
import { ciphers, digests, keyTransports, type Cipher } from '../../agent/scep/algorithms.ts'
import { openEnvelope } from '../../agent/scep/enveloped-data.ts'
import { openEnrolment } from '../../agent/scep/enrolment.ts'
import { buildPkiMessage } from '../../agent/scep/pki-message.ts'
import { readSignedData, verifies } from '../../agent/scep/signed-data.ts'
import { fixtureKey, rootCa } from '../scep-server/authority.ts'
import { readRequest } from '../scep-server/read-request.ts'
import { openssl } from '../unit/scep/openssl.ts'
import { sample } from './sample.ts'

t.setTimeout(7_200_000)

const keys = ['rsa-1024', 'rsa-2048-d', 'rsa-3072', 'rsa-4096', 'ec-p256', 'ec-p384'] as const
const encryptions = (Object.keys(ciphers) as Cipher[]).filter(
  (each): each is RequestCipher => ciphers[each].request,
)
const digestNames = Object.keys(digests) as Digest[]
const transports = Object.keys(keyTransports) as KeyTransport[]
const ca = rootCa('Matrix CA', fixtureKey('rsa-2048-a'))

const keyOf = (name: (typeof keys)[number]): KeyObject =>
  name === 'ec-p256' || name === 'ec-p384'
    ? generateKeyPairSync('ec', { namedCurve: name === 'ec-p256' ? 'P-256' : 'P-384' }).privateKey
    : fixtureKey(name)

const requests = keys.flatMap(key =>
  encryptions.flatMap(encryption =>
    digestNames.flatMap(signature =>
      digestNames.flatMap(digest =>
        transports.map(keyTransport => ({ key, encryption, signature, digest, keyTransport })),
      ),
    ),
  ),
)

t.test(
  'S2-34 … S2-41, S1-35 … S1-42: every message of the menus is read by openssl and by @peculiar/asn1',
  async t => {
    const cases = sample(requests)
    t.comment(`${cases.length} of ${requests.length}`)
    const folder = t.testdir({
      'ca.pem': ca.certificate.toString(),
      'ca.key': ca.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    })
    const file = (name: string): string => `${folder}/${name}`
    for (const { key: name, encryption, signature, digest, keyTransport } of cases) {
      const title = [name, encryption, signature, digest, keyTransport].join(' ')
      const key = keyOf(name)
      const enrolment = await prepareEnrolment({
        key,
        subject: { commonName: 'matrix' },
        names: [{ type: 'dns', value: 'a.example' }],
        challengePassword: 'x',
        signature,
        transportKey: fixtureKey('rsa-2048-b'),
      })
      const open = openEnrolment(enrolment, key)
      const message = await buildPkiMessage({
        type: 'PKCSReq',
        transactionId: enrolment.transactionId,
        data: open.csr,
        recipient: ca.certificate,
        signer: open.signer,
        algorithms: { encryption, digest, keyTransport },
      })
      writeFileSync(file('message'), message.bytes)
      openssl([
        'cms',
        '-verify',
        '-binary',
        '-inform',
        'DER',
        '-in',
        file('message'),
        '-noverify',
        '-out',
        file('envelope'),
      ])
      openssl([
        'cms',
        '-decrypt',
        '-binary',
        '-inform',
        'DER',
        '-in',
        file('envelope'),
        '-recip',
        file('ca.pem'),
        '-inkey',
        file('ca.key'),
        '-out',
        file('csr'),
      ])
      t.ok(readFileSync(file('csr')).equals(open.csr), title)
      openssl(['req', '-inform', 'DER', '-in', file('csr'), '-verify', '-noout'])
      const received = readRequest(message.bytes, ca)
      t.strictSame(received.violations, [], 'a strict server has nothing to object to')
      t.match(received, {
        encryption,
        digest: digests[digest].node,
        keyTransport:
          keyTransport === 'PKCS1' ? 'PKCS1' : `OAEP-${keyTransport.slice(5).replace('-', '').toLowerCase()}`,
      })
    }
  },
)

const opensslCiphers: Record<RequestCipher, string> = {
  'AES-128': '-aes128',
  'AES-192': '-aes192',
  'AES-256': '-aes256',
  '3DES': '-des3',
}
/** OAEP takes two digests and two octets of the modulus (RFC 8017 §7.1.1): openssl refuses what does not fit. */
const tooSmall = (key: string, encryption: RequestCipher, oaep: Digest | undefined): boolean =>
  oaep !== undefined &&
  ciphers[encryption].keyBytes + 2 * digests[oaep].bytes + 2 > Number(key.split('-')[1]) / 8

const rsaKeys = ['rsa-1024', 'rsa-2048-d', 'rsa-3072', 'rsa-4096'] as const
const replies = rsaKeys.flatMap(key =>
  encryptions.flatMap(encryption =>
    transports.flatMap(transport => [false, true].map(stream => ({ key, encryption, transport, stream }))),
  ),
)

t.test('every envelope that openssl makes in these algorithms is opened, DER and BER', async t => {
  const cases = sample(replies)
  t.comment(`${cases.length} of ${replies.length}`)
  const folder = t.testdir()
  for (const { key, encryption, transport, stream } of cases) {
    const holder = rootCa('Reader', fixtureKey(key))
    const { oaep } = keyTransports[transport]
    const title = [key, encryption, transport, stream ? 'BER' : 'DER'].join(' ')
    if (tooSmall(key, encryption, oaep)) continue
    const options = oaep
      ? ['-keyopt', 'rsa_padding_mode:oaep', '-keyopt', `rsa_oaep_md:${digests[oaep].node}`]
      : []
    writeFileSync(`${folder}/reader.pem`, holder.certificate.toString())
    const made = openssl(
      [
        'cms',
        '-encrypt',
        '-binary',
        opensslCiphers[encryption],
        ...(stream ? ['-stream'] : []),
        '-outform',
        'DER',
        '-recip',
        `${folder}/reader.pem`,
        ...options,
      ],
      Buffer.from('hello, sensor'),
    )
    t.equal(
      openEnvelope(made, {
        ...holder,
        key: createPrivateKey(holder.key.export({ type: 'pkcs8', format: 'pem' })),
      }).content.toString(),
      'hello, sensor',
      title,
    )
  }
})

t.test('every signature that openssl makes in these digests verifies', async t => {
  const folder = t.testdir()
  for (const key of [...rsaKeys, 'ec-p256' as const])
    for (const digest of digestNames) {
      const holder = rootCa('Signer', keyOf(key))
      writeFileSync(`${folder}/signer.pem`, holder.certificate.toString())
      writeFileSync(`${folder}/signer.key`, holder.key.export({ type: 'pkcs8', format: 'pem' }))
      const args = [
        'cms',
        '-sign',
        '-binary',
        '-nodetach',
        '-md',
        digests[digest].node,
        '-signer',
        `${folder}/signer.pem`,
        '-inkey',
        `${folder}/signer.key`,
        '-outform',
        'DER',
      ]
      const data = readSignedData(openssl(args, Buffer.from('hello')))
      const [signer] = data.signers
      t.ok(signer && verifies(signer, data.content, holder.certificate.publicKey), `${key} ${digest}`)
    }
})
