/**
 * Reads a pkiMessage the way a strict server would, with @peculiar/asn1 and node:crypto, and lists everything that RFC 8894 or a
 * known server would not like. Nothing of agent/scep is used.
 */
import {
  constants,
  createDecipheriv,
  createPublicKey,
  privateDecrypt,
  verify,
  X509Certificate,
  type KeyObject,
} from 'node:crypto'
import { AsnConvert, AsnParser } from '@peculiar/asn1-schema'
import {
  CertificateChoices,
  EnvelopedData,
  KeyTransRecipientInfo,
  SignedData,
  type SignerInfo,
} from '@peculiar/asn1-cms'
import { CertificationRequest } from '@peculiar/asn1-csr'
import { Extensions } from '@peculiar/asn1-x509'
import { inside, issuerAndSerial, split, subjectName, type Holder } from './authority.ts'
import { contentOf, isDer, treeOf } from './tree.ts'

export interface ReceivedRequest {
  messageType: string
  transactionID: string
  senderNonce: Buffer
  signer: X509Certificate
  digest: string
  encryption: string
  keyTransport: string
  /** The decrypted messageData. */
  data: Buffer
  /** For PKCSReq and RenewalReq. */
  csr: Csr | undefined
  /** What is wrong with it, as sentences. */
  violations: string[]
}

export interface Csr {
  subject: Buffer
  publicKey: KeyObject
  challengePassword: string | undefined
  /** Tag of the challengePassword: 0x13 is a PrintableString. */
  challengeTag: number | undefined
  /** OID to DER. */
  extensions: Map<string, Buffer>
}

const attributeIds = {
  messageType: '2.16.840.1.113733.1.9.2',
  transactionID: '2.16.840.1.113733.1.9.7',
  senderNonce: '2.16.840.1.113733.1.9.5',
}

/** Reads and checks. Throws only when the bytes are no pkiMessage at all, or are not for `holder`. */
export function readRequest(bytes: Buffer, holder: Holder): ReceivedRequest {
  const violations: string[] = []
  const object = (holds: boolean, sentence: string): void => {
    if (!holds) violations.push(sentence)
  }
  object(isDer(bytes), 'the message is not DER')
  const data = AsnParser.fromASN(contentOf(treeOf(bytes)).content, SignedData)
  const [signerInfo] = data.signerInfos
  if (!signerInfo) throw new Error('there is no SignerInfo')
  object(data.signerInfos.length === 1, 'there is not exactly one signer')
  const signer = signerCertificate(bytes, data)
  const attributes = signedAttributes(bytes, signerInfo, object)
  const digest = digestNames[signerInfo.digestAlgorithm.algorithm] ?? signerInfo.digestAlgorithm.algorithm
  object(
    verify(digest, asSet(bytes), signer.publicKey, Buffer.from(signerInfo.signature.buffer)),
    'the signature does not verify',
  )
  const content = Buffer.from(data.encapContentInfo.eContent?.single?.buffer ?? new ArrayBuffer(0))
  const opened = open(content, holder, object)
  const messageType = attributes.text(attributeIds.messageType)
  const csr = messageType === '19' || messageType === '17' ? readCsr(opened.data, object) : undefined
  if (csr) checkSigner(messageType, csr, signer, object)
  return {
    messageType,
    transactionID: attributes.text(attributeIds.transactionID),
    senderNonce: attributes.octets(attributeIds.senderNonce),
    signer,
    digest,
    ...opened,
    csr,
    violations,
  }
}

type Object_ = (holds: boolean, sentence: string) => void

const digestNames: Record<string, string> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}

function signerCertificate(message: Buffer, data: SignedData): X509Certificate {
  const choice = data.certificates?.[0]
  if (!(choice instanceof CertificateChoices) || !choice.certificate)
    throw new Error('there is no signer certificate')
  const bag = fieldsOf(message).find(each => each[0] === 0xa0)
  return new X509Certificate(split(inside(bag ?? message))[0] ?? message)
}

/** The fields of the SignedData as they were received: @peculiar keeps no bytes. */
const fieldsOf = (message: Buffer): Buffer[] => split(inside(inside(split(inside(message))[1] ?? message)))

