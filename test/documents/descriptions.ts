/** What every field of every document means: one sentence each, for config/schema/ and docs/mqtt.md. */
import { messages } from './messages.ts'
import { reported } from './reported.ts'
import { settings } from './settings.ts'

export type DocumentName =
  'network' | 'sensor' | 'command' | 'reply' | 'event' | 'presence' | 'reported' | 'settings'

export const titles: Record<DocumentName, string> = {
  network: 'Network profile: <prefix>/networks/<network>',
  sensor: 'Sensor document: <prefix>/sensors/<sensor>/desired',
  command: 'Command: <prefix>/sensors/<sensor>/commands',
  reply: 'Reply: <prefix>/sensors/<sensor>/replies',
  event: 'Event: <prefix>/sensors/<sensor>/events',
  presence: 'Presence: <prefix>/sensors/<sensor>/presence',
  reported: 'Reported state: <prefix>/sensors/<sensor>/reported',
  settings: 'Settings of the device: /etc/sonde/sonde.json',
}

const network = {
  schema: 'Version of this document.',
  alias: 'Display name; two profiles for one SSID are told apart by it (S2-16, S2-74).',
  enabled:
    'Whether the network is enrolled and joined. While it is off, a certificate is obtained on request alone (S1-03).',
  interface: 'The kind of interface it belongs to (`wired`, `wireless`), or the name of one (S2-15).',
  wireless: 'How the radio joins; for wireless networks alone.',
  'wireless.ssid': 'Name of the radio network, at most 32 bytes in UTF-8 (S2-15).',
  'wireless.hidden': 'Whether it has to be asked for by name.',
  'wireless.security': 'How it is protected (S2-17).',
  'wireless.passphrase': 'For `wpa2-psk`, `wpa2-wpa3-psk` and `wpa3-sae`. Secret.',
  'wireless.bssid': 'One access point only.',
  'wireless.frequencies': 'In MHz: the radio stays on these, which also spares it the full scan.',
  eap: '802.1X, wired or by an enterprise security.',
  'eap.method': 'EAP method; `TLS` is "Auth Method: Certificate" (S2-18).',
  'eap.identity':
    'Identity; for `TLS` the common name of the certificate when left out. Variables are replaced.',
  'eap.anonymousIdentity': 'Identity outside the tunnel. Variables are replaced.',
  'eap.serverName': 'Name the certificate of the RADIUS server has to carry, or end with.',
  'eap.serverCa':
    'Specify Server CA: certificates the RADIUS server is verified to, added to those of SCEP (S2-82).',
  'eap.serverCaOnly': 'Whether `serverCa` replaces those of SCEP.',
  'eap.serverExactName': 'The exact name of the RADIUS server, instead of a suffix.',
  'eap.serverAlternativeName': 'One of its alternative names, such as `DNS:radius.example.org`.',
  'eap.serverPin': 'SHA-256 of its own certificate in hex, instead of its CA.',
  'eap.tlsMinimum': 'Lowest version of TLS; 1.2 when left out.',
  'eap.tlsMaximum': 'Highest version of TLS; 1.2 when left out, because many servers break on 1.3.',
  'eap.fragmentSize': 'Bytes of one EAP fragment, for paths that lose large ones.',
  'eap.legacy': 'For old servers alone; each is warned about.',
  'eap.legacy.unsafeRenegotiation': 'Allows TLS renegotiation without RFC 5746.',
  'eap.legacy.weakCiphers': 'Allows ciphers and keys that OpenSSL refuses by default.',
  'eap.acceptAnyServer': 'Whether any RADIUS server is accepted; it then sees the password.',
  'eap.phase2': 'Method inside the tunnel.',
  'eap.password': 'Password inside the tunnel. Secret.',
  scep: 'Where the certificate of each sensor comes from (S2-04, S2-19).',
  'scep.enrollmentNetwork':
    'Network over which the server is first contacted; it may not need SCEP itself (S2-06, S2-07, S2-20).',
  'scep.url': 'URL of the server with scheme, path and program extension (S2-21..23).',
  'scep.caIdentifier': 'Identifier of the CA, where the server has several (S1-54, S1-66).',
  'scep.challengePassword':
    'Challenge password, the same for all sensors of the network (S2-33, S2-71). Secret.',
  'scep.subject': 'Subject of the certificate.',
  'scep.subject.commonName': 'Common name (S2-24..29). Variables are replaced.',
  'scep.alternativeNames':
    'Subject alternative names (S2-30..32): `dns:`, `upn:`, `email:`, `uri:` or `ip:` and a value, or `mac`. Variables are replaced.',
  'scep.key': 'Kind of key (S2-41).',
  'scep.signature': 'Digest of the signatures (S2-36).',
  'scep.digest':
    'Digest of the messages (S2-38); as `signature` when left out (S2-40); `automatic`: the best advertised.',
  'scep.encryption': 'Cipher of the request (S2-34); `automatic`: AES-128 where it is advertised, else 3DES.',
  'scep.keyTransport': 'How the key of the cipher is encrypted (S1-40).',
  'scep.caCertificates':
    'Root and intermediates that the server does not send (S2-42..46). An https server may have its certificate from them.',
  'scep.rootFingerprint': 'SHA-256, SHA-1 or MD5 of the root, to verify what the server sends (S2-49).',
  'scep.template': 'Name of the Microsoft certificate template.',
  'scep.renewal': 'When the certificate is renewed (S2-50..56).',
  'scep.renewal.when': '`half-life`: from half of its validity on; `manual`: by command alone.',
  'scep.renewal.daysBeforeExpiry': 'So many days before it expires (S2-55).',
  'scep.renewal.percent': 'When so much of its validity is over.',
  'scep.renewalMethod': 'The message that renews; `auto` learns what the server takes.',
  'scep.challengeOnRenewal': 'Whether the challenge password goes along.',
  'scep.polling': 'How a request that waits for approval is asked for again.',
  'scep.polling.every': 'Seconds between two questions.',
  'scep.polling.most': 'How often at most.',
  'scep.polling.giveUpAfterHours': 'Hours after which it is given up.',
  'scep.ladder': 'Ways out for sensors nobody can reach; all off.',
  'scep.ladder.enrollmentNetworkAfterHours':
    'Renews over the enrollment network when the tested one has not served for so many hours.',
  'scep.ladder.reenrollAfterExpiry': 'Enrols afresh after expiry without a person (against S2-60).',
}

const sensor = {
  schema: 'Version of this document.',
  version: 'Counts up within an epoch; a lower one is refused, and so is another document with the same.',
  epoch: 'A higher epoch starts the versions anew: the way out when the last version is not known.',
  name: 'Display name of the sensor, `{name}` in profiles (S2-26).',
  networks:
    'The networks it tests, at most four (S2-75); those that only serve enrolment are not listed (S2-76).',
  'networks[].network': 'Id of the network.',
  'networks[].assignment': 'Made when the network is added. A changed one means fresh enrolment (S2-67..70).',
  testEvery: 'Seconds between two tests of a network.',
  targets: 'What a test tries to reach over the network, beside the gateway and the SCEP server.',
  'targets[].probe': 'How.',
  'targets[].host': 'Name or address.',
  'targets[].name': 'Name to resolve.',
  'targets[].port': 'TCP port.',
  'targets[].url':
    'URL to get; a status below 400 passes. Without a user or a password, because reports show it.',
}

export const descriptions: Record<DocumentName, Record<string, string>> = {
  network,
  sensor,
  ...messages,
  reported,
  settings,
}
