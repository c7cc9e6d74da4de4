/** A CertRep with FAILURE in words (RFC 8894 §3.2.1.4, B-26, B-74, S2-57). */
import type { CertRep } from './cert-rep.ts'
import { ScepError, serverWords, type FailInfo } from './errors.ts'
import { ndesError } from './ndes-error.ts'
import type { RequestType } from './pki-message.ts'

export interface Refused {
  renewal: boolean
  /** An EC certificate is asked for, and nothing shows yet that this CA issues any. */
  firstEc: boolean
  type: RequestType
}

const titles = {
  renewal: 'Transaction either not permitted or supported during SCEP renewal',
  enrolment: 'SCEP server refused the request',
} as const

const passwordDetail = 'password might be incorrect'

const meanings: Record<FailInfo, { detail: string; hint: string }> = {
  badAlg: {
    detail: 'unrecognized or unsupported algorithm',
    hint: 'Choose another encryption, digest or key transport for this network, as the CA template asks',
  },
  badMessageCheck: {
    detail: passwordDetail,
    hint: 'Check the challenge password; NDES answers so to a wrong or used one',
  },
  badRequest: {
    detail: passwordDetail,
    hint: 'Check the challenge password, whether this name already has a certificate, and what the CA template asks',
  },
  badTime: {
    detail: 'the signing time is not close enough to the clock of the server',
    hint: 'Check the clocks of the sensor and of the SCEP server',
  },
  badCertId: {
    detail: 'no certificate could be found that matches the request',
    hint: 'The server does not know this request any more: enrol again',
  },
}

/** The error for a FAILURE. `renewal` and enrolment have their own titles; the detail is that of the contract, letter for letter. */
export function refusal(
  certRep: CertRep & { status: 'FAILURE' },
  { renewal, firstEc, type }: Refused,
): ScepError {
  const words = certRep.failInfoText === undefined ? undefined : serverWords(certRep.failInfoText)
  const ndes = ndesError(certRep.serverError)
  const { failInfo } = certRep
  const meaning = failInfo
    ? meanings[failInfo]
    : {
        detail: `failInfo ${/^\d{1,9}$/.test(certRep.failInfoNumber) ? certRep.failInfoNumber : 'of this server'} has no meaning in RFC 8894`,
        hint: 'Look at the log of the SCEP server',
      }
  const base = {
    title: renewal ? titles.renewal : titles.enrolment,
    detail: meaning.detail,
    hint: ndes?.hint ?? meaning.hint,
    pkiStatus: 'FAILURE' as const,
    failInfo,
    serverText: [words, ndes?.words].filter(Boolean).join('; ') || undefined,
  }
  if (renewal && words !== undefined && soundsTooEarly(words))
    return new ScepError({
      ...base,
      code: 'renewal-too-early',
      kind: 'too-early',
      detail: 'the server renews only closer to expiry',
      hint: 'Set a renewal period that is not longer than the one of the CA',
    })
  if (
    firstEc &&
    type !== 'CertPoll' &&
    (failInfo === 'badRequest' || failInfo === 'badAlg') &&
    !soundsLikePassword(words)
  )
    return new ScepError({
      ...base,
      code: 'ec-not-issued',
      kind: 'misconfigured',
      detail: 'the CA does not issue EC certificates',
      hint: 'Choose an RSA key for this network; if the CA does issue EC certificates, check the challenge password',
    })
  return new ScepError({ ...base, code: 'rejected', kind: 'rejected' })
}

const soundsTooEarly = (words: string): boolean =>
  /too (early|soon)|renewal (window|period)|not (yet )?(within|in|inside) .*(renew|window)|not yet (eligible|allowed|due)/i.test(
    words,
  )
const soundsLikePassword = (words: string | undefined): boolean =>
  words !== undefined && /challenge|password|secret/i.test(words)
