/**
 * What can go wrong in a SCEP transaction, in a form that a loop can act on and a person can understand.
 *
 * `kind` decides the backoff, `code` is stable and never reused, `detail` and `serverText` say what was seen,
 * `hint` what to do. No text holds a challenge password or a key.
 */
import { BerError } from './ber.ts'

/** rejected: the server said no. misconfigured: nothing will change until a setting does. server-fault: its reply makes no sense. */
export type ScepKind = 'rejected' | 'pending' | 'unreachable' | 'misconfigured' | 'too-early' | 'server-fault'

export type ScepCode =
  // settings
  | 'url-invalid'
  | 'name-invalid'
  | 'key-unsupported'
  | 'algorithm-unsupported'
  | 'root-invalid'
  | 'fingerprint-format'
  | 'enrolment-invalid'
  // transport
  | 'dns-failed'
  | 'connect-failed'
  | 'connect-timeout'
  | 'connection-lost'
  | 'reply-timeout'
  | 'reply-too-large'
  | 'redirected'
  | 'http-status'
  | 'reply-not-scep'
  // the CA's certificates
  | 'ca-reply-malformed'
  | 'fingerprint-mismatch'
  | 'ca-changed'
  | 'ca-untrusted'
  | 'ca-expired'
  | 'recipient-missing'
  | 'next-ca-untrusted'
  // replies
  | 'reply-malformed'
  | 'reply-unreadable'
  | 'reply-algorithm'
  | 'signature-invalid'
  | 'signer-unknown'
  | 'nonce-mismatch'
  | 'transaction-mismatch'
  | 'status-invalid'
  | 'certificate-missing'
  | 'certificate-untrusted'
  | 'certificate-dates'
  // the server's own no
  | 'rejected'
  | 'renewal-too-early'
  | 'ec-not-issued'
  | 'pending-given-up'

export type FailInfo = 'badAlg' | 'badMessageCheck' | 'badRequest' | 'badTime' | 'badCertId'
export type PkiStatus = 'SUCCESS' | 'FAILURE' | 'PENDING'

export interface ScepProblem {
  code: ScepCode
  kind: ScepKind
  /** One line, no period. */
  title: string
  /** What was seen. */
  detail: string
  /** What to do, addressed to the operator. */
  hint: string
  pkiStatus?: PkiStatus | undefined
  failInfo?: FailInfo | undefined
  /** The server's own words, trimmed to 300 characters. */
  serverText?: string | undefined
  httpStatus?: number | undefined
  /** Seconds the server asked us to wait (Retry-After). */
  retryAfter?: number | undefined
  /** Nothing of the message has left. */
  unsent?: true | undefined
}

/** The one error this client throws, beside the AbortError of the caller's own signal. */
export class ScepError extends Error {
  override name = 'ScepError'
  readonly problem: ScepProblem

  constructor(problem: ScepProblem, options?: { cause?: unknown }) {
    super(`${problem.title}: ${problem.detail}`, options)
    this.problem = problem
  }
  get code(): ScepCode {
    return this.problem.code
  }
  get kind(): ScepKind {
    return this.problem.kind
  }
}

/** Something a person should know of although the transaction went on. */
export interface Warning {
  code:
    | 'no-root'
    | 'trust-on-first-use'
    | 'clock-untrusted'
    | 'unrelated-certificate'
    | 'weak-encryption'
    | 'weak-digest'
    | 'weak-key'
    | 'weak-fingerprint'
    | 'not-advertised'
    | 'caps-weaker'
    | 'fallback-used'
    | 'subject-changed'
    | 'names-changed'
    | 'no-client-auth'
    | 'ca-expires'
    | 'recipient-guessed'
    | 'reply-padded'
  text: string
}

/** Runs a reader; whatever cannot be read becomes a ScepError that names the message. */
export function reading<T>(
  what: string,
  code: 'reply-malformed' | 'ca-reply-malformed' | 'root-invalid' | 'enrolment-invalid',
  body: () => T,
): T {
  try {
    return body()
  } catch (error) {
    if (!(error instanceof BerError)) throw error
    const ours = code === 'root-invalid' || code === 'enrolment-invalid'
    throw new ScepError(
      {
        code,
        kind: ours ? 'misconfigured' : 'server-fault',
        title: `${what} cannot be read`,
        detail: error.message,
        hint: ours
          ? 'Give the certificate or request again, as PEM'
          : 'Ask the administrator of the SCEP server to look at its log; a proxy or a load balancer may have changed the reply',
      },
      { cause: error },
    )
  }
}

/** The server's words, safe to show: one line, no control characters, at most 300 characters. */
export function serverWords(words: string): string {
  const line = words.replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ').trim()
  return line.length > 300 ? `${line.slice(0, 299)}…` : line
}

export const isAbortError = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'AbortError' || ('code' in error && error.code === 'ABORT_ERR'))

/** The CA has decided: the transaction will bring no certificate any more. A web server that forbids something has not. */
export const endsTransaction = ({ problem }: ScepError): boolean => problem.pkiStatus === 'FAILURE'

/**
 * The CA has not seen the message: it never left, or HTTP turned it away. An error in the middle of the work (500), a gateway that
 * heard nothing of it (502, 504) and a lost connection prove nothing.
 */
export const wasNotTaken = ({ problem: { unsent, httpStatus } }: ScepError): boolean =>
  unsent === true ||
  (httpStatus !== undefined && ((httpStatus >= 300 && httpStatus < 500) || turnsAway.has(httpStatus)))

/** Not Implemented, Service Unavailable, HTTP Version Not Supported. */
const turnsAway: ReadonlySet<number> = new Set([501, 503, 505])
