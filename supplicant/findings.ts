import type { Retry } from './errors.ts'

/** Who has to act. */
export type Side = 'sensor' | 'server' | 'network' | 'clock' | 'configuration'

export interface FindingText {
  title: string
  detail: string
  side: Side
  hint: string
  retry: Retry
}

const UNKNOWN_CA = '802.1X failed with unknown CA'
const UNREADABLE_HINT =
  'Check that the files exist and can be read by the supplicant, that key and certificate belong together, that the CA is a certificate, and that nothing is signed with SHA-1.'

const TEXTS = {
  'server-untrusted': {
    title: UNKNOWN_CA,
    detail: 'local TLS alert: Unknown CA',
    side: 'configuration',
    hint: "The sensor does not trust the RADIUS server: its certificate comes from a CA that this network was not given. Give the RADIUS server's root or chain under Advanced > Specify Server CA.",
    retry: 'backoff',
  },
  'client-untrusted': {
    title: UNKNOWN_CA,
    detail: 'remote TLS alert: Unknown CA',
    side: 'server',
    hint: 'The RADIUS server does not trust the CA that issued the client certificate. Add the SCEP root and chain to the trust list of the RADIUS server.',
    retry: 'backoff',
  },
  'server-certificate-expired': {
    title: '802.1X failed: the certificate of the RADIUS server has expired',
    detail: 'local TLS alert: Certificate expired',
    side: 'server',
    hint: "Renew the RADIUS server's certificate; if it is in date, the sensor's clock is ahead.",
    retry: 'backoff',
  },
  'server-certificate-not-yet-valid': {
    title: '802.1X failed: the certificate of the RADIUS server is not valid yet',
    detail: 'certificate is not yet valid',
    side: 'clock',
    hint: "The sensor's clock is probably behind: check its time source.",
    retry: 'backoff',
  },
  'server-name-mismatch': {
    title: '802.1X failed: the RADIUS server has another name',
    detail: 'the name in the certificate is not the one configured',
    side: 'configuration',
    hint: 'Correct the server name of this network, or find out who else answers for it: a wrong name may be an impostor.',
    retry: 'backoff',
  },
  'server-pin-mismatch': {
    title: '802.1X failed: the RADIUS server shows another certificate than the one pinned',
    detail: 'Server certificate mismatch',
    side: 'configuration',
    hint: "Update the pinned hash after the server's certificate was renewed, or use a server CA and name instead.",
    retry: 'backoff',
  },
  'server-certificate-refused': {
    title: '802.1X failed: the certificate of the RADIUS server was refused',
    detail: 'local TLS alert',
    side: 'server',
    hint: "Look at the server's certificate: usage, signature algorithm, key length, chain.",
    retry: 'backoff',
  },
  'client-certificate-expired': {
    title: '802.1X failed: the client certificate has expired',
    detail: 'remote TLS alert: Certificate expired',
    side: 'sensor',
    hint: "Renew the client certificate; if it is in date, the RADIUS server's clock is wrong.",
    retry: 'change',
  },
  'client-certificate-not-yet-valid': {
    title: '802.1X failed: the client certificate is not valid yet',
    detail: 'remote TLS alert: Bad certificate',
    side: 'clock',
    hint: 'Compare the clocks of the sensor, the CA and the RADIUS server.',
    retry: 'backoff',
  },
  'client-certificate-revoked': {
    title: '802.1X failed: the client certificate was revoked',
    detail: 'remote TLS alert: Certificate revoked',
    side: 'server',
    hint: 'Request a new certificate, or lift the revocation.',
    retry: 'change',
  },
  'client-certificate-refused': {
    title: '802.1X failed: the RADIUS server refused the client certificate',
    detail: 'remote TLS alert',
    side: 'server',
    hint: 'The RADIUS log has the reason: usage, names, key length, signature algorithm or a revocation list.',
    retry: 'backoff',
  },
  'tls-version': {
    title: '802.1X failed: no common TLS version',
    detail: 'remote TLS alert: Protocol version',
    side: 'configuration',
    hint: 'Allow TLS 1.3 for this network, or TLS 1.2 at the RADIUS server.',
    retry: 'change',
  },
  'tls-no-common-cipher': {
    title: '802.1X failed: no common TLS cipher',
    detail: 'remote TLS alert: Handshake failure',
    side: 'configuration',
    hint: 'Compare key types, curves and security levels of both sides.',
    retry: 'change',
  },
  'unsafe-renegotiation': {
    title: '802.1X failed: the RADIUS server renegotiates TLS in an unsafe way',
    detail: 'unsafe server renegotiation',
    side: 'server',
    hint: 'Update the RADIUS server; as a last resort allow the legacy renegotiation for this network.',
    retry: 'change',
  },
  'method-not-offered': {
    title: '802.1X failed: the server offers another EAP method',
    detail: 'the server proposed a method that is not configured here',
    side: 'configuration',
    hint: 'Choose a method that the RADIUS server offers to this sensor, or enable the configured one there.',
    retry: 'change',
  },
  'credential-unreadable': {
    title: '802.1X failed: the supplicant cannot use the key, certificate or CA',
    detail: 'key, certificate or CA is missing, unreadable or does not match',
    side: 'sensor',
    hint: UNREADABLE_HINT,
    retry: 'change',
  },
  'password-missing': {
    title: '802.1X failed: no password is configured',
    detail: 'the supplicant asked for PASSWORD',
    side: 'configuration',
    hint: 'Give the password of this network.',
    retry: 'change',
  },
  'identity-missing': {
    title: '802.1X failed: no identity is configured',
    detail: 'the supplicant asked for IDENTITY',
    side: 'configuration',
    hint: 'Give the identity (user name) of this network.',
    retry: 'change',
  },
  'parameter-missing': {
    title: '802.1X failed: the supplicant needs a parameter',
    detail: 'the supplicant asked for a parameter',
    side: 'configuration',
    hint: 'Give the parameter in the network profile.',
    retry: 'change',
  },
  'rejected-password': {
    title: '802.1X rejected: user name or password',
    detail: 'the server trusted the tunnel and rejected the user',
    side: 'configuration',
    hint: 'Check user name and password; the server does not say which of the two is wrong.',
    retry: 'change',
  },
  'rejected-cause-unknown': {
    title: '802.1X: rejected, cause unknown',
    detail: 'the server rejected without a reason',
    side: 'server',
    hint: 'The reason is in the log of the RADIUS server.',
    retry: 'backoff',
  },
  'rejected-expired': {
    title: '802.1X rejected: the client certificate has expired',
    detail: 'the server rejected without a reason',
    side: 'sensor',
    hint: 'Renew the client certificate; the log of the RADIUS server has the last word.',
    retry: 'change',
  },
  'rejected-not-yet-valid': {
    title: '802.1X rejected: the client certificate is not valid yet',
    detail: 'the server rejected without a reason',
    side: 'clock',
    hint: 'Compare the clocks of the sensor, the CA and the RADIUS server.',
    retry: 'backoff',
  },
  'rejected-untrusted-issuer': {
    title: '802.1X rejected: the RADIUS server probably does not trust our CA',
    detail: 'the server rejected without a reason',
    side: 'server',
    hint: 'Add the SCEP root and chain to the trust list of the RADIUS server; its log has the last word.',
    retry: 'backoff',
  },
  'rejected-identity': {
    title: '802.1X rejected: identity unknown or not allowed',
    detail: 'the server rejected the identity',
    side: 'server',
    hint: 'Look for the identity in the log of the RADIUS server: no such account, no policy, or a name that does not match the certificate.',
    retry: 'backoff',
  },
  'radius-silent': {
    title: '802.1X failed: the RADIUS server does not answer',
    detail: 'the switch or access point started EAP, then nothing came',
    side: 'network',
    hint: 'Check that the RADIUS server runs, that the switch or access point reaches it, and that both have the same shared secret.',
    retry: 'backoff',
  },
  'eap-stalled': {
    title: '802.1X failed: the authentication stopped half-way',
    detail: 'EAP began and was not finished',
    side: 'network',
    hint: 'Large certificates get lost where EAP is fragmented: lower the fragment size, and check that the RADIUS server is still there.',
    retry: 'backoff',
  },
  'no-authenticator': {
    title: 'The port does not speak 802.1X',
    detail: 'nobody answered EAPOL-Start',
    side: 'network',
    hint: 'Enable 802.1X on this switch port, or define the network as plain wired.',
    retry: 'backoff',
  },
  'no-carrier': {
    title: 'The cable is out',
    detail: 'the link has no carrier',
    side: 'network',
    hint: 'Check the cable and the switch port.',
    retry: 'backoff',
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
    hint: 'Check the authorization settings (VLAN, access list) of the switch or access point.',
    retry: 'backoff',
  },
} as const satisfies Record<string, FindingText>

export type FindingCode = keyof typeof TEXTS

/** Every finding of the triage, in one place: default texts, whose side it is on, what ends the wait. */
export const FINDINGS: Readonly<Record<FindingCode, FindingText>> = TEXTS
