/** What an access point says of its security in its beacons, read from the elements themselves. Pure. */

export type FrameProtection = 'none' | 'optional' | 'required'

export interface Security {
  /** The key management offered, e.g. `wpa-psk`, `sae`, `owe`; `wpa` for the first WPA; empty where there is none. */
  management: string[]
  protection: FrameProtection
  /** OWE transition: the SSID of the other one of the two networks, of which the encrypted one is hidden. */
  partner?: Uint8Array
}

/** Suites of the selector 00-0F-AC: IEEE 802.11-2020, table 9-151. */
const SUITES: Readonly<Record<number, string>> = {
  ...{
    1: 'wpa-eap',
    2: 'wpa-psk',
    3: 'wpa-ft-eap',
    4: 'wpa-ft-psk',
    5: 'wpa-eap-sha256',
    6: 'wpa-psk-sha256',
  },
  ...{ 8: 'sae', 9: 'ft-sae', 11: 'wpa-eap-suite-b', 12: 'wpa-eap-suite-b-192', 18: 'owe' },
}

const RSN = 48
const VENDOR = 221

/** A beacon's elements (id, length, bytes) as security; a truncated element ends the reading. */
export function securityOf(elements: Uint8Array): Security {
  let security: Security = { management: [], protection: 'none' }
  for (const { id, body } of split(Buffer.from(elements))) {
    const selector = body.subarray(0, 4).toString('hex')
    if (id === RSN) {
      const { management, protection } = rsnOf(body)
      security = { ...security, management: [...security.management, ...management], protection }
    } else if (id === VENDOR && selector === '0050f201')
      security = { ...security, management: ['wpa', ...security.management] }
    else if (id === VENDOR && selector === '506f9a1c')
      security = { ...security, management: [...security.management, 'owe-transition'], ...partnerOf(body) }
  }
  return security
}

/** Wi-Fi Alliance, OWE Specification, 2.2.1: selector, BSSID, length of the SSID, SSID. */
function partnerOf(body: Buffer): { partner?: Uint8Array } {
  const [length = 0] = body.subarray(10)
  const partner = body.subarray(11, 11 + length)
  return length > 0 && partner.length === length ? { partner } : {}
}

function* split(elements: Buffer): Generator<{ id: number; body: Buffer }> {
  let at = 0
  while (at + 2 <= elements.length) {
    const [id = 0, length = 0] = elements.subarray(at)
    if (at + 2 + length > elements.length) return
    yield { id, body: elements.subarray(at + 2, at + 2 + length) }
    at += 2 + length
  }
}

/** IEEE 802.11-2020, 9.4.2.24: version, group suite, pairwise suites, key management suites, capabilities. */
function rsnOf(body: Buffer): Security {
  const management: string[] = []
  const count = (at: number): number => (at + 2 <= body.length ? body.readUInt16LE(at) : 0)
  let at = 8 + 4 * count(6)
  const suites = count(at)
  at += 2
  for (let suite = 0; suite < suites && at + 4 <= body.length; suite += 1, at += 4) {
    const selector = body.subarray(at, at + 4).toString('hex')
    management.push(SUITES[body[at + 3] ?? 0] ?? selector)
  }
  const capabilities = count(at)
  const [required, capable] = [(capabilities & 0x40) !== 0, (capabilities & 0x80) !== 0]
  return { management, protection: required ? 'required' : capable ? 'optional' : 'none' }
}
