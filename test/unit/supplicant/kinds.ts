import t from 'tap'
import { isSupplicantError } from '../../../supplicant/errors.ts'
import { encode } from '../../../supplicant/block.ts'
import { type Eap, type NetworkDescription, networkBlock } from '../../../supplicant/kinds.ts'

const trust = { ca: '/etc/ca.pem', name: 'radius.example.org' }
const tls: Eap = { method: 'TLS', identity: 'sensor1', certificate: 'blob://c', key: '/k.pem', trust }
const peap: Eap = { method: 'PEAP', identity: 'user', password: 'secret', trust }
const wired = (eap?: Eap): NetworkDescription => ({
  idStr: 'n',
  medium: 'wired',
  ...(eap === undefined ? {} : { eap }),
})
const air = (change: Partial<Extract<NetworkDescription, { medium: 'wireless' }>>): NetworkDescription => ({
  idStr: 'n',
  medium: 'wireless',
  ssid: 'corp',
  security: 'open',
  ...change,
})
const DEFAULT_TLS = 'tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_disable_tlsv1_2=0 tls_disable_tlsv1_3=1'

t.test('every kind of network becomes a block the supplicant takes', async t => {
  const cases: [string, NetworkDescription, object][] = [
    ['plain wired', wired(), { key_mgmt: 'NONE' }],
    [
      'S2-05 wired EAP-TLS',
      wired(tls),
      {
        key_mgmt: 'IEEE8021X',
        eapol_flags: 0,
        eap: 'TLS',
        client_cert: 'blob://c',
        private_key: '/k.pem',
        ca_cert: '/etc/ca.pem',
        domain_suffix_match: 'radius.example.org',
        phase1: DEFAULT_TLS,
      },
    ],
    [
      'wired PEAP',
      wired(peap),
      { eap: 'PEAP', phase2: 'auth=MSCHAPV2', identity: 'user', password: 'secret' },
    ],
    [
      'wired TTLS with PAP',
      wired({ ...peap, method: 'TTLS', inner: 'PAP' }),
      { eap: 'TTLS', phase2: 'auth=PAP' },
    ],
    ['open', air({}), { key_mgmt: 'NONE', ssid: 'corp' }],
    ['hidden', air({ hidden: true }), { scan_ssid: 1 }],
    [
      'one radio',
      air({ bssid: '02:00:00:00:00:01', frequencies: [2412, 5180] }),
      { bssid: '02:00:00:00:00:01', scan_freq: '2412 5180', freq_list: '2412 5180' },
    ],
    [
      'WPA2/WPA3 transition by key, which SAE cannot use',
      air({ security: 'wpa2-wpa3-psk', passphrase: 'ab'.repeat(32) }),
      { key_mgmt: 'WPA-PSK WPA-PSK-SHA256', psk: Buffer.alloc(32, 0xab) },
    ],
    ['OWE', air({ security: 'owe' }), { key_mgmt: 'OWE', ieee80211w: 2, owe_only: 1 }],
    ['OWE transition', air({ security: 'owe-transition' }), { key_mgmt: 'OWE', ieee80211w: 1 }],
    [
      'WPA2-PSK',
      air({ security: 'wpa2-psk', passphrase: 'eight888' }),
      { key_mgmt: 'WPA-PSK WPA-PSK-SHA256', psk: 'eight888', ieee80211w: 1 },
    ],
    [
      'WPA2-PSK by key',
      air({ security: 'wpa2-psk', passphrase: 'ab'.repeat(32) }),
      { psk: Buffer.alloc(32, 0xab) },
    ],
    [
      'WPA3-SAE',
      air({ security: 'wpa3-sae', passphrase: 'short' }),
      { key_mgmt: 'SAE', sae_password: 'short', ieee80211w: 2 },
    ],
    [
      'WPA2/WPA3 transition',
      air({ security: 'wpa2-wpa3-psk', passphrase: 'eight888' }),
      { key_mgmt: 'SAE WPA-PSK', psk: 'eight888', ieee80211w: 1 },
    ],
    [
      'WPA2-Enterprise',
      air({ security: 'wpa2-enterprise', eap: tls }),
      { key_mgmt: 'WPA-EAP WPA-EAP-SHA256', ieee80211w: 1, eap: 'TLS', mac_addr: 0 },
    ],
    [
      'WPA3-Enterprise',
      air({ security: 'wpa3-enterprise', eap: tls }),
      { key_mgmt: 'WPA-EAP-SHA256', ieee80211w: 2 },
    ],
    [
      '192-bit',
      air({ security: 'wpa3-enterprise-192', eap: tls }),
      {
        key_mgmt: 'WPA-EAP-SUITE-B-192',
        pairwise: 'GCMP-256',
        group_mgmt: 'BIP-GMAC-256',
        openssl_ciphers: 'SUITEB192',
        ieee80211w: 2,
      },
    ],
    [
      'TLS 1.3 allowed',
      wired({ ...tls, tls: { maximum: '1.3' } }),
      { phase1: DEFAULT_TLS.replace('1_3=1', '1_3=0') },
    ],
    [
      'TLS 1.3 required',
      wired({ ...tls, tls: { minimum: '1.3' } }),
      { phase1: /1_2=1 tls_disable_tlsv1_3=0/ },
    ],
    [
      'server pin',
      wired({ ...tls, trust: { pin: 'AB'.repeat(32) } }),
      { ca_cert: `hash://server/sha256/${'ab'.repeat(32)}` },
    ],
    [
      'exact and alternative name',
      wired({ ...tls, trust: { ca: '/c', exactName: 'a.b', alternativeName: 'DNS:a.b' } }),
      { domain_match: 'a.b', altsubject_match: 'DNS:a.b' },
    ],
    [
      'anonymous identity',
      wired({ ...peap, anonymousIdentity: 'anonymous' }),
      { anonymous_identity: 'anonymous' },
    ],
    ['fragment size', wired({ ...tls, fragmentSize: 600 }), { fragment_size: 600 }],
    [
      'a bare EAP-Success is taken too',
      { idStr: 'n', medium: 'wired', eap: tls, acceptCannedSuccess: true },
      { phase1: /allow_canned_success=1/ },
    ],
  ]
  for (const [name, description, expected] of cases) {
    const { block } = networkBlock(description)
    t.match(block, { id_str: 'n', ...expected }, name)
    t.doesNotThrow(() => encode(block), name)
  }
})

