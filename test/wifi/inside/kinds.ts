import type { Eap, NetworkDescription, Security } from '../../../supplicant/index.ts'
import { p384 } from '../pki.ts'
import { type EapServer, offers, passphrase, type Ssid, users } from './access-point.ts'
import type { Air } from './air.ts'

export type Wireless = Extract<NetworkDescription, { medium: 'wireless' }>

/** A kind of network: how it is joined, and what tells that it was that kind which was joined. */
export interface Kind {
  name: string
  network: Wireless
  /** The supplicant's word for how it authenticated. */
  mode: string
  /** Whether management frames are protected. */
  pmf: boolean
  /** Index of the SSID's interface on the first radio. */
  at: number
}

const trust = (air: Air) => ({ ca: air.pki.root, name: 'radius.example.org' })

export const tls = (air: Air): Eap & { method: 'TLS' } => ({
  method: 'TLS',
  identity: 'sensor1.example.org',
  certificate: air.pki.client.certificate,
  key: air.pki.client.key,
  trust: trust(air),
})

export const peap = (air: Air): Eap & { method: 'PEAP' } => ({
  method: 'PEAP',
  ...users.peap,
  trust: trust(air),
})

const ttls = (air: Air, inner: 'MSCHAPV2' | 'PAP'): Eap => ({
  ...{ method: 'TTLS', inner, ...users.ttls, anonymousIdentity: 'anonymous' },
  trust: trust(air),
})

const suiteB = (): Eap => ({
  ...{ method: 'TLS', identity: 'sensor1.example.org' },
  certificate: p384.client.certificate,
  key: p384.client.key,
  trust: { ca: p384.root, name: 'radius.example.org' },
})

const eap192: EapServer = { clientCa: p384.root, ...p384.server }

/** The SSIDs of the first radio; their indices name their interfaces. */
export const ssids: readonly Ssid[] = [
  { ssid: 'k-open', lines: offers.open },
  { ssid: 'k-owe', lines: offers.owe },
  { ssid: 'k-guest', lines: { ...offers.open, owe_transition_ifname: 'wlan0_3' } },
  {
    ssid: 'k-guest-owe',
    lines: { ...offers.owe, ignore_broadcast_ssid: 1, owe_transition_ifname: 'wlan0_2' },
  },
  { ssid: 'k-psk', lines: offers.psk },
  { ssid: 'k-psk-sae', lines: offers.pskAndSae },
  { ssid: 'k-sae', lines: offers.sae },
  { ssid: 'k-enterprise', lines: offers.wpa2Enterprise },
  { ssid: 'k-enterprise-3', lines: offers.wpa3Enterprise },
  { ssid: 'k-enterprise-192', lines: { ...offers.suiteB192, ...serverLines(eap192) } },
  { ssid: 'k-hidden', lines: { ...offers.psk, ignore_broadcast_ssid: 1 } },
  { ssid: 'k-both', lines: offers.enterpriseTransition },
  { ssid: 'k-sae-h2e', lines: { ...offers.sae, sae_pwe: 1 } },
]

function serverLines({ clientCa, certificate, key }: EapServer) {
  return { ca_cert: clientCa, server_cert: certificate, private_key: key }
}

export const network = (ssid: string, security: Security, more: Partial<Wireless> = {}): Wireless => ({
  ...{ idStr: `test:${ssid}`, medium: 'wireless', ssid, security },
  ...more,
})

const PSK = { passphrase }

/** Every kind of Wi-Fi network once. */
export const kinds = (air: Air): Kind[] => [
  { name: 'open', network: network('k-open', 'open'), mode: 'NONE', pmf: false, at: 0 },
  { name: 'WPA2-PSK', network: network('k-psk', 'wpa2-psk', PSK), mode: 'WPA2-PSK', pmf: false, at: 4 },
  {
    ...{ name: 'WPA2/WPA3 transition, where SAE is chosen', mode: 'SAE', pmf: true, at: 5 },
    network: network('k-psk-sae', 'wpa2-wpa3-psk', PSK),
  },
  { name: 'WPA3-SAE', network: network('k-sae', 'wpa3-sae', PSK), mode: 'SAE', pmf: true, at: 6 },
  {
    ...{
      name: 'WPA3-SAE of an access point that insists on hash-to-element',
      mode: 'SAE',
      pmf: true,
      at: 12,
    },
    network: network('k-sae-h2e', 'wpa3-sae', PSK),
  },
  { name: 'OWE', network: network('k-owe', 'owe'), mode: 'OWE', pmf: true, at: 1 },
  { name: 'OWE transition', network: network('k-guest', 'owe-transition'), mode: 'OWE', pmf: true, at: 3 },
  {
    ...{ name: 'WPA2-Enterprise by EAP-TLS (S2-05, S2-17, S2-18)', mode: 'EAP-TLS', pmf: false, at: 7 },
    network: network('k-enterprise', 'wpa2-enterprise', { eap: tls(air) }),
  },
  {
    ...{ name: 'WPA2-Enterprise by PEAP-MSCHAPv2', mode: 'EAP-PEAP', pmf: false, at: 7 },
    network: network('k-enterprise', 'wpa2-enterprise', { idStr: 'test:peap', eap: peap(air) }),
  },
  {
    ...{ name: 'WPA2-Enterprise by TTLS-MSCHAPv2', mode: 'EAP-TTLS', pmf: false, at: 7 },
    network: network('k-enterprise', 'wpa2-enterprise', { idStr: 'test:ttls', eap: ttls(air, 'MSCHAPV2') }),
  },
  {
    ...{ name: 'WPA2-Enterprise by TTLS-PAP', mode: 'EAP-TTLS', pmf: false, at: 7 },
    network: network('k-enterprise', 'wpa2-enterprise', { idStr: 'test:ttls-pap', eap: ttls(air, 'PAP') }),
  },
  {
    ...{ name: 'WPA3-Enterprise, which requires PMF', mode: 'WPA2-EAP-SHA256', pmf: true, at: 8 },
    network: network('k-enterprise-3', 'wpa3-enterprise', { eap: tls(air) }),
  },
  {
    ...{
      name: 'WPA2-Enterprise with PMF where WPA3-Enterprise is offered too',
      mode: 'WPA2-EAP-SHA256',
      pmf: true,
    },
    ...{ network: network('k-both', 'wpa2-enterprise', { eap: tls(air) }), at: 11 },
  },
  {
    ...{ name: 'WPA3-Enterprise 192 bit', mode: 'WPA2-EAP-SUITE-B-192', pmf: true, at: 9 },
    network: network('k-enterprise-192', 'wpa3-enterprise-192', { eap: suiteB() }),
  },
  {
    ...{ name: 'a hidden SSID (WPA2-PSK)', mode: 'WPA2-PSK', pmf: false, at: 10 },
    network: network('k-hidden', 'wpa2-psk', { ...PSK, hidden: true }),
  },
]