/** signedAttrs as they were received, with the tag of a SET. */
function asSet(message: Buffer): Buffer {
  const [signerInfo] = split(inside(fieldsOf(message).at(-1) ?? message))
  const raw = Buffer.from(
    split(inside(signerInfo ?? message)).find(each => each[0] === 0xa0) ?? Buffer.alloc(2),
  )
  raw[0] = 0x31
  return raw
}

function signedAttributes(message: Buffer, signerInfo: SignerInfo, object: Object_) {
  const raw = split(inside(asSet(message)))
  object(
    raw.every((each, at) => at === 0 || Buffer.compare(raw[at - 1] ?? each, each) <= 0),
    'the signed attributes are not in DER order',
  )
  const values = new Map(
    (signerInfo.signedAttrs ?? []).map(each => [
      each.attrType,
      each.attrValues.map(value => Buffer.from(value)),
    ]),
  )
  const single = (id: string): Buffer => values.get(id)?.[0] ?? Buffer.alloc(2)
  object(
    [...values.values()].every(each => each.length === 1),
    'a signed attribute has not exactly one value',
  )
  for (const id of [attributeIds.messageType, attributeIds.transactionID]) {
    object(single(id)[0] === 0x13, `${id} is not a PrintableString`)
    object(
      /^[A-Za-z0-9 '()+,\-./:=?]+$/.test(inside(single(id)).toString('latin1')),
      `${id} has characters that are not printable`,
    )
  }
  object(
    single(attributeIds.senderNonce)[0] === 0x04 && inside(single(attributeIds.senderNonce)).length === 16,
    'senderNonce is not 16 octets',
  )
  object(
    values.has('1.2.840.113549.1.9.3') && values.has('1.2.840.113549.1.9.4'),
    'contentType or messageDigest is missing',
  )
  return {
    text: (id: string) => inside(single(id)).toString('latin1'),
    octets: (id: string) => inside(single(id)),
  }
}

const cipherNames: Record<string, { name: string; node: string; keyLength: number }> = {
  '2.16.840.1.101.3.4.1.2': { name: 'AES-128', node: 'aes-128-cbc', keyLength: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'AES-192', node: 'aes-192-cbc', keyLength: 24 },
  '2.16.840.1.101.3.4.1.42': { name: 'AES-256', node: 'aes-256-cbc', keyLength: 32 },
  '1.2.840.113549.3.7': { name: '3DES', node: 'des-ede3-cbc', keyLength: 24 },
  '1.3.14.3.2.7': { name: 'DES', node: 'des-ede3-cbc', keyLength: 8 },
}

function open(
  content: Buffer,
  holder: Holder,
  object: Object_,
): { data: Buffer; encryption: string; keyTransport: string } {
  const info = contentOf(treeOf(content))
  object(info.type === '1.2.840.113549.1.7.3', 'the content is not an EnvelopedData')
  const enveloped = AsnParser.fromASN(info.content, EnvelopedData)
  const [recipient] = enveloped.recipientInfos
  const transport = recipient?.ktri
  if (!(transport instanceof KeyTransRecipientInfo)) throw new Error('there is no KeyTransRecipientInfo')
  const own = issuerAndSerial(holder.certificate)
  const rid = transport.rid.issuerAndSerialNumber
  if (
    !rid ||
    !Buffer.from(AsnConvert.serialize(rid.issuer)).equals(own.issuer) ||
    !Buffer.from(rid.serialNumber).equals(inside(own.serial))
  )
    throw new Error('the envelope is for another certificate')
  const { algorithm, parameters } = enveloped.encryptedContentInfo.contentEncryptionAlgorithm
  const cipher = cipherNames[algorithm]
  if (!cipher || !parameters) throw new Error(`unknown cipher ${algorithm}`)
  object(cipher.name !== 'DES', 'the envelope is encrypted with single DES')
  const { key, name } = contentKey(transport, holder.key, cipher.keyLength)
  const full = cipher.name === 'DES' ? Buffer.concat([key, key, key]) : key
  const decipher = createDecipheriv(cipher.node, full, inside(Buffer.from(parameters)))
  const held = enveloped.encryptedContentInfo.encryptedContent
  const chunks = held?.constructedValue ?? (held?.value ? [held.value] : [])
  const encrypted = Buffer.concat(chunks.map(each => Buffer.from(each.buffer)))
  return {
    data: Buffer.concat([decipher.update(encrypted), decipher.final()]),
    encryption: cipher.name,
    keyTransport: name,
  }
}

function contentKey(
  transport: KeyTransRecipientInfo,
  key: KeyObject,
  length: number,
): { key: Buffer; name: string } {
  const encrypted = Buffer.from(transport.encryptedKey.buffer)
  const { algorithm, parameters } = transport.keyEncryptionAlgorithm
  if (algorithm === '1.2.840.113549.1.1.1')
    return {
      key: privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, encrypted).subarray(-length),
      name: 'PKCS1',
    }
  const digest =
    Object.entries(digestNames).find(([id]) =>
      Buffer.from(parameters ?? new ArrayBuffer(0)).includes(encodedOid(id)),
    )?.[1] ?? 'sha1'
  return {
    key: privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: digest }, encrypted),
    name: `OAEP-${digest}`,
  }
}