t.test(
  'a network that would not verify its server is refused unless it says so in as many words',
  async t => {
    t.match(
      refusal(wired({ ...tls, trust: { name: 'radius.example.org' } })),
      /would not be verified.*acceptAnyServer/,
    )
    const { block, warnings } = networkBlock(wired({ ...tls, trust: { acceptAnyServer: true } }))
    t.notOk('ca_cert' in block)
    t.match(warnings, [/anybody can answer/])
  },
)

t.test('what cannot work is refused with its reason', async t => {
  const cases: [NetworkDescription, RegExp][] = [
    [wired({ ...tls, trust: { ca: '/c', pin: 'ab'.repeat(32) } }), /exclude each other/],
    [wired({ ...tls, trust: { pin: 'abc' } }), /64 hex digits/],
    [wired({ ...peap, inner: 'PAP' } as unknown as Eap), /eap\.inner must be one of MSCHAPV2/],
    [wired({ ...tls, fragmentSize: 10 }), /eap\.fragmentSize .* between 100 and 1500/],
    [wired({ ...tls, tls: { minimum: '1.3', maximum: '1.2' } }), /no range/],
    [air({ ssid: '' }), /1 to 32 bytes/],
    [air({ ssid: 'é'.repeat(17) }), /1 to 32 bytes/],
    [air({ bssid: 'nonsense' }), /bssid must be a BSSID/],
    [air({ frequencies: [6] }), /MHz/],
    [air({ security: 'wpa2-psk' }), /needs a passphrase/],
    [air({ security: 'wpa2-psk', passphrase: 'short' }), /8 to 63/],
    [air({ security: 'open', passphrase: 'eight888' }), /takes no passphrase/],
    [air({ security: 'wpa2-enterprise' }), /needs EAP settings/],
    [air({ security: 'wpa2-psk', passphrase: 'eight888', eap: tls }), /takes no EAP settings/],
    [
      air({ security: 'wpa3-enterprise-192', eap: { ...tls, legacy: { weakCiphers: true } } }),
      /exclude each other/,
    ],
  ]
  for (const [description, message] of cases) t.match(refusal(description), message)
})

