/** Small decisions that whoever drives the client has to take: how to renew, when to poll, whether a server got weaker. */
import { advertises, type Capabilities } from './capabilities.ts'
import type { RenewalRequest } from './enrolment.ts'
import { ScepError, type Warning } from './errors.ts'

/** RenewalReq where it is advertised, else a PKCSReq signed by the current certificate (B-70). */
export const renewalMethod = (
  caps: Capabilities,
  setting: 'automatic' | RenewalRequest['method'],
): RenewalRequest['method'] =>
  setting !== 'automatic' ? setting : advertises(caps, 'Renewal') ? 'RenewalReq' : 'PKCSReq'

export interface PollLimits {
  /** Seconds between two CertPolls. */
  interval: number
  /** CertPolls at most; 0 = no limit. */
  most: number
  /** Seconds after which the request is given up; 0 = never. */
  giveUpAfter: number
}

/** Five minutes apart, for a week: people approve requests on working days. */
export const defaultPollLimits: PollLimits = { interval: 300, most: 0, giveUpAfter: 604_800 }

/** Milliseconds to wait before each CertPoll, `since` milliseconds after the request was sent; ends when the limits say so (B-60). */
export function* pollDelays(limits: PollLimits, since = 0, done = 0): Generator<number, void> {
  const interval = Math.max(1, limits.interval) * 1000
  let at = since
  for (let count = done; limits.most === 0 || count < limits.most; count += 1) {
    at += interval
    if (limits.giveUpAfter > 0 && at > limits.giveUpAfter * 1000) return
    yield interval
  }
}

/** What to throw when pollDelays has ended. */
export const pendingGivenUp = (): ScepError =>
  new ScepError({
    code: 'pending-given-up',
    kind: 'pending',
    title: 'The CA did not decide in time',
    detail: 'the request is still waiting for approval',
    hint: 'Approve or reject the request at the CA, or let the CA issue without approval (S2-12)',
    pkiStatus: 'PENDING',
  })

/** Whether a failed CertPoll means that the server cannot poll at all, so that the same request has to be sent again. */
export const pollingUnsupported = ({ code, problem }: ScepError): boolean =>
  (code === 'http-status' &&
    problem.httpStatus !== undefined &&
    problem.httpStatus !== 429 &&
    problem.httpStatus !== 503 &&
    problem.kind !== 'rejected') ||
  (code === 'rejected' &&
    (problem.failInfo === 'badRequest' ||
      problem.failInfo === 'badCertId' ||
      problem.failInfo === 'badMessageCheck'))

/**
 * GetCACaps is not authenticated, so somebody on the way may leave out what is strong (RFC 8894 §7.5, B-32). `remembered` are the
 * keywords of an earlier answer; what has gone since is a warning, and the stronger algorithm stays in use by setting.
 */
export function capsWeakened(remembered: readonly string[], caps: Capabilities): Warning[] {
  const strong = ['SCEPStandard', 'AES', 'SHA-256', 'SHA-512', 'POSTPKIOperation']
  const before: Capabilities = { answered: true, keywords: [...remembered] }
  const gone = strong.filter(keyword => advertises(before, keyword) && !advertises(caps, keyword))
  if (gone.length === 0) return []
  return [
    {
      code: 'caps-weaker',
      text: `The SCEP server no longer advertises ${gone.join(', ')}; its answer is not protected, so someone may have removed it`,
    },
  ]
}
