import type { NetworkBlock } from './block.ts'
import {
  descriptionProblem,
  type Eap,
  type NetworkDescription,
  type Security,
  type ServerTrust,
  TLS_VERSIONS,
} from './description.ts'
import { SupplicantError } from './errors.ts'

export type { Eap, NetworkDescription, Security, ServerTrust, TlsVersion } from './description.ts'

export interface BuiltBlock {
  block: NetworkBlock
  /** What works but should not be: to be shown to the operator. */
  warnings: string[]
}

/**
 * The network block of a described network. Throws `invalid-block` naming setting and fix; above all for a network
 * that would not verify its server without saying so in as many words. Pure.
 */
export function networkBlock(network: NetworkDescription): BuiltBlock {
  const warnings: string[] = []
  const refuse = (problem: string): never => {
    const { idStr } = (network as Partial<NetworkDescription> | undefined) ?? {}
    throw new SupplicantError('invalid-block', `network ${String(idStr)}: ${problem}`)
  }
  const problem = descriptionProblem(network)
  if (problem !== undefined) refuse(problem.replace(/^[. ]/, ''))
  const built =
    network.medium === 'wired' ? wired(network, refuse, warnings) : wireless(network, refuse, warnings)
  return { block: { id_str: network.idStr, ...built }, warnings }
}

type Refuse = (problem: string) => never
type Part = Omit<NetworkBlock, 'id_str' | 'key_mgmt'>
type Built = Part & { key_mgmt: string }

function wired(
  network: Extract<NetworkDescription, { medium: 'wired' }>,
  refuse: Refuse,
  warnings: string[],
): Built {
  if (network.eap === undefined) return { key_mgmt: 'NONE' }
  const part = eapPart(network.eap, refuse, warnings)
  if (network.acceptCannedSuccess === true)
    warnings.push('a success without an authentication is accepted: the server may not have been verified')
  const phase1 = [part.phase1, network.acceptCannedSuccess === true ? 'allow_canned_success=1' : '']
    .join(' ')
    .trim()
  return { key_mgmt: 'IEEE8021X', eapol_flags: 0, ...part, phase1 }
}

const SECURITY: Record<Security, { access: 'none' | 'passphrase' | 'eap'; part: Built }> = {
  open: { access: 'none', part: { key_mgmt: 'NONE' } },
  owe: { access: 'none', part: { key_mgmt: 'OWE', ieee80211w: 2, owe_only: 1 } },
  'owe-transition': { access: 'none', part: { key_mgmt: 'OWE', ieee80211w: 1 } },
  'wpa2-psk': {
    access: 'passphrase',
    part: { key_mgmt: 'WPA-PSK WPA-PSK-SHA256', proto: 'RSN', ieee80211w: 1 },
  },
  'wpa2-wpa3-psk': { access: 'passphrase', part: { key_mgmt: 'SAE WPA-PSK', proto: 'RSN', ieee80211w: 1 } },
  'wpa3-sae': { access: 'passphrase', part: { key_mgmt: 'SAE', proto: 'RSN', ieee80211w: 2 } },
  'wpa2-enterprise': {
    access: 'eap',
    part: { key_mgmt: 'WPA-EAP WPA-EAP-SHA256', proto: 'RSN', ieee80211w: 1 },
  },
  'wpa3-enterprise': { access: 'eap', part: { key_mgmt: 'WPA-EAP-SHA256', proto: 'RSN', ieee80211w: 2 } },
  'wpa3-enterprise-192': {
    access: 'eap',
    part: {
      key_mgmt: 'WPA-EAP-SUITE-B-192',
      proto: 'RSN',
      pairwise: 'GCMP-256',
      group: 'GCMP-256',
      group_mgmt: 'BIP-GMAC-256',
      ieee80211w: 2,
      openssl_ciphers: 'SUITEB192',
    },
  },
}

type Wireless = Extract<NetworkDescription, { medium: 'wireless' }>

function wireless(network: Wireless, refuse: Refuse, warnings: string[]): Built {
  const { ssid, security, hidden, bssid, frequencies = [] } = network
  const length = typeof ssid === 'string' ? Buffer.byteLength(ssid) : ssid.length
  if (length > 32) refuse('ssid must be text or bytes, 1 to 32 bytes of them')
  if (security === 'open' || security === 'owe-transition') warnings.push('traffic may be sent unencrypted')
  if (isKey(network)) warnings.push('WPA3 takes no key of 64 digits: only WPA2 is used; give the passphrase')
  const list = frequencies.join(' ')
  return {
    ssid,
    ...(hidden === true ? { scan_ssid: 1 } : {}),
    ...(bssid === undefined ? {} : { bssid }),
    ...(list === '' ? {} : { scan_freq: list, freq_list: list }),
    ...SECURITY[security].part,
    ...(isKey(network) ? SECURITY['wpa2-psk'].part : {}),
    ...access(network, refuse, warnings),
  }
}

/** SAE needs the passphrase itself: with the key made of it, an access point of both kinds would refuse us. */
const isKey = ({ security, passphrase = '' }: Wireless): boolean =>
  security === 'wpa2-wpa3-psk' && HEX_KEY.test(passphrase)

