/** A request that has brought no certificate and may still bring one. */
import type { CredentialFolder } from '../credential-folder.ts'
import type { OpenRequest } from '../credential-record.ts'
import type { Scep } from '../desired/profile.ts'
import { AgentError } from '../errors.ts'
import type { ScepError } from '../scep/index.ts'

/** Keeps the request for the next poll, or gives it up when the profile's limits are reached. */
export async function pending(
  request: OpenRequest,
  { every, most, giveUpAfterHours }: Scep['polling'],
  folder: CredentialFolder,
  now: number,
): Promise<AgentError> {
  const polls = (request.polls ?? 0) + 1
  const hours = (now - request.preparedAt) / 3_600_000
  if (polls > most || hours >= giveUpAfterHours) {
    await folder.dropRequest()
    return new AgentError({
      code: 'scep-gave-up',
      title: 'The CA did not decide on the request in time',
      detail: `asked ${String(polls)} times in ${hours.toFixed(1)} hours; a new request will be made`,
      hint: 'approve requests at the CA, or let the CA issue without approval (S2-12)',
      side: 'server',
      retry: 'change',
    })
  }
  await folder.saveRequest({ ...request, pending: true, polls })
  return new AgentError({
    code: 'scep-pending',
    title: 'The CA has not decided on the request yet',
    detail: `pkiStatus PENDING; asked again every ${String(every)} s`,
    hint: 'approve the request at the CA, or let the CA issue without approval (S2-12)',
    side: 'server',
    retry: 'backoff',
    retryAfter: every,
  })
}

export const issuedButLost = (cause: ScepError): AgentError =>
  new AgentError(
    {
      code: 'issued-but-lost',
      title: 'A certificate was probably issued, but its reply was lost',
      detail: `a request that had left before was sent again and refused: ${cause.problem.detail}`,
      hint:
        'let the SCEP server answer the same request again (scepserver: -allowrenew 0) or revoke the certificate it issued; ' +
        'the sensor keeps the key and tries again. If the challenge password is one-time, publish a new one to start afresh',
      side: 'server',
      retry: 'change',
    },
    { cause },
  )
