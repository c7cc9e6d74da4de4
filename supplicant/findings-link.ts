import type { FindingText } from './findings.ts'

/** What cable, radio, switch and access point do. */
export const LINK_FINDINGS = {
  'radius-silent': {
    title: '802.1X failed: the RADIUS server does not answer',
    detail: 'the switch started EAP, then nothing came',
    side: 'network',
    hint: 'Check that the RADIUS server runs, that the switch reaches it, and that both have the same shared secret.',
    retry: 'backoff',
    onTheAir: {
      detail: 'the access point started EAP, then nothing came',
      hint: 'Check that the RADIUS server runs, that the access point or its controller reaches it, and that both have the same shared secret.',
    },
  },
  'eap-stalled': {
    title: '802.1X failed: the authentication stopped half-way',
    detail: 'EAP began and was not finished',
    side: 'network',
    hint: 'Large certificates get lost where EAP is fragmented: lower the fragment size, and check that the RADIUS server is still there, and how long it takes for an answer.',
    retry: 'backoff',
  },
  'no-authenticator': {
    title: 'The port does not speak 802.1X',
    detail: 'nobody answered EAPOL-Start',
    side: 'network',
    hint: 'Enable 802.1X on this switch port, or define the network as plain wired.',
    retry: 'backoff',
    onTheAir: {
      title: 'The access point does not begin 802.1X',
      detail: 'associated, and then no EAP request came',
      hint: 'Check the 802.1X settings of this SSID at the access point or its controller, and how strongly the sensor hears it.',
    },
  },
  'no-carrier': {
    title: 'The cable is out',
    detail: 'the link has no carrier',
    side: 'network',
    hint: 'Check the cable and the switch port.',
    retry: 'backoff',
  },
  'interface-disabled': {
    title: 'The interface is switched off',
    detail: 'the link is down (not the cable: the interface itself)',
    side: 'sensor',
    hint: 'Bring it up (ip link set … up), and find out who took it down: the tested interfaces belong to the sensor alone.',
    retry: 'backoff',
    onTheAir: {
      title: 'The radio is switched off',
      detail: 'the radio is down or blocked',
      hint: 'Unblock it (rfkill unblock wifi; some boards keep it blocked until a country is set), and bring its interface up.',
    },
  },
  'not-found': {
    title: 'The network was not found',
    detail: 'no access point with this name and security was in range',
    side: 'network',
    hint: 'Check the SSID (upper and lower case count), whether it is hidden, its security, the band and the country.',
    retry: 'backoff',
  },
  'does-not-fit': {
    title: 'The network is in range, but not as it is configured',
    detail: 'no access point of this name offers what is asked for',
    side: 'configuration',
    hint: 'Compare the security, management frame protection, BSSID and frequencies of this network with what its access points offer.',
    retry: 'backoff',
  },
  'association-rejected': {
    title: 'The access point refused the association',
    detail: 'the access point refused the association',
    side: 'network',
    hint: 'Check passphrase, management frame protection and access lists of the access point.',
    retry: 'backoff',
  },
  'access-point-lost': {
    title: 'The access point was lost on the way',
    detail: 'the access point fell silent before the authentication was over',
    side: 'network',
    hint: 'Check how strongly the sensor hears it, whether it restarts or sends its stations elsewhere, and its access lists.',
    retry: 'backoff',
  },
  'wrong-passphrase': {
    title: 'The access point did not accept the passphrase',
    detail: 'the four-way handshake did not finish',
    side: 'configuration',
    hint: 'Give the right passphrase.',
    retry: 'change',
  },
  'handshake-timeout': {
    title: 'The association was not completed',
    detail: 'the access point did not finish the key handshake',
    side: 'network',
    hint: 'Check the signal and the security settings of the access point.',
    retry: 'backoff',
  },
  'port-not-open': {
    title: '802.1X succeeded, but the port did not open',
    detail: 'EAP success was received and the connection was not completed',
    side: 'network',
    hint: 'Check the authorization settings (VLAN, access list) of the switch.',
    retry: 'backoff',
    onTheAir: {
      title: '802.1X succeeded, but the key handshake did not',
      detail: 'EAP success was received, and the four-way handshake was not finished',
      hint: 'Check that the RADIUS server gives the access point the keys of the session, the signal, and the cipher settings of the access point.',
    },
  },
  'bare-success': {
    title: 'The switch opened the port without 802.1X',
    detail: 'EAP success came without an authentication',
    side: 'network',
    hint: 'The switch probably put the sensor into a fallback network (guest, critical VLAN): check that its RADIUS server answers.',
    retry: 'backoff',
    onTheAir: {
      title: 'The access point let the sensor in without 802.1X',
      hint: 'Check that the RADIUS server of the access point or its controller answers, and what they do when it does not.',
    },
  },
} as const satisfies Record<string, FindingText>
