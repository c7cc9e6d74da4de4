import type { Actual, ClockReading, Desired, Network } from '../types.ts'
import { credentialStatus } from './credential.ts'
import { digest12 } from './hash.ts'

/** Every network that may have a block in the supplicant: tested ones first. */
export const networksOf = (desired: Desired): Network[] => [...desired.tested, ...desired.enrollment]

export const findNetwork = (desired: Desired, id: string): Network | undefined =>
  networksOf(desired).find(network => network.id === id)

/** The network over which the SCEP server is first contacted (S2-07); undefined where none is named or it is not there. */
export const enrollmentNetworkOf = (network: Network, desired: Desired): Network | undefined =>
  networksOf(desired).find(candidate => candidate.id === network.profile.scep?.enrollmentNetwork)

/**
 * The revision of a network's block: changes with anything the supplicant is told (radio, EAP, trust, certificate)
 * and with nothing else, so that a new challenge password or alias never costs a login.
 * Undefined while the network cannot be joined for want of a certificate.
 */
export function wantedRevision(network: Network, actual: Actual, now: number): string | undefined {
  const dates = datesBy(network, actual.clock)
  const status = credentialStatus(network, actual.credentials[network.id], now)
  switch (status.kind) {
    case 'not-needed':
      return revisionOf(network, undefined, dates)
    case 'valid':
    case 'expired':
      return revisionOf(network, status.fingerprint, dates, actual.credentials[network.id]?.next)
    case 'absent':
    case 'open':
    case 'removed':
      return undefined
  }
}

/** Who judges the dates of the RADIUS server's certificates. */
export type DatesBy = 'supplicant' | 'agent' | 'nobody'

/**
 * wpa_supplicant judges by the system clock, which the agent never sets. Where that is known to be wrong the agent judges instead,
 * after the login: by the time, or else by what is known to have passed. While the time is not known, a network that only serves
 * enrolment is joined without: no time server must not mean no certificate. It is joined again once the time is known.
 */
export function datesBy(network: Network, { trusted, system }: ClockReading): DatesBy {
  if (!trusted && network.assignment === '') return 'nobody'
  return system === 'wrong' ? 'agent' : 'supplicant'
}

/** Whether what the SCEP server returned is trusted for EAP (S2-47): not where the operator has named the RADIUS server's CA alone. */
export function trustsScepAnchors({ profile: { eap, scep } }: Network): boolean {
  if (!eap || !scep || eap.acceptAnyServer || eap.serverCaOnly) return false
  return eap.serverCa.length === 0 || scep.caCertificates.length > 0
}

/** The last revision of each network, and of what: a plan asks for it several times, and a network may hold a dozen certificates. */
const revisions = new WeakMap<Network, { of: string; revision: string }>()

/** The revision of a network's block with a certificate of this fingerprint; `next` is the CA that takes over, where it was announced. */
export function revisionOf(
  network: Network,
  fingerprint: string | undefined,
  dates: DatesBy,
  next?: string,
): string {
  const { profile } = network
  const { wireless, eap, scep } = profile
  const identities = [eap?.identity, eap?.anonymousIdentity]
  const changing = {
    certificate: fingerprint,
    name: identities.some(text => text?.includes('{name}')) ? network.name : undefined,
    dates: eap && dates !== 'supplicant' ? dates : undefined,
    next: trustsScepAnchors(network) ? next : undefined,
  }
  const of = JSON.stringify(changing)
  const known = revisions.get(network)
  if (known?.of === of) return known.revision
  const revision = digest12({ connection: { wireless, eap, ca: scep?.caCertificates }, ...changing })
  revisions.set(network, { of, revision })
  return revision
}

/** What a try on this network is based on: when it changes, a wait after a failure is over. */
export function basisOf(network: Network, desired: Desired, actual: Actual): string {
  const enrollment = enrollmentNetworkOf(network, desired)
  const credential = actual.credentials[network.id]
  return digest12([
    network.sha256,
    network.assignment,
    network.name,
    enrollment?.sha256,
    enrollment?.name,
    credential?.current?.certificate.fingerprint,
  ])
}

/**
 * What a step that is being done was started for: when it changes, the step is pointless.
 * A new alias or renewal rule is no reason to interrupt; a network that is gone, moved or rewritten is.
 */
export function purposeOf(id: string, desired: Desired): string | undefined {
  const network = findNetwork(desired, id)
  if (!network) return undefined
  const { alias: _, scep, ...connection } = network.profile
  const request = scep && { ...scep, renewal: undefined }
  const over = enrollmentNetworkOf(network, desired)
  const served = over && [over.profile.eap, over.name]
  return digest12([network.interface, network.assignment, network.name, connection, request, served])
}
