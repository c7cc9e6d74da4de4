/** The pkiMessage of a request: what is asked for, enveloped to the CA, signed with SCEP's attributes (RFC 8894 §3.2). */
import { randomBytes, type KeyObject, type X509Certificate } from 'node:crypto'
import { octetString, printableString } from './der.ts'
import { oids, type Digest, type KeyTransport, type RequestCipher } from './algorithms.ts'
import { buildEnvelope } from './enveloped-data.ts'
import { buildSignedData } from './signed-data.ts'

/** messageType (RFC 8894 §3.2.1.2). */
export const messageTypes = {
  CertRep: '3',
  RenewalReq: '17',
  PKCSReq: '19',
  CertPoll: '20',
  GetCert: '21',
  GetCRL: '22',
} as const
export type MessageType = keyof typeof messageTypes
export type RequestType = Exclude<MessageType, 'CertRep'>

/** How one pkiMessage is made. */
export interface Algorithms {
  encryption: RequestCipher
  digest: Digest
  keyTransport: KeyTransport
}

export interface PkiMessage {
  type: RequestType
  transactionId: string
  /** 16 octets; the reply must return them as recipientNonce. */
  senderNonce: Buffer
  bytes: Buffer
}

export interface MessageParts {
  type: RequestType
  transactionId: string
  /** DER of the messageData: a PKCS#10, IssuerAndSubject or IssuerAndSerialNumber. */
  data: Buffer
  recipient: X509Certificate
  signer: { certificate: X509Certificate; key: KeyObject }
  algorithms: Algorithms
}

/** Builds a pkiMessage with a fresh senderNonce. */
export async function buildPkiMessage({
  type,
  transactionId,
  data,
  recipient,
  signer,
  algorithms,
}: MessageParts): Promise<PkiMessage> {
  const senderNonce = randomBytes(16)
  const envelope = buildEnvelope(data, recipient, algorithms.encryption, algorithms.keyTransport)
  const bytes = await buildSignedData(envelope, {
    ...signer,
    digest: algorithms.digest,
    attributes: [
      [oids.messageType, printableString(messageTypes[type])],
      [oids.transactionID, printableString(transactionId)],
      [oids.senderNonce, octetString(senderNonce)],
    ],
  })
  return { type, transactionId, senderNonce, bytes }
}
