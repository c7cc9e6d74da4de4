/** CertRep (RFC 8894 §3.3.2): who signed it, to which request it belongs, what it says. The envelope is opened in request.ts. */
import type { X509Certificate } from 'node:crypto'
import { BerError, octets, text, type Element } from './ber.ts'
import { oids, type Digest } from './algorithms.ts'
import {
  reading,
  ScepError,
  serverWords,
  type FailInfo,
  type PkiStatus,
  type ScepCode,
  type Warning,
} from './errors.ts'
import type { PkiMessage } from './pki-message.ts'
import {
  readSignedData,
  signerDigest,
  signerOf,
  verifies,
  type SignedData,
  type SignerInfo,
} from './signed-data.ts'
import { isTrustedSigner, type Trust } from './trust.ts'

const failInfos: Record<string, FailInfo> = {
  '0': 'badAlg',
  '1': 'badMessageCheck',
  '2': 'badRequest',
  '3': 'badTime',
  '4': 'badCertId',
}

/** A verified CertRep. */
export type CertRep = {
  certificates: X509Certificate[]
  digest: Digest
  warnings: Warning[]
} & (
  | { status: 'SUCCESS'; envelope: Buffer }
  | { status: 'PENDING' }
  | {
      status: 'FAILURE'
      failInfo: FailInfo | undefined
      failInfoNumber: string
      failInfoText: string | undefined
      /** The number that NDES adds, as it wrote it. */
      serverError: string | undefined
    }
)

const fault = (code: ScepCode, title: string, detail: string, hint: string, serverText?: string): ScepError =>
  new ScepError({ code, kind: 'server-fault', title, detail, hint, serverText })

const askServer = 'Ask the administrator of the SCEP server to look at its log'

/** Reads a CertRep and checks everything that does not need our key: signature, signer, transaction, nonce, status. */
export const readCertRep = (bytes: Buffer, request: PkiMessage, trust: Trust): CertRep =>
  reading('The CertRep', 'reply-malformed', () => verifiedCertRep(bytes, request, trust))

function verifiedCertRep(bytes: Buffer, request: PkiMessage, trust: Trust): CertRep {
  const data = readSignedData(bytes, trust.certificates)
  const [signer] = data.signers
  if (!signer || data.signers.length !== 1)
    throw fault(
      'reply-malformed',
      'The CertRep cannot be read',
      `it has ${String(data.signers.length)} signers instead of one`,
      askServer,
    )
  checkSigner(data, signer, trust)
  const attribute = (id: string): string | undefined => attributeText(signer.attributes.get(id))
  checkExchange(signer, request, attribute)
  const warnings: Warning[] = data.padded
    ? [{ code: 'reply-padded', text: 'The reply has bytes after its end' }]
    : []
  const common = { certificates: data.certificates, digest: weakest(signer, warnings), warnings }
  const status = attribute(oids.pkiStatus) ?? ''
  switch (status) {
    case '0':
      if (!data.content || data.content.length < 2)
        throw fault(
          'status-invalid',
          'The SCEP server sent SUCCESS without a certificate',
          'pkiStatus is SUCCESS and there is no envelope',
          askServer,
        )
      return { ...common, status: 'SUCCESS', envelope: data.content }
    case '3':
      return { ...common, status: 'PENDING' }
    case '2': {
      const failInfoNumber = attribute(oids.failInfo)
      const words = readableText(signer.attributes.get(oids.failInfoText))
      if (failInfoNumber === undefined)
        throw fault(
          'status-invalid',
          'The SCEP server refused without a reason',
          'pkiStatus is FAILURE and there is no failInfo',
          askServer,
          words === undefined ? undefined : serverWords(words),
        )
      return {
        ...common,
        status: 'FAILURE',
        failInfo: failInfos[failInfoNumber],
        failInfoNumber,
        failInfoText: words,
        serverError: readableText(signer.attributes.get(oids.serverError)),
      }
    }
    default:
      throw fault(
        'status-invalid',
        'The CertRep has no valid pkiStatus',
        `pkiStatus is ${status === '' ? 'missing' : `"${serverWords(status)}"`}`,
        askServer,
      )
  }
}

const attributeText = (element: Element | undefined): string | undefined =>
  element && reading('An attribute of the CertRep', 'reply-malformed', () => text(element))

/** What a server says beside its reason must not hide the reason (B-25): words that cannot be read are no words. */
function readableText(element: Element | undefined): string | undefined {
  try {
    return element && text(element)
  } catch (error) {
    if (error instanceof BerError) return undefined
    throw error
  }
}

function checkSigner(data: SignedData, signer: SignerInfo, trust: Trust): void {
  const certificate = signerOf(signer, [...trust.certificates, ...data.certificates])
  if (!certificate)
    throw fault(
      'signer-unknown',
      'The CertRep is signed by a stranger',
      'no certificate at hand has the issuer and serial number of its signer',
      askServer,
    )
  if (!isTrustedSigner(trust, certificate))
    throw fault(
      'signer-unknown',
      'The CertRep is signed by a stranger',
      `its signer is ${serverWords(certificate.subject)}, which is not among the certificates of GetCACert`,
      'Someone may be answering in place of the SCEP server, or it changed its certificates in this moment',
    )
  if (!verifies(signer, data.content, certificate.publicKey))
    throw fault(
      'signature-invalid',
      "The CertRep's signature is wrong",
      `the signature of ${serverWords(certificate.subject)} does not match the message`,
      'Something changed the reply on its way, or the server is broken',
    )
}

function checkExchange(
  signer: SignerInfo,
  request: PkiMessage,
  attribute: (id: string) => string | undefined,
): void {
  const type = attribute(oids.messageType)
  if (type !== '3')
    throw fault(
      'status-invalid',
      'The reply is no CertRep',
      `messageType is ${type === undefined ? 'missing' : `"${serverWords(type)}"`} instead of 3`,
      askServer,
    )
  const transaction = attribute(oids.transactionID)
  if (transaction !== request.transactionId)
    throw fault(
      'transaction-mismatch',
      'The CertRep belongs to another request',
      `transactionID is ${transaction === undefined ? 'missing' : `"${serverWords(transaction)}"`}`,
      askServer,
    )
  const nonce = signer.attributes.get(oids.recipientNonce)
  const sent = nonce && reading('The recipientNonce', 'reply-malformed', () => octets(nonce))
  if (!sent?.equals(request.senderNonce))
    throw fault(
      'nonce-mismatch',
      'The CertRep belongs to another request',
      `recipientNonce ${sent ? 'is not our senderNonce' : 'is missing'}`,
      'An old reply may have been played back, or a cache stands before the server',
    )
}

/** The weaker of the digests used, said aloud when it is SHA-1. */
function weakest(signer: SignerInfo, warnings: Warning[]): Digest {
  const { attributes, signature } = signerDigest(signer)
  const weak = attributes === 'SHA-1' || signature === 'SHA-1'
  if (weak) warnings.push({ code: 'weak-digest', text: 'The SCEP server signs its replies with SHA-1' })
  return weak ? 'SHA-1' : signature
}

/** Names for dumps. */
export const failInfoName = (number: string): FailInfo | undefined => failInfos[number]
export const statusName = (number: string): PkiStatus | undefined =>
  (({ '0': 'SUCCESS', '2': 'FAILURE', '3': 'PENDING' }) as const)[number]
