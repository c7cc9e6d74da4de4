/** What is kept of one credential on disk; see credential-folder.ts. */
import type { Authority, CertificateFacts, CredentialState } from './types.ts'

/** A request as it was before it left; `enrolment` is the SCEP client's own record. */
export interface OpenRequest<E = unknown> {
  transactionId: string
  preparedAt: number
  pending: boolean
  /** How often it was asked for again. */
  polls?: number
  /** It was turned away whenever it was sent: no certificate can have been issued for it. Off again before it leaves once more. */
  untaken?: true
  /** How often a renewal was sent in vain to a server that answered. */
  failures?: number
  /** What of the profile went into it: another value means another request. */
  basis: string
  enrolment: E
}

export interface IssuedCertificate {
  /** PEM */
  certificate: string
  /** PEM, issuer first. */
  chain: string[]
  /** Certificates to trust for EAP where the profile names none (S2-47), PEM. */
  anchors: string[]
  /** CAs and RAs whose expiry is to be watched. */
  authorities?: Authority[]
}

/** Paths of one generation. */
export type CredentialFiles = Record<'key' | 'certificate' | 'chain' | 'anchors', string>

/** What becomes of a key that is not on disk yet; `ms` since it was begun. */
export type KeyNews = { state: 'started' } | { state: 'ready'; origin: 'spare' | 'generated'; ms: number }

/** In force at once, or only after a login has proved it. */
export type Role = 'current' | 'candidate'
export type About = CertificateFacts & { role: Role; authorities?: Authority[] }

/** One generation as read back. */
export interface Generation {
  generation: string
  /** As which it was issued. */
  role: Role
  certificate: CertificateFacts
  authorities: Authority[]
}

export const plain = ({
  generation,
  certificate,
  role,
}: Generation): NonNullable<CredentialState['current']> => ({ generation, certificate, role })
