/** From a network profile to what wpa_supplicant is told. Pure. */
import { networkBlock } from '../../supplicant/index.ts'
import type { BuiltBlock, Eap as EapDescription, ServerTrust } from '../../supplicant/index.ts'
import { digest12 } from '../core/hash.ts'
import type { Eap } from '../desired/profile.ts'
import { AgentError } from '../errors.ts'
import type { InstalledBlock, Network } from '../types.ts'

/** Paths and names of what the block refers to; absent where the network needs no certificate or no trust file. */
export interface BlockFiles {
  /** Path of the file of trusted CAs: a path, because a blob takes one CA only (lab fact). */
  trust?: string
  /** Path of the private key: a path, because `GetBlob` hands a blob to every member of group netdev. */
  key?: string
  /** Name of the blob of the certificate and its chain. */
  certificateBlob?: string
  /** Common name of the issued certificate: the identity where the profile names none. */
  commonName?: string
  /** wpa_supplicant does not judge the dates of the server's certificates: see `datesBy`. */
  ignoreDates?: boolean
}

const prefix = 'sonde:'
const blobPrefix = 'sonde-'

/** Blobs are named by what is in them, the certificate and its chain: the same name always holds the same bytes. */
export const certificateBlob = (pem: string): string => blobPrefix + digest12(pem)
export const isOwnBlob = (name: string): boolean => name.startsWith(blobPrefix)

const blockId = (network: string, revision: string): string => `${prefix}${network}:${revision}`

/** Reads a block back from its `id_str`; undefined for a block of somebody else, which is never touched. */
export function ownBlock(path: string, idStr: string | undefined): InstalledBlock | undefined {
  if (!idStr?.startsWith(prefix)) return undefined
  const [network, revision] = idStr.slice(prefix.length).split(':')
  return network !== undefined && revision !== undefined ? { path, network, revision } : undefined
}

/** The network block of a profile, with what should be said of it. Throws SupplicantError `invalid-block`. */
export function blockOf(network: Network, revision: string, files: BlockFiles): BuiltBlock {
  const idStr = blockId(network.id, revision)
  const { wireless, eap } = network.profile
  const described = eap && { eap: describe(network.id, eap, files) }
  if (!wireless) return networkBlock({ idStr, medium: 'wired', ...described })
  const { ssid, security, hidden, bssid, frequencies, passphrase } = wireless
  return networkBlock({
    ...{ idStr, medium: 'wireless', ssid, security, hidden, frequencies },
    ...(bssid !== undefined && { bssid }),
    ...(passphrase !== undefined && { passphrase }),
    ...described,
  })
}

function describe(network: string, eap: Eap, files: BlockFiles): EapDescription {
  const { anonymousIdentity, fragmentSize, legacy, tlsMinimum, tlsMaximum } = eap
  const identity = eap.identity ?? files.commonName
  const common = {
    trust: trustOf(eap, files),
    ...(identity !== undefined && { identity }),
    ...(anonymousIdentity !== undefined && { anonymousIdentity }),
    ...(fragmentSize !== undefined && { fragmentSize }),
    ...((legacy ?? files.ignoreDates) && { legacy: { ...legacy, ignoreDates: files.ignoreDates === true } }),
    tls: {
      ...(tlsMinimum !== undefined && { minimum: tlsMinimum }),
      ...(tlsMaximum !== undefined && { maximum: tlsMaximum }),
    },
  }
  if (eap.method === 'PEAP') return { ...common, method: 'PEAP', password: eap.password }
  if (eap.method === 'TTLS') return { ...common, method: 'TTLS', inner: eap.phase2, password: eap.password }
  const { key, certificateBlob: blob } = files
  if (key === undefined || blob === undefined) throw noCertificate(network)
  return { ...common, method: 'TLS', certificate: `blob://${blob}`, key }
}

const trustOf = (eap: Eap, { trust }: BlockFiles): ServerTrust => ({
  acceptAnyServer: eap.acceptAnyServer,
  ...(trust !== undefined && eap.serverPin === undefined && { ca: trust }),
  ...(eap.serverPin !== undefined && { pin: eap.serverPin }),
  ...(eap.serverName !== undefined && { name: eap.serverName }),
  ...(eap.serverExactName !== undefined && { exactName: eap.serverExactName }),
  ...(eap.serverAlternativeName !== undefined && { alternativeName: eap.serverAlternativeName }),
})

const noCertificate = (network: string): AgentError =>
  new AgentError({
    code: 'no-certificate',
    title: 'The network has no certificate to join with',
    detail: `${network} asks for EAP-TLS, but its credential is not on disk`,
    hint: 'ask for a new one: request-certificate',
    side: 'sensor',
    retry: 'backoff',
  })
