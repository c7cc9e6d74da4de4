import type { Actual, Desired, Network } from '../types.ts'
import { credentialStatus } from './credential.ts'
import { canonical, digest12 } from './hash.ts'

/** Every network that may have a block in the supplicant: tested ones first. */
export const networksOf = (desired: Desired): Network[] => [...desired.tested, ...desired.enrollment]

export const findNetwork = (desired: Desired, id: string): Network | undefined =>
  networksOf(desired).find(network => network.id === id)

/**
 * The revision of a network's block: changes with anything the supplicant is told (radio, EAP, trust, certificate)
 * and with nothing else, so that a new challenge password or alias never costs a login.
 * Undefined while the network cannot be joined for want of a certificate.
 */
export function wantedRevision(network: Network, actual: Actual, now: number): string | undefined {
  const status = credentialStatus(network, actual.credentials[network.id], now)
  const { wireless, eap, scep } = network.profile
  const connection = { wireless, eap, ca: scep?.caCertificates }
  switch (status.kind) {
    case 'not-needed':
      return digest12(connection)
    case 'valid':
    case 'expired':
      return digest12({ connection, certificate: status.fingerprint })
    case 'absent':
    case 'open':
    case 'removed':
      return undefined
  }
}

/** What a try on this network is based on: when it changes, a wait after a failure is over. */
export function basisOf(network: Network, desired: Desired, actual: Actual): string {
  const enrollment = network.profile.scep && findNetwork(desired, network.profile.scep.enrollmentNetwork)
  const credential = actual.credentials[network.id]
  return digest12(
    canonical([
      network.sha256,
      network.assignment,
      enrollment?.sha256,
      credential?.current?.certificate.fingerprint,
      credential?.removed?.at,
    ]),
  )
}