t.test('what works but should not be is done only by explicit setting, and warned of', async t => {
  const cases: [NetworkDescription, RegExp, object][] = [
    [wired({ ...tls, tls: { minimum: '1.0' } }), /TLS 1.0 is allowed/, { phase1: /tls_disable_tlsv1_0=0/ }],
    [
      wired({ ...tls, legacy: { unsafeRenegotiation: true } }),
      /unsafe/,
      { phase1: /allow_unsafe_renegotiation=1/ },
    ],
    [wired({ ...tls, legacy: { ignoreDates: true } }), /dates/, { phase1: /tls_disable_time_checks=1/ }],
    [wired({ ...tls, legacy: { weakCiphers: true } }), /weak/, { openssl_ciphers: 'DEFAULT@SECLEVEL=0' }],
    [wired({ ...tls, trust: { ca: '/c' } }), /name of the server is not checked/, {}],
    [air({}), /unencrypted/, {}],
  ]
  for (const [description, message, expected] of cases) {
    const { block, warnings } = networkBlock(description)
    t.match(warnings.join('; '), message)
    t.match(block, expected)
  }
  t.same(networkBlock(wired(tls)).warnings, [])
})

t.test('a description that is none is refused by the place in it and what belongs there', async t => {
  const { identity: _, ...nobody } = peap
  const cases: [unknown, RegExp][] = [
    [undefined, /network undefined: medium is missing: it must be one of wired, wireless/],
    [{ medium: 'wired' }, /idStr is missing/],
    [{ ...wired(), medium: 'pigeon' }, /medium must be one of/],
    [{ ...wired(), idStr: '' }, /idStr must be text, not empty/],
    [{ ...wired(), colour: 'red' }, /colour is not known: idStr, medium, eap, acceptCannedSuccess are/],
    [air({ security: 'wep' as 'open' }), /security must be one of open, owe/],
    [air({ frequencies: 2412 as unknown as number[] }), /frequencies must be a list/],
    [air({ hidden: 'yes' as unknown as boolean }), /hidden must be true or false/],
    [wired({ ...tls, method: 'FAST' } as unknown as Eap), /eap\.method must be one of TLS, PEAP, TTLS/],
    [wired({ ...tls, key: '' }), /eap\.key must be text, not empty/],
    [wired({ ...tls, identity: 'a\nb' }), /eap\.identity must be .* without control characters/],
    [wired(nobody), /eap\.identity is missing/],
    [wired({ ...tls, tls: { minimum: '1.4' as '1.3' } }), /eap\.tls\.minimum must be one of 1\.0/],
    [wired({ ...tls, trust: undefined } as unknown as Eap), /eap\.trust must be an object/],
    [
      wired({ ...tls, trust: { ...trust, servername: 'x' } } as unknown as Eap),
      /eap\.trust\.servername is not known/,
    ],
    [
      wired({ ...tls, trust: { acceptAnyServer: 'no' as unknown as boolean } }),
      /acceptAnyServer must be true or false/,
    ],
    [wired({ ...tls, trust: { ca: '' } }), /eap\.trust\.ca must be text, not empty/],
    [wired({ ...tls, trust: { ...trust, alternativeName: 'radius' } }), /e\.g\. DNS:radius\.example\.org/],
  ]
  for (const [description, message] of cases) t.match(refusal(description as NetworkDescription), message)
  t.notMatch(refusal(wired({ ...peap, password: 'hunter2\n' })), /hunter2/, 'no secret is shown')
})

function refusal(description: NetworkDescription): string {
  try {
    networkBlock(description)
    return 'nothing was refused'
  } catch (error) {
    return isSupplicantError(error, 'invalid-block') ? error.message : String(error)
  }
}
