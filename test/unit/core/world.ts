/** Desired and actual states for the tables: a sensor with one enrollment network and tested networks. */
import type {
  Actual,
  CertificateFacts,
  ClockReading,
  CredentialState,
  Desired,
  InterfaceState,
  Network,
} from '../../../agent/types.ts'

export const day = 86_400_000
export const now = Date.UTC(2026, 0, 10)

const serverTrust = { serverCa: [], serverCaOnly: false, acceptAnyServer: false }

export const onboarding: Network = {
  id: 'onboarding',
  assignment: '',
  interface: 'eth0',
  sha256: 'aa',
  profile: {
    schema: 1,
    enabled: true,
    interface: 'wired',
    eap: { method: 'PEAP', identity: 'guest', password: 'secret', phase2: 'MSCHAPV2', ...serverTrust },
  },
}

export const corp: Network = {
  id: 'corp',
  assignment: 'a1',
  interface: 'eth0',
  sha256: 'bb',
  profile: {
    schema: 1,
    enabled: true,
    interface: 'wired',
    eap: { method: 'TLS', ...serverTrust },
    scep: {
      enrollmentNetwork: 'onboarding',
      url: 'http://scep.example.org/scep',
      caIdentifier: 'CAIdentifier',
      challengePassword: 'secret',
      subject: { commonName: '{serial}' },
      alternativeNames: [],
      key: 'rsa-2048',
      signature: 'SHA-256',
      encryption: 'AES-128',
      keyTransport: 'PKCS1',
      caCertificates: [],
      rootFingerprint: null,
      renewal: { when: 'half-life' },
      renewalMethod: 'auto',
      challengeOnRenewal: true,
      polling: { every: 60, most: 1000, giveUpAfterHours: 168 },
    },
  },
}

export const withProfile = (network: Network, profile: Partial<Network['profile']>): Network => ({
  ...network,
  sha256: network.sha256 + JSON.stringify(profile),
  profile: { ...network.profile, ...profile },
})

export const desiredOf = (changes: Partial<Desired> = {}): Desired => ({
  source: 'broker',
  version: 1,
  sha256: 'cc',
  name: 'lobby',
  tested: [corp],
  enrollment: [onboarding],
  testEvery: 300,
  targets: [],
  held: [],
  ...changes,
})

export const clock: ClockReading = { trusted: true, source: 'system', system: 'right' }

export const actualOf = (changes: Partial<Actual> = {}, eth0: Partial<InterfaceState> = {}): Actual => ({
  confirmed: true,
  interfaces: { eth0: { name: 'eth0', supplicant: true, blocks: [], ...eth0 } },
  credentials: {},
  history: {},
  renewals: { requested: [], enrolments: [] },
  clock,
  ...changes,
})

export const queue = { interval: 3_600_000, strict: false, spread: 0, sensor: 's' }

export const certificateOf = (fingerprint: string): CertificateFacts => ({
  fingerprint,
  sha1: `sha1-of-${fingerprint}`,
  subject: 'CN=serial',
  issuer: 'CN=CA',
  serial: '01',
  names: [],
  notBefore: now - day,
  notAfter: now + 3 * day,
  key: 'RSA-2048',
})

export const issued = (
  fingerprint = 'f1',
  assignment = 'a1',
  validity: { notBefore: number; notAfter: number } = { notBefore: now - day, notAfter: now + 3 * day },
): CredentialState => ({
  assignment,
  current: {
    generation: `0001-${fingerprint}`,
    certificate: { ...certificateOf(fingerprint), ...validity },
  },
})

export const lease = { address: '10.0.0.2', prefix: 24, dns: [], obtainedAt: now }
