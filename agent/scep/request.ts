/** PKCSReq, RenewalReq and CertPoll: one message out, one CertRep back, every refusal in words (RFC 8894 §3.3, §4.3, §4.4). */
import type { KeyObject } from 'node:crypto'
import { encode, raw, sequence } from './der.ts'
import { type Digest, type KeyTransport, type RequestCipher } from './algorithms.ts'
import {
  algorithmWarnings,
  automaticDigest,
  automaticEncryption,
  usesPost,
  type Capabilities,
} from './capabilities.ts'
import { readCertRep, type CertRep } from './cert-rep.ts'
import { fieldsOf } from './certificate.ts'
import { openEnrolment, type Enrolment, type OpenEnrolment } from './enrolment.ts'
import { ScepError, serverWords, type Warning } from './errors.ts'
import { issuedCertificate, type Issued } from './issued.ts'
import { replyNotScep } from './not-scep.ts'
import { buildPkiMessage, type Algorithms, type RequestType } from './pki-message.ts'
import { refusal } from './refusal.ts'
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

export type Outcome = ({ status: 'issued' } & Issued) | { status: 'pending'; warnings: Warning[] }

/** Sends the enrolment's PKCSReq or RenewalReq. `key` is that of its signer certificate. Throws ScepError. */
export function requestCertificate(
  transport: Transport,
  caps: Capabilities,
  trust: Trust,
  enrolment: Enrolment,
  key: KeyObject,
  settings: RequestSettings,
  signal: AbortSignal,
): Promise<Outcome> {
  const open = openEnrolment(enrolment, key)
  return withFallback(
    { transport, caps, trust, open, type: open.messageType, data: open.csr },
    settings,
    signal,
  )
}

/** Asks for the outcome of a pending enrolment by CertPoll (GetCertInitial), under its transactionID and key. Throws ScepError. */
export function pollCertificate(
  transport: Transport,
  caps: Capabilities,
  trust: Trust,
  enrolment: Enrolment,
  key: KeyObject,
  settings: RequestSettings,
  signal: AbortSignal,
): Promise<Outcome> {
  const open = openEnrolment(enrolment, key)
  const data = encode(sequence(raw(fieldsOf(trust.issuer).subject), raw(open.request.subject)))
  return withFallback({ transport, caps, trust, open, type: 'CertPoll', data }, settings, signal)
}

interface Exchange {
  transport: Transport
  caps: Capabilities
  trust: Trust
  open: OpenEnrolment
  type: RequestType
  data: Buffer
}

async function withFallback(
  exchange: Exchange,
  settings: RequestSettings,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    return await once(exchange, settings, signal)
  } catch (error) {
    if (!settings.fallback || !(error instanceof ScepError) || !mayHelp(error)) throw error
    const outcome = await once(exchange, settings.fallback, signal)
    const { encryption, keyTransport } = settings.fallback
    outcome.warnings.push({
      code: 'fallback-used',
      text: `The first request failed (${error.problem.failInfo ?? error.code}); the one with ${encryption} and ${keyTransport} was understood`,
    })
    return outcome
  }
}

const mayHelp = ({ code, problem }: ScepError): boolean =>
  problem.failInfo === 'badAlg' ||
  problem.failInfo === 'badMessageCheck' ||
  code === 'reply-unreadable' ||
  code === 'reply-algorithm'

/** The algorithms of a request: those chosen, or what the capabilities suggest. */
export function algorithmsFor(caps: Capabilities, settings: RequestSettings): Algorithms {
  const digest = settings.digest ?? settings.signature
  return {
    encryption: settings.encryption === 'automatic' ? automaticEncryption(caps) : settings.encryption,
    digest: digest === 'automatic' ? automaticDigest(caps) : digest,
    keyTransport: settings.keyTransport,
  }
}

async function once(
  { transport, caps, trust, open, type, data }: Exchange,
  settings: RequestSettings,
  signal: AbortSignal,
): Promise<Outcome> {
  const secret = open.request.challengePassword
  const algorithms = algorithmsFor(caps, settings)
  const message = await buildPkiMessage({
    type,
    transactionId: open.transactionId,
    data,
    recipient: trust.recipient,
    signer: open.signer,
    algorithms,
  })
  try {
    const reply = await transport.pkiOperation(type, message.bytes, usesPost(caps), signal)
    if (reply.body[0] !== 0x30) throw replyNotScep(type, reply, secret)
    const certRep = readCertRep(reply.body, message, trust)
    const warnings = [
      ...algorithmWarnings(caps, algorithms.encryption, algorithms.digest),
      ...certRep.warnings,
    ]
    return conclude(certRep, open, trust, type, warnings)
  } catch (error) {
    throw withoutSecret(error, secret)
  }
}

function conclude(
  certRep: CertRep,
  open: OpenEnrolment,
  trust: Trust,
  type: RequestType,
  warnings: Warning[],
): Outcome {
  switch (certRep.status) {
    case 'PENDING':
      return { status: 'pending', warnings }
    case 'FAILURE':
      throw refusal(certRep, { renewal: open.renewal, keyType: open.keyType, type })
    case 'SUCCESS':
      return {
        status: 'issued',
        ...issuedCertificate(certRep.envelope, open, trust, { digest: certRep.digest, warnings }),
      }
  }
}

/** A server may print the password it refused; it goes no further than here. */
function withoutSecret(error: unknown, secret: string | undefined): unknown {
  if (
    !(error instanceof ScepError) ||
    secret === undefined ||
    error.problem.serverText?.includes(secret) !== true
  )
    return error
  return new ScepError(
    { ...error.problem, serverText: serverWords(error.problem.serverText, secret) },
    { cause: error.cause },
  )
}