const HEX_KEY = /^[0-9a-f]{64}$/i

function access({ security, passphrase, eap }: Wireless, refuse: Refuse, warnings: string[]): Part {
  const wanted = SECURITY[security].access
  if (wanted !== 'eap' && eap !== undefined) refuse(`${security} takes no EAP settings`)
  if (wanted !== 'passphrase' && passphrase !== undefined) refuse(`${security} takes no passphrase`)
  if (wanted === 'passphrase')
    return secret(security, passphrase ?? refuse(`${security} needs a passphrase`), refuse)
  if (wanted === 'none') return {}
  // RADIUS servers and certificates may know the sensor by its MAC: never a random one here.
  const { openssl_ciphers: weak, ...part } = eapPart(
    eap ?? refuse(`${security} needs EAP settings`),
    refuse,
    warnings,
  )
  if (weak === undefined) return { ...part, mac_addr: 0 }
  if (security === 'wpa3-enterprise-192') refuse('192-bit security and weak ciphers exclude each other')
  return { ...part, openssl_ciphers: weak, mac_addr: 0 }
}

function secret(security: Security, passphrase: string, refuse: Refuse): Part {
  if (security === 'wpa3-sae') return { sae_password: passphrase }
  if (HEX_KEY.test(passphrase)) return { psk: Buffer.from(passphrase, 'hex') }
  if (!/^[\x20-\x7e]{8,63}$/.test(passphrase))
    refuse('the passphrase must have 8 to 63 printable ASCII characters')
  return { psk: passphrase }
}

function eapPart(eap: Eap, refuse: Refuse, warnings: string[]): Part & { phase1: string } {
  const { identity, anonymousIdentity, fragmentSize, legacy = {} } = eap
  return {
    eap: eap.method,
    ...(identity === undefined ? {} : { identity }),
    ...(anonymousIdentity === undefined ? {} : { anonymous_identity: anonymousIdentity }),
    ...trustPart(eap.trust, refuse, warnings),
    ...login(eap),
    phase1: phase1(eap, refuse, warnings),
    ...(fragmentSize === undefined ? {} : { fragment_size: fragmentSize }),
    ...(legacy.weakCiphers === true ? { openssl_ciphers: 'DEFAULT@SECLEVEL=0' } : {}),
  }
}

function login(eap: Eap): Part {
  if (eap.method !== 'TLS') return { password: eap.password, phase2: `auth=${eap.inner ?? 'MSCHAPV2'}` }
  return {
    client_cert: eap.certificate,
    private_key: eap.key,
    ...(eap.keyPassphrase === undefined ? {} : { private_key_passwd: eap.keyPassphrase }),
  }
}

function trustPart(trust: ServerTrust, refuse: Refuse, warnings: string[]): Part {
  const { ca, pin, name, exactName, alternativeName, acceptAnyServer = false } = trust
  if (ca !== undefined && pin !== undefined) refuse('a server CA and a pin exclude each other')
  if (ca === undefined && pin === undefined) {
    if (!acceptAnyServer)
      refuse('the server would not be verified: give its CA or pin, or say acceptAnyServer')
    warnings.push('the server is not verified: anybody can answer for this network')
  }
  if (ca !== undefined && name === undefined && exactName === undefined && alternativeName === undefined)
    warnings.push(
      'the name of the server is not checked: anybody with a certificate of the same CA can answer',
    )
  return {
    ...(ca === undefined ? {} : { ca_cert: ca }),
    ...(pin === undefined ? {} : { ca_cert: `hash://server/sha256/${pin.toLowerCase()}` }),
    ...(name === undefined ? {} : { domain_suffix_match: name }),
    ...(exactName === undefined ? {} : { domain_match: exactName }),
    ...(alternativeName === undefined ? {} : { altsubject_match: alternativeName }),
  }
}

function phase1({ tls = {}, legacy = {} }: Eap, refuse: Refuse, warnings: string[]): string {
  const [low, high] = [TLS_VERSIONS.indexOf(tls.minimum ?? '1.2'), TLS_VERSIONS.indexOf(tls.maximum ?? '1.2')]
  // A minimum of 1.3 without a maximum means 1.3.
  const top = tls.maximum === undefined ? Math.max(low, high) : high
  if (low > top) refuse(`TLS from ${tls.minimum ?? '1.2'} up to ${tls.maximum ?? '1.2'} is no range`)
  if (low < 2) warnings.push(`TLS ${TLS_VERSIONS[low] ?? ''} is allowed, which is broken`)
  const flags = TLS_VERSIONS.map(
    (version, at) => `tls_disable_tlsv${version.replace('.', '_')}=${at < low || at > top ? 1 : 0}`,
  )
  if (legacy.unsafeRenegotiation === true) {
    warnings.push('unsafe TLS renegotiation is allowed')
    flags.push('allow_unsafe_renegotiation=1')
  }
  if (legacy.ignoreDates === true) {
    warnings.push('the dates of the server certificate are not checked')
    flags.push('tls_disable_time_checks=1')
  }
  if (legacy.weakCiphers === true) warnings.push('weak ciphers and keys are allowed')
  return flags.join(' ')
}
