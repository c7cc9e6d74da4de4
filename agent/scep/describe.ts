/** Anything SCEP puts on the wire or on disk, decoded for people: for dumps and `inspect`. Nothing secret is in the result. */
import { createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto'
import {
  BerError,
  date,
  Fields,
  members,
  octets,
  oidText,
  read,
  readFirst,
  tag,
  text,
  type Element,
} from './ber.ts'
import { algorithmName, cipherByOid, oids, signatures } from './algorithms.ts'
import { failInfoName, statusName } from './cert-rep.ts'
import { fieldsOf, isCa, isSelfSigned, issuerText, pemBlocks, subjectText } from './certificate.ts'
import { readRequest } from './certification-request.ts'
import { sha256Fingerprint } from './fingerprint.ts'
import { readPadding } from './key-transport.ts'
import { alternativeNameTexts, nameText } from './names.ts'
import { messageTypes } from './pki-message.ts'
import {
  certificateOf,
  contentInfo,
  readSignedData,
  signerOf,
  verifies,
  type SignedData,
  type SignerInfo,
} from './signed-data.ts'

export type Described = string | number | boolean | undefined | Described[] | { [name: string]: Described }

/** Decodes DER, BER or PEM. Throws BerError when it is none of what SCEP knows. */
export function describe(bytes: Buffer): Described {
  const text = bytes.toString('latin1')
  if (!text.includes('-----BEGIN ')) return describeDer(bytes)
  const labels = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map(match => match[1] ?? '')
  const found = [...new Set(labels)].flatMap(label =>
    label.includes('KEY') ? [{ kind: 'key', label }] : pemBlocks(text, label).map(describeDer),
  )
  if (found.length === 0) throw new BerError('the PEM holds nothing that can be read')
  return found.length === 1 ? found[0] : found
}

function describeDer(bytes: Buffer): Described {
  const [first, second] = members(readFirst(bytes))
  if (first?.tag === tag.oid)
    return oidText(first) === oids.envelopedData ? describeEnvelope(bytes) : describeSigned(bytes)
  if (first?.tag !== tag.sequence || second?.tag !== tag.sequence)
    throw new BerError('it is no certificate, request, CRL or CMS message')
  const parts = members(first)
  const [version, subject] = parts
  // A certificate of version 1 with the serial number 0 begins in the same way.
  if (
    parts.length < 6 &&
    version?.tag === tag.integer &&
    version.content.equals(Buffer.alloc(1)) &&
    subject?.tag === tag.sequence
  )
    return describeRequest(bytes)
  return describeCrl(first) ?? describeCertificate(certificateOf(readFirst(bytes).bytes))
}

/** TBSCertList has a time where a certificate has its issuer or validity (RFC 5280 §5.1). */
function describeCrl(list: Element): Described {
  const fields = new Fields(list, 'TBSCertList')
  fields.optional(tag.integer)
  fields.optional(tag.sequence)
  const issuer = fields.optional(tag.sequence)
  const times = [tag.utcTime, tag.generalizedTime] as const
  const [thisUpdate, nextUpdate] = [fields.optional(...times), fields.optional(...times)]
  if (!issuer || !thisUpdate) return undefined
  return {
    kind: 'CRL',
    issuer: nameText(issuer),
    thisUpdate: date(thisUpdate).toISOString(),
    nextUpdate: nextUpdate && date(nextUpdate).toISOString(),
    revoked: mapped(fields.optional(tag.sequence), entries => members(entries).length) ?? 0,
  }
}

/** One certificate in words. */
export function describeCertificate(certificate: X509Certificate) {
  const { serial, notBefore, notAfter, keyUsage, purposes, alternativeNames, signatureOid } =
    fieldsOf(certificate)
  return {
    kind: isCa(certificate)
      ? isSelfSigned(certificate)
        ? 'root CA certificate'
        : 'CA certificate'
      : isSelfSigned(certificate)
        ? 'self-signed certificate'
        : 'certificate',
    subject: subjectText(certificate),
    issuer: issuerText(certificate),
    serialNumber: serial.toString('hex'),
    notBefore: notBefore.toISOString(),
    notAfter: notAfter.toISOString(),
    key: describeKey(certificate.publicKey),
    names: alternativeNames ? alternativeNameTexts(alternativeNames) : [],
    keyUsage: keyUsage ? [...keyUsage] : [],
    extendedKeyUsage: (purposes ?? []).map(
      each => ({ [oids.clientAuth]: 'clientAuth', [oids.serverAuth]: 'serverAuth' })[each] ?? each,
    ),
    signature: signatureName(signatureOid),
    sha256: sha256Fingerprint(certificate),
  }
}

const describeKey = (key: KeyObject): string =>
  key.asymmetricKeyType === 'ec'
    ? `EC ${String(key.asymmetricKeyDetails?.namedCurve)}`
    : `${(key.asymmetricKeyType ?? 'unknown').toUpperCase()} ${String(key.asymmetricKeyDetails?.modulusLength ?? '')}`.trim()

function signatureName(id: string): string {
  const scheme = signatures[id]
  return scheme
    ? [scheme.key.toUpperCase(), scheme.digest].filter(each => each !== undefined).join(' with ')
    : algorithmName(id)
}

/** One PKCS#10 in words; that there is a challenge password, never which. */
export function describeRequest(bytes: Buffer): Described {
  const request = readRequest(bytes)
  return {
    kind: 'certification request',
    subject: nameText(read(request.subject)),
    key: describeKey(createPublicKey({ key: request.publicKey, format: 'der', type: 'spki' })),
    names: request.alternativeNames ? alternativeNameTexts(request.alternativeNames) : [],
    challengePassword: request.challengePassword === undefined ? 'absent' : 'present',
    extensions: [...request.extensions.keys()],
    signature: signatureName(request.signatureOid),
  }
}

function describeSigned(bytes: Buffer): Described {
  const data = readSignedData(bytes)
  const certificates = data.certificates.map(describeCertificate)
  const [signer] = data.signers
  if (!signer) return { kind: 'certificates', certificates, crls: data.crls.length }
  return {
    kind: signer.attributes.has(oids.messageType) ? 'pkiMessage' : 'signed data',
    ...describeAttributes(signer),
    signedBy: describeSigner(signer, data),
    certificates,
    content: data.content === undefined || data.content.length === 0 ? 'none' : describeContent(data.content),
  }
}

function describeContent(content: Buffer): Described {
  try {
    return describeDer(content)
  } catch (error) {
    if (error instanceof BerError) return `${String(content.length)} bytes`
    throw error
  }
}

function describeAttributes({ attributes }: SignerInfo): Record<string, Described> {
  const words = (id: string): string | undefined => mapped(attributes.get(id), text)
  const hex = (id: string): string | undefined =>
    mapped(attributes.get(id), each => octets(each).toString('hex'))
  const named = (
    number: string | undefined,
    name: (number: string) => string | undefined,
  ): string | undefined => number && `${name(number) ?? 'unknown'} (${number})`
  return {
    messageType: named(
      words(oids.messageType),
      number => Object.entries(messageTypes).find(([, each]) => each === number)?.[0],
    ),
    transactionID: words(oids.transactionID),
    pkiStatus: named(words(oids.pkiStatus), statusName),
    failInfo: named(words(oids.failInfo), failInfoName),
    failInfoText: words(oids.failInfoText),
    senderNonce: hex(oids.senderNonce),
    recipientNonce: hex(oids.recipientNonce),
  }
}

const mapped = <T>(element: Element | undefined, body: (element: Element) => T): T | undefined =>
  element && body(element)

function describeSigner(signer: SignerInfo, data: SignedData): Described {
  const certificate = signerOf(signer, data.certificates)
  return {
    subject: certificate ? subjectText(certificate) : 'not in the message',
    digest: algorithmName(signer.digestOid),
    signature: signatureName(signer.signatureOid),
    verified: certificate ? verifies(signer, data.content, certificate.publicKey) : undefined,
  }
}

function describeEnvelope(bytes: Buffer): Described {
  const fields = new Fields(contentInfo(bytes, oids.envelopedData, 'EnvelopedData').content, 'EnvelopedData')
  fields.take('version')
  fields.optional(tag.context(0))
  const recipients = members(fields.take('recipientInfos', tag.set))
  const encrypted = new Fields(fields.take('encryptedContentInfo'), 'EncryptedContentInfo')
  encrypted.take('contentType')
  const id = oidText(
    new Fields(encrypted.take('contentEncryptionAlgorithm'), 'contentEncryptionAlgorithm').take('algorithm'),
  )
  return {
    kind: 'envelope',
    encryption: cipherByOid(id) ?? algorithmName(id),
    recipients: recipients.map(describeRecipient),
  }
}

function describeRecipient(recipient: Element): Described {
  if (recipient.tag !== tag.sequence)
    return recipient.tag === tag.context(3) ? { keyTransport: 'password' } : { keyTransport: 'unknown' }
  const fields = new Fields(recipient, 'KeyTransRecipientInfo')
  fields.take('version')
  const id = fields.take('rid')
  const padding = readPadding(fields.take('keyEncryptionAlgorithm', tag.sequence))
  const keyTransport =
    typeof padding === 'string' ? padding : padding.scheme === 'PKCS1' ? 'PKCS1' : `OAEP-${padding.hash}`
  if (id.tag !== tag.sequence) return { keyIdentifier: octets(id).toString('hex'), keyTransport }
  const issuerAndSerial = new Fields(id, 'issuerAndSerialNumber')
  return {
    issuer: nameText(issuerAndSerial.take('issuer')),
    serialNumber: issuerAndSerial.take('serialNumber').content.toString('hex'),
    keyTransport,
  }
}
