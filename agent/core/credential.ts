import type { CredentialState, Network } from '../types.ts'

export type CredentialStatus =
  /** PEAP, TTLS, pre-shared key, open: nothing to enrol. */
  | { kind: 'not-needed' }
  | { kind: 'absent' }
  /** A request has been prepared and may have left; it is finished before another is made. */
  | { kind: 'open' }
  | { kind: 'removed' }
  | { kind: 'valid'; fingerprint: string }
  | { kind: 'expired'; fingerprint: string }

/** EAP-TLS by SCEP is the one method that needs a certificate of our own. */
export const needsCertificate = (network: Network): boolean =>
  network.profile.eap?.method === 'TLS' && network.profile.scep !== undefined

/**
 * What the files say of a network's credential at `now`.
 * A credential made for another assignment does not count: the network was removed and added (S2-69).
 */
export function credentialStatus(
  network: Network,
  state: CredentialState | undefined,
  now: number,
): CredentialStatus {
  if (!needsCertificate(network)) return { kind: 'not-needed' }
  if (state?.assignment !== network.assignment) return { kind: 'absent' }
  if (state.removed) return { kind: 'removed' }
  if (state.current) {
    const { fingerprint, notAfter } = state.current.certificate
    return { kind: now > notAfter ? 'expired' : 'valid', fingerprint }
  }
  return { kind: state.open ? 'open' : 'absent' }
}
