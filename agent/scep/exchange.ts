/** One pkiMessage out and its verified CertRep back, whatever it asks for (RFC 8894 §4.3 – §4.6). */
import type { KeyObject, X509Certificate } from 'node:crypto'
import type { Digest, KeyTransport, RequestCipher } from './algorithms.ts'
import { tag } from './ber.ts'
import {
  algorithmWarnings,
  automaticDigest,
  automaticEncryption,
  usesPost,
  type Capabilities,
} from './capabilities.ts'
import { readCertRep, type CertRep } from './cert-rep.ts'
import { ScepError, type Warning } from './errors.ts'
import { replyNotScep } from './not-scep.ts'
import { buildPkiMessage, type Algorithms, type RequestType } from './pki-message.ts'
import { errorWithoutSecret } from './secret.ts'
import type { Transport } from './transport.ts'
import type { Trust } from './trust.ts'

export interface RequestSettings {
  encryption: RequestCipher | 'automatic'
  /** Digest of the pkiMessage (S2-39); omitted = the signature's (S2-40). */
  digest?: Digest | 'automatic' | undefined
  signature: Digest | 'automatic'
  keyTransport: KeyTransport
  /** Tried once after badAlg, badMessageCheck or an unreadable answer (S1-40 … S1-42, B-30). */
  fallback?: Omit<RequestSettings, 'fallback'> | undefined
}

/** The server, what it says of itself, and whom to believe. */
export interface Peer {
  transport: Transport
  caps: Capabilities
  trust: Trust
}

export interface Question {
  type: RequestType
  transactionId: string
  /** DER of the messageData. */
  data: Buffer
  signer: { certificate: X509Certificate; key: KeyObject }
  /** The challenge password, which no text may repeat. */
  secret?: string | undefined
}

/** The algorithms of a request: those chosen, or what the capabilities suggest. */
export function algorithmsFor(caps: Capabilities, settings: RequestSettings): Algorithms {
  const digest = settings.digest ?? settings.signature
  return {
    encryption: settings.encryption === 'automatic' ? automaticEncryption(caps) : settings.encryption,
    digest: digest === 'automatic' ? automaticDigest(caps) : digest,
    keyTransport: settings.keyTransport,
  }
}

/** Sends one message and hands its CertRep to `conclude`; whatever either throws is free of the secret. */
export async function exchange<T>(
  { transport, caps, trust }: Peer,
  question: Question,
  settings: RequestSettings,
  conclude: (certRep: CertRep, warnings: Warning[]) => T,
  signal: AbortSignal,
): Promise<T> {
  const algorithms = algorithmsFor(caps, settings)
  const message = await buildPkiMessage({ ...question, recipient: trust.recipient, algorithms })
  try {
    const { type, secret } = question
    const reply = await transport.pkiOperation(type, message.bytes, usesPost(caps), signal, secret)
    if (reply.body[0] !== tag.sequence) throw replyNotScep(type, reply)
    const certRep = readCertRep(reply.body, message, trust)
    return conclude(certRep, [
      ...algorithmWarnings(caps, algorithms.encryption, algorithms.digest),
      ...certRep.warnings,
    ])
  } catch (error) {
    throw error instanceof ScepError ? errorWithoutSecret(error, question.secret) : error
  }
}
