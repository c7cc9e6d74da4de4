import type { NetworkBlock } from './block.ts'
import { SupplicantError } from './errors.ts'

/** How the server of an 802.1X network is told from an impostor. At least one of `ca` and `pin` is needed. */
export interface ServerTrust {
  /** Path of a PEM file with any number of CAs, or `blob://name` with exactly one. */
  ca?: string
  /** SHA-256 of the server's own certificate, hex; instead of `ca`. */
  pin?: string
  /** The server's DNS name, or a domain it lies in (`domain_suffix_match`). */
  name?: string
  /** The server's exact DNS name (`domain_match`). */
  exactName?: string
  /** One of its alternative names, e.g. `DNS:radius.example.org` (`altsubject_match`). */
  alternativeName?: string
  /** Spelled out on purpose: join whoever answers, and hand over what the method sends. */
  acceptAnyServer?: boolean
}

export type TlsVersion = '1.0' | '1.1' | '1.2' | '1.3'

export type Eap = {
  identity?: string
  anonymousIdentity?: string
  trust: ServerTrust
  /** Minimum 1.2; maximum 1.2, because many servers break on 1.3, which the supplicant leaves off as well. */
  tls?: { minimum?: TlsVersion; maximum?: TlsVersion }
  /** Bytes of one EAP fragment; less than 1398 where the path loses large ones. */
  fragmentSize?: number
  /** Only by explicit wish, and never without a warning. */
  legacy?: { unsafeRenegotiation?: boolean; ignoreDates?: boolean; weakCiphers?: boolean }
} & (
  | { method: 'TLS'; certificate: string; key: string; keyPassphrase?: string }
  | { method: 'PEAP'; inner?: 'MSCHAPV2'; password: string }
  | { method: 'TTLS'; inner?: 'MSCHAPV2' | 'PAP'; password: string }
)

export type Security =
  | 'open'
  | 'owe'
  | 'owe-transition'
  | 'wpa2-psk'
  | 'wpa2-wpa3-psk'
  | 'wpa3-sae'
  | 'wpa2-enterprise'
  | 'wpa3-enterprise'
  | 'wpa3-enterprise-192'

/** A network in neutral words: the medium, how it is secured, and who may answer. */
export type NetworkDescription =
  | { idStr: string; medium: 'wired'; eap?: Eap; joinUnauthenticated?: boolean }
  | {
      idStr: string
      medium: 'wireless'
      /** 1 to 32 bytes; text is taken as UTF-8. */
      ssid: string | Uint8Array
      security: Security
      hidden?: boolean
      bssid?: string
      /** MHz; the radio stays on these. */
      frequencies?: readonly number[]
      passphrase?: string
      eap?: Eap
    }

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
    throw new SupplicantError('invalid-block', `network ${network.idStr}: ${problem}`)
  }
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
  const phase1 = [part.phase1, network.joinUnauthenticated === true ? 'allow_canned_success=1' : '']
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
  if (length < 1 || length > 32) refuse('the SSID must have 1 to 32 bytes')
  if (bssid !== undefined && !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(bssid)) refuse(`${bssid} is no BSSID`)
  if (frequencies.some(frequency => !Number.isInteger(frequency) || frequency < 2400 || frequency > 7200))
    refuse('frequencies are given in MHz, e.g. 2412 or 5180')
  if (security === 'open' || security === 'owe-transition') warnings.push('traffic may be sent unencrypted')
  const list = frequencies.join(' ')
  return {
    ssid,
    ...(hidden === true ? { scan_ssid: 1 } : {}),
    ...(bssid === undefined ? {} : { bssid }),
    ...(list === '' ? {} : { scan_freq: list, freq_list: list }),
    ...SECURITY[security].part,
    ...access(network, refuse, warnings),
  }
}

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
  if (/^[0-9a-f]{64}$/i.test(passphrase)) return { psk: Buffer.from(passphrase, 'hex') }
  if (!/^[\x20-\x7e]{8,63}$/.test(passphrase))
    refuse('the passphrase must have 8 to 63 printable ASCII characters')
  return { psk: passphrase }
}

function eapPart(eap: Eap, refuse: Refuse, warnings: string[]): Part & { phase1: string } {
  const { identity, anonymousIdentity, fragmentSize, legacy = {} } = eap
  if (fragmentSize !== undefined && (fragmentSize < 100 || fragmentSize > 1_500))
    refuse('the fragment size must lie between 100 and 1500 bytes')
  return {
    eap: eap.method,
    ...(identity === undefined ? {} : { identity }),
    ...(anonymousIdentity === undefined ? {} : { anonymous_identity: anonymousIdentity }),
    ...trustPart(eap.trust, refuse, warnings),
    ...login(eap, refuse),
    phase1: phase1(eap, refuse, warnings),
    ...(fragmentSize === undefined ? {} : { fragment_size: fragmentSize }),
    ...(legacy.weakCiphers === true ? { openssl_ciphers: 'DEFAULT@SECLEVEL=0' } : {}),
  }
}

function login(eap: Eap, refuse: Refuse): Part {
  if (eap.method !== 'TLS') {
    const inner: string = eap.inner ?? 'MSCHAPV2'
    if (eap.method === 'PEAP' && inner !== 'MSCHAPV2') refuse(`PEAP has no ${inner} inside: use TTLS`)
    return { password: eap.password, phase2: `auth=${inner}` }
  }
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
  if (pin !== undefined && !/^[0-9a-f]{64}$/i.test(pin))
    refuse('a pin is the SHA-256 of a certificate, 64 hex digits')
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

const VERSIONS: readonly TlsVersion[] = ['1.0', '1.1', '1.2', '1.3']

function phase1({ tls = {}, legacy = {} }: Eap, refuse: Refuse, warnings: string[]): string {
  const [low, high] = [VERSIONS.indexOf(tls.minimum ?? '1.2'), VERSIONS.indexOf(tls.maximum ?? '1.2')]
  // A minimum of 1.3 without a maximum means 1.3.
  const top = tls.maximum === undefined ? Math.max(low, high) : high
  if (low > top) refuse(`TLS from ${tls.minimum ?? '1.2'} up to ${tls.maximum ?? '1.2'} is no range`)
  if (low < 2) warnings.push(`TLS ${VERSIONS[low] ?? ''} is allowed, which is broken`)
  const flags = VERSIONS.map(
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
