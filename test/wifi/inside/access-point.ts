import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Daemon } from '../../lab/daemon.ts'
import type { Site } from '../../lab/site.ts'
import type { Segment } from '../../lab/topology.ts'

/** Lines of hostapd.conf. */
export type Lines = Readonly<Record<string, string | number>>

/** One SSID of a radio. */
export interface Ssid {
  ssid: string
  lines: Lines
  /** Where its stations end up; nowhere without. */
  segment?: Segment
  /** `elsewhere`: the lines name a RADIUS server. */
  server?: 'own' | 'elsewhere'
}

/** Files for hostapd's own EAP server. */
export interface EapServer {
  /** PEM file of the CAs whose client certificates are accepted. */
  clientCa: string
  certificate: string
  key: string
}

export const passphrase = 'sesame sesame'

/** Users of hostapd's EAP server. Whoever is not named has to show a certificate. */
export const users = {
  peap: { identity: 'peap-user', password: 'peap-secret' },
  ttls: { identity: 'ttls-user', password: 'ttls-secret' },
} as const

const userFile = `"${users.peap.identity}" PEAP
"${users.ttls.identity}" TTLS
"anonymous" TTLS,PEAP
* TLS
"${users.peap.identity}" MSCHAPV2 "${users.peap.password}" [2]
"${users.ttls.identity}" TTLS-MSCHAPV2,TTLS-PAP "${users.ttls.password}" [2]
`

const rsn = { wpa: 2, rsn_pairwise: 'CCMP' }

/** How an access point offers each kind of security. */
export const offers = {
  open: {},
  owe: { ...rsn, wpa_key_mgmt: 'OWE', ieee80211w: 2 },
  psk: { ...rsn, wpa_key_mgmt: 'WPA-PSK', wpa_passphrase: passphrase },
  pskAndSae: { ...rsn, wpa_key_mgmt: 'WPA-PSK SAE', wpa_passphrase: passphrase, ieee80211w: 1 },
  sae: { ...rsn, wpa_key_mgmt: 'SAE', sae_password: passphrase, ieee80211w: 2 },
  wpa2Enterprise: { ...rsn, wpa_key_mgmt: 'WPA-EAP' },
  enterpriseTransition: { ...rsn, wpa_key_mgmt: 'WPA-EAP WPA-EAP-SHA256', ieee80211w: 1 },
  wpa3Enterprise: { ...rsn, wpa_key_mgmt: 'WPA-EAP-SHA256', ieee80211w: 2 },
  suiteB192: {
    ...{ wpa: 2, wpa_key_mgmt: 'WPA-EAP-SUITE-B-192', rsn_pairwise: 'GCMP-256', ieee80211w: 2 },
    ...{ group_mgmt_cipher: 'BIP-GMAC-256', openssl_ciphers: 'SUITEB192' },
  },
} as const satisfies Record<string, Lines>

/** Names of a radio's interfaces, one for each SSID, in their order. */
export const interfaceName = (radio: string, index: number): string =>
  index === 0 ? radio : `${radio}_${index}`

export const frequencyOf = (channel: number): number => (channel > 14 ? 5000 : 2407) + 5 * channel

export interface Radio {
  name: string
  channel: number
  ssids: readonly Ssid[]
  eap: EapServer
}

const written = (lines: Lines): string =>
  Object.entries(lines)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')

function section(
  { name, eap }: Radio,
  { ssid, lines, segment, server: kept = 'own' }: Ssid,
  index: number,
  folder: string,
): string {
  const enterprise = String(lines['wpa_key_mgmt'] ?? '').includes('WPA-EAP')
  const server: Lines =
    enterprise && kept === 'own'
      ? {
          ...{ ieee8021x: 1, eap_server: 1, eapol_version: 2, eap_user_file: join(folder, 'users') },
          ...{ ca_cert: eap.clientCa, server_cert: eap.certificate, private_key: eap.key },
        }
      : {}
  return written({
    [index === 0 ? 'interface' : 'bss']: interfaceName(name, index),
    ...(index === 0 ? { driver: 'nl80211' } : {}),
    ...{ ctrl_interface: join(folder, `hostapd-${name}`), ssid },
    ...(segment === undefined ? {} : { bridge: `br-${segment}` }),
    ...server,
    ...lines,
  })
}

/** hostapd on one radio of the switch, with its own EAP server; resolves when it sends its beacons. */
export async function accessPoint(site: Site, radio: Radio): Promise<Daemon> {
  const { folder } = site
  const file = join(folder, `hostapd-${radio.name}.conf`)
  await writeFile(join(folder, 'users'), userFile)
  const channel = written({ hw_mode: radio.channel > 14 ? 'a' : 'g', channel: radio.channel })
  const [first = '', ...others] = radio.ssids.map((ssid, index) => section(radio, ssid, index, folder))
  await writeFile(file, [first + channel, ...others].join('\n'))
  return site.daemon({
    name: `hostapd-${radio.name}`,
    role: 'switch',
    command: 'hostapd',
    args: ['-t', file],
    ready: /AP-ENABLED/,
  })
}
