import {
  type CredentialFacts,
  type FindingCode,
  isSupplicantError,
  join,
  networkBlock,
  type NetworkBlock,
  type Side,
  type SupplicantInterface,
  triage,
} from '../../../supplicant/index.ts'
import { p384 } from '../pki.ts'
import type { Air } from './air.ts'
import { type Wireless, network, peap, tls } from './kinds.ts'
import type { Scene } from './scenario.ts'

/** A network that cannot be joined, and what is to be found out about it. */
export interface Failure {
  name: string
  block: NetworkBlock
  facts?: CredentialFacts
  finding: FindingCode
  side: Side
  title?: string
  detail?: RegExp
  /** Milliseconds after which a network that nobody offers counts as not found. */
  association?: number
}

const block = (idStr: string, wireless: Wireless): NetworkBlock => networkBlock({ ...wireless, idStr }).block

const wrong = { passphrase: 'not the passphrase' }

/** Long enough for several scans of one channel: one may miss an emulated access point. */
const association = 5_000
const frequencies = [2412]

const passwords = (air: Air): Failure[] => [
  {
    ...{ name: 'a wrong passphrase of WPA2-PSK', finding: 'wrong-passphrase', side: 'configuration' },
    block: block('f:psk', network('k-psk', 'wpa2-psk', wrong)),
  },
  {
    ...{ name: 'a wrong passphrase of WPA3-SAE', finding: 'wrong-passphrase', side: 'configuration' },
    block: block('f:sae', network('k-sae', 'wpa3-sae', wrong)),
  },
  {
    ...{ name: 'a wrong password of PEAP', finding: 'rejected-password', side: 'configuration' },
    block: block(
      'f:peap',
      network('k-enterprise', 'wpa2-enterprise', { eap: { ...peap(air), password: 'x' } }),
    ),
  },
]

const trusts = (air: Air): Failure[] => [
  {
    name: 'S2-79, S2-81: a RADIUS server of a CA that is not ours is named letter for letter',
    ...{ finding: 'server-untrusted', side: 'configuration', title: '802.1X failed with unknown CA' },
    detail: /^local TLS alert: Unknown CA$/,
    block: block(
      'f:ca',
      network('k-enterprise', 'wpa2-enterprise', { eap: { ...tls(air), trust: { ca: air.pki.otherRoot } } }),
    ),
  },
  {
    name: 'S2-84: a RADIUS server that does not trust the issuer of our certificate is suspected of it',
    ...{ finding: 'rejected-untrusted-issuer', side: 'server' },
    block: block(
      'f:issuer',
      network('k-enterprise', 'wpa2-enterprise', {
        eap: { ...tls(air), certificate: p384.client.certificate, key: p384.client.key },
      }),
    ),
    facts: {
      method: 'TLS',
      certificate: { notBefore: 0, notAfter: Infinity, issuers: ['O=Lab\nCN=Lab P-384 Root'] },
    },
  },
  {
    ...{ name: 'a RADIUS server of another name', finding: 'server-name-mismatch', side: 'configuration' },
    block: block(
      'f:name',
      network('k-enterprise', 'wpa2-enterprise', {
        eap: { ...tls(air), trust: { ca: air.pki.root, exactName: 'other.example.org' } },
      }),
    ),
    facts: { serverName: 'other.example.org' },
    detail: /radius\.example\.org.*wanted other\.example\.org/,
  },
]

const misfits = (air: Air): Failure[] => [
  {
    name: 'PMF: required here, not offered by the access point',
    ...{ finding: 'does-not-fit', side: 'configuration', association },
    detail: /offers wpa-eap, management frame protection: none/,
    block: block('f:pmf', network('k-enterprise', 'wpa3-enterprise', { eap: tls(air), frequencies })),
  },
  {
    name: 'PMF: required by the access point, switched off here',
    ...{ finding: 'does-not-fit', side: 'configuration', association },
    detail: /offers wpa-eap-sha256, management frame protection: required/,
    block: {
      ...block('f:no-pmf', network('k-enterprise-3', 'wpa2-enterprise', { eap: tls(air), frequencies })),
      ieee80211w: 0,
    },
  },
  {
    ...{ name: 'a name that nobody has', finding: 'not-found', side: 'network', association },
    block: block('f:nobody', network('f-nobody', 'wpa2-psk', { ...wrong, frequencies })),
  },
]

export const failures = (air: Air): Failure[] => [...passwords(air), ...trusts(air), ...misfits(air)]

/** The join fails, and triage says why. */
export async function fails(scene: Scene, target: SupplicantInterface, failure: Failure): Promise<void> {
  const { association: patience } = failure
  const deadlines = patience === undefined ? {} : { association: patience }
  try {
    await join(target, failure.block, { frequencies: [2412], deadlines })
    scene.ok(false, 'the network was joined')
  } catch (error) {
    if (!isSupplicantError(error) || error.attempt === undefined) throw error
    const found = triage(error.attempt, failure.facts)
    scene.comment(
      `${found?.title ?? 'no finding'}: ${found?.detail ?? ''}\n${found?.evidence.join('\n') ?? ''}`,
    )
    scene.is(found?.code, failure.finding, `the finding is ${failure.finding}`)
    scene.is(found?.side, failure.side, `it is the ${failure.side}'s turn`)
    if (failure.title !== undefined) scene.is(found?.title, failure.title, `its title: ${failure.title}`)
    if (failure.detail !== undefined) scene.match(found?.detail ?? '', failure.detail, 'its detail says what')
  }
}
