/** PKCSReq, RenewalReq and CertPoll: what an enrolment says to the server, and its three ends (RFC 8894 §3.3, §4.3, §4.4). */
import type { KeyObject } from 'node:crypto'
import { encode, raw, sequence } from './der.ts'
import type { Capabilities } from './capabilities.ts'
import type { CertRep } from './cert-rep.ts'
import { fieldsOf } from './certificate.ts'
import { openEnrolment, type Enrolment, type OpenEnrolment } from './enrolment.ts'
import { ScepError, type Warning } from './errors.ts'
import { exchange, type Peer, type RequestSettings } from './exchange.ts'
import { issuedCertificate, type Issued } from './issued.ts'
import type { RequestType } from './pki-message.ts'
import { refusal } from './refusal.ts'
import type { Transport } from './transport.ts'
import type { Trust } from './trust.ts'

export type Outcome = ({ status: 'issued' } & Issued) | { status: 'pending'; warnings: Warning[] }

/** Sends the enrolment's PKCSReq or RenewalReq. `key` is that of its signer certificate. Throws ScepError. */
export async function requestCertificate(
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
    { transport, caps, trust },
    { open, type: open.messageType, data: open.csr },
    settings,
    signal,
  )
}

/** Asks for the outcome of a pending enrolment by CertPoll, under its transactionID and with its key. Throws ScepError. */
export async function pollCertificate(
  transport: Transport,
  caps: Capabilities,
  trust: Trust,
  enrolment: Enrolment,
  key: KeyObject,
  settings: RequestSettings,
  signal: AbortSignal,
): Promise<Outcome> {
  const open = openEnrolment(enrolment, key)
  const issuerAndSubject = sequence(raw(fieldsOf(trust.issuer).subject), raw(open.request.subject))
  return withFallback(
    { transport, caps, trust },
    { open, type: 'CertPoll', data: encode(issuerAndSubject) },
    settings,
    signal,
  )
}

interface Ask {
  open: OpenEnrolment
  type: RequestType
  data: Buffer
}

async function withFallback(
  peer: Peer,
  ask: Ask,
  settings: RequestSettings,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    return await once(peer, ask, settings, signal)
  } catch (error) {
    const { fallback } = settings
    if (!fallback || !(error instanceof ScepError) || !anotherWayMayHelp(error)) throw error
    const outcome = await once(peer, ask, fallback, signal)
    const reason = error.problem.failInfo ?? error.code
    const text = `The first request failed (${reason}); the one with ${fallback.encryption} and ${fallback.keyTransport} was understood`
    return { ...outcome, warnings: [...outcome.warnings, { code: 'fallback-used', text }] }
  }
}

const anotherWayMayHelp = ({ code, problem: { failInfo } }: ScepError): boolean =>
  failInfo === 'badAlg' ||
  failInfo === 'badMessageCheck' ||
  code === 'reply-unreadable' ||
  code === 'reply-algorithm'

const once = (
  peer: Peer,
  { open, type, data }: Ask,
  settings: RequestSettings,
  signal: AbortSignal,
): Promise<Outcome> =>
  exchange(
    peer,
    {
      type,
      data,
      transactionId: open.transactionId,
      signer: open.signer,
      secret: open.request.challengePassword,
    },
    settings,
    (certRep, warnings) => conclude(certRep, open, peer.trust, type, warnings),
    signal,
  )

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
      throw refusal(certRep, { renewal: open.renewal, firstEc: open.firstEc, type })
    case 'SUCCESS':
      return { status: 'issued', ...issuedCertificate(certRep, open, trust, warnings) }
  }
}