const encodedOid = (dotted: string): Buffer =>
  Buffer.from(
    {
      '1.3.14.3.2.26': '06052b0e03021a',
      '2.16.840.1.101.3.4.2.1': '0609608648016503040201',
      '2.16.840.1.101.3.4.2.2': '0609608648016503040202',
      '2.16.840.1.101.3.4.2.3': '0609608648016503040203',
    }[dotted] ?? '',
    'hex',
  )

/** Reads a PKCS#10 and checks its signature. */
function readCsr(der: Buffer, object: Object_): Csr {
  const request = AsnParser.parse(der, CertificationRequest)
  object(Buffer.from(AsnConvert.serialize(request)).equals(der), 'the CSR is not DER')
  const info = request.certificationRequestInfo
  const publicKey = createPublicKey({
    key: Buffer.from(AsnConvert.serialize(info.subjectPKInfo)),
    format: 'der',
    type: 'spki',
  })
  const [signed] = split(inside(der))
  object(
    verify(
      csrDigest(request.signatureAlgorithm.algorithm),
      signed ?? der,
      publicKey,
      Buffer.from(request.signature),
    ),
    'the signature of the CSR does not verify',
  )
  const attribute = (id: string): Buffer | undefined => {
    const value = info.attributes.find(each => each.type === id)?.values[0]
    return value && Buffer.from(value)
  }
  const challenge = attribute('1.2.840.113549.1.9.7')
  const extensions = attribute('1.2.840.113549.1.9.14')
  const list = extensions ? AsnConvert.parse(extensions, Extensions) : []
  return {
    subject: Buffer.from(AsnConvert.serialize(info.subject)),
    publicKey,
    challengePassword: challenge && inside(challenge).toString('utf8'),
    challengeTag: challenge?.[0],
    extensions: new Map([...list].map(each => [each.extnID, Buffer.from(each.extnValue.buffer)])),
  }
}

const csrDigest = (algorithm: string): string =>
  ({
    '1.2.840.113549.1.1.5': 'sha1',
    '1.2.840.113549.1.1.11': 'sha256',
    '1.2.840.113549.1.1.12': 'sha384',
    '1.2.840.113549.1.1.13': 'sha512',
    '1.2.840.10045.4.1': 'sha1',
    '1.2.840.10045.4.3.2': 'sha256',
    '1.2.840.10045.4.3.3': 'sha384',
    '1.2.840.10045.4.3.4': 'sha512',
  })[algorithm] ?? 'sha256'

/** RFC 8894 §2.3: the self-signed certificate has the subject of the CSR and its key (or stands in for an EC key). */
function checkSigner(messageType: string, csr: Csr, signer: X509Certificate, object: Object_): void {
  const selfSigned = signer.verify(signer.publicKey)
  if (messageType === '17') object(!selfSigned, 'a RenewalReq is signed by a self-signed certificate')
  object(subjectName(signer).equals(csr.subject), "the signer's subject is not that of the CSR")
  const own = selfSigned && csr.publicKey.asymmetricKeyType !== 'ec'
  object(!own || signer.publicKey.equals(csr.publicKey), "the signer's key is not that of the CSR")
}
