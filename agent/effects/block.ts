/** From a network profile to what wpa_supplicant is told. Pure. */
import type { NetworkBlock } from '../../supplicant/block.ts'
import type { Eap } from '../desired/profile.ts'
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
}

const prefix = 'sonde:'
const blobPrefix = 'sonde-'

/** Blobs are named by the certificate's fingerprint: the same name always holds the same bytes. */
export const certificateBlob = (fingerprint: string): string => blobPrefix + fingerprint.slice(0, 16)
export const isOwnBlob = (name: string): boolean => name.startsWith(blobPrefix)

export const blockId = (network: string, revision: string): string => `${prefix}${network}:${revision}`

/** Reads a block back from its `id_str`; undefined for a block of somebody else, which is never touched. */
export function ownBlock(path: string, idStr: string | undefined): InstalledBlock | undefined {
  if (!idStr?.startsWith(prefix)) return undefined
  const [network, revision] = idStr.slice(prefix.length).split(':')
  return network !== undefined && revision !== undefined ? { path, network, revision } : undefined
}

/** A wired network with or without 802.1X (key_mgmt IEEE8021X needs eapol_flags 0 on a wire: C-15). */
export function networkBlock(network: Network, revision: string, files: BlockFiles): NetworkBlock {
  const id_str = blockId(network.id, revision)
  const { eap } = network.profile
  if (!eap) return { id_str, key_mgmt: 'NONE' }
  return {
    id_str,
    key_mgmt: 'IEEE8021X',
    eapol_flags: 0,
    eap: eap.method,
    ...(files.trust !== undefined && { ca_cert: files.trust }),
    ...(eap.serverName !== undefined && { domain_suffix_match: eap.serverName }),
    ...(eap.anonymousIdentity !== undefined && { anonymous_identity: eap.anonymousIdentity }),
    ...identity(eap, files),
  }
}

function identity(eap: Eap, files: BlockFiles): Partial<NetworkBlock> {
  if (eap.method !== 'TLS')
    return { identity: eap.identity, password: eap.password, phase2: `auth=${eap.phase2}` }
  const own = eap.identity ?? files.commonName
  return {
    ...(own !== undefined && { identity: own }),
    ...(files.key !== undefined && { private_key: files.key }),
    ...(files.certificateBlob !== undefined && { client_cert: `blob://${files.certificateBlob}` }),
  }
}
