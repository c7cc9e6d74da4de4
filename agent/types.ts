/**
 * The nouns everybody shares. Shapes only: no code, no imports but types.
 * Times are milliseconds since the epoch unless a name says otherwise; documents carry ISO 8601.
 */
import type { Finding } from './errors.ts'
import type { NetworkProfile } from './desired/profile.ts'
import type { Target } from './desired/sensor.ts'

/** One network profile as this sensor has to deal with it. */
export interface Network {
  id: string
  /** Made when the network was assigned; a changed one means fresh enrolment. '' for a network that only serves enrolment. */
  assignment: string
  /** The interface of this sensor it belongs to, e.g. `eth0`. */
  interface: string
  /** SHA-256 of the document as received, hex. */
  sha256: string
  profile: NetworkProfile
  /** The sensor's display name, where texts of the profile ask for it: with another one they say something else. */
  name?: string
}

/** What the operator wants of this sensor, parsed and merged; `source` says where the documents come from. */
export interface Desired {
  source: 'bootstrap' | 'cache' | 'broker' | 'none'
  version: number
  /** SHA-256 of the sensor document, hex; '' without one. */
  sha256: string
  /** The sensor's display name (S2-26). */
  name: string
  /** In the order of the sensor document; at most four (S2-75). */
  tested: Network[]
  /** Networks that serve enrolment and are not tested themselves (S2-76). */
  enrollment: Network[]
  /** Seconds between two tests of a network. */
  testEvery: number
  /** What a test tries to reach, beside what every test does. */
  targets: Target[]
  /** Listed networks that cannot be acted on, with why; their credentials are kept. `assignment` is '' for an enrollment network. */
  held: { id: string; assignment: string; state: 'waiting' | 'suspended'; why: string }[]
}

/** What the sensor knows of itself: once at start, from systeminformation and the settings. */
export interface Identity {
  /** MQTT client id and topic level. */
  sensor: string
  serial: string
  model: string
  hostname: string
  fqdn: string
  /** Permanent MAC per interface, lower case with colons. */
  macs: Record<string, string>
}

/** A certificate as documents show it: nothing secret, everything an operator asks about. */
export interface CertificateFacts {
  /** SHA-256 of the DER, hex without colons. */
  fingerprint: string
  /** SHA-1 of it, as many servers and their pages still show it. */
  sha1: string
  subject: string
  issuer: string
  serial: string
  names: string[]
  notBefore: number
  notAfter: number
  key: string
}

/** A certificate whose expiry is watched beside our own: what an authentication or a renewal depends on. */
export interface Authority {
  /** `server`: the RADIUS server's own certificate. */
  role: 'root' | 'ca' | 'ra' | 'server'
  fingerprint: string
  subject: string
  notBefore: number
  notAfter: number
}

/** What works and should not stay so. */
export interface Notice {
  /** Stable, e.g. `weak-digest`. */
  code: string
  severity: 'info' | 'warning' | 'error'
  /** One sentence. */
  text: string
}

/** What is on disk for one credential; read anew before every plan. */
export interface CredentialState {
  /** The assignment it was made for. */
  assignment: string
  /** Generation in force; `role`: as which it was issued. */
  current?: { generation: string; certificate: CertificateFacts; role?: 'current' | 'candidate' }
  /** Issued as its replacement, not yet proved by a login; the one in force stays in force until then. */
  candidate?: { generation: string; certificate: CertificateFacts; role?: 'current' | 'candidate' }
  /** CAs and RAs behind the one in force. */
  authorities?: Authority[]
  /** The CA that takes over, where it was announced: digest of its certificates. */
  next?: string
  /** Files of the generation in force that cannot be read: it counts as not there. */
  damaged?: string[]
  /** A request that is prepared and may have left: same key, CSR and transactionID until it ends. */
  open?: { transactionId: string; preparedAt: number; pending: boolean }
  /** A person removed it: not enrolled again until asked, or until the network is removed and added. */
  removed?: { at: number }
}

/** A network block of ours in the supplicant, read back from its `id_str`. */
export interface InstalledBlock {
  path: string
  network: string
  /** First 12 hex digits of the SHA-256 of everything the block was made of. */
  revision: string
}

export interface JoinedNetwork {
  network: string
  revision: string
  at: number
}

export interface LeaseFacts {
  address: string
  prefix: number
  gateway?: string
  dns: string[]
  obtainedAt: number
}

/** What is true of one interface now. */
export interface InterfaceState {
  name: string
  /** wpa_supplicant is on the bus and has this interface. */
  supplicant: boolean
  /** Why it has not. */
  problem?: Finding
  blocks: InstalledBlock[]
  joined?: JoinedNetwork
  lease?: LeaseFacts
}

/** How often and when something failed, and until when it is left alone. */
export interface Setback {
  /** The step that failed; only its success ends the setback. */
  action: string
  finding: Finding
  /** When this finding was first seen without another outcome in between. */
  since: number
  last: number
  count: number
  /** No new try before this time, unless `basis` changes; undefined = only a change ends it. */
  until: number | undefined
  /** What the failed try was based on: a changed document is a changed basis. */
  basis: string
}

export interface TestResult {
  at: number
  passed: boolean
  probes: { probe: string; passed: boolean; ms: number; detail: string }[]
}

/** How the proof of a candidate ended: a login with it that failed. */
export interface FailedProof {
  generation: string
  at: number
  finding: Finding
  /** The certificate in force has worked since, so the candidate is at fault. Until then nothing is judged. */
  judged: boolean
}

/** A renewal that failed. It holds nothing back but the next renewal, which the queue decides. */
export interface FailedRenewal {
  finding: Finding
  since: number
  last: number
  count: number
  basis: string
}

/** The renewal queue: on disk, so that a restart does not shorten the pace. */
export interface RenewalQueue {
  /** When the last attempt of this sensor began. */
  lastAttempt?: number
  /** Networks whose renewal does not wait: a person asked, or the password was changed after a refusal. */
  requested: string[]
  /** Networks for which a person asked for a certificate afresh. */
  enrolments: string[]
}

/** What is remembered of a network between steps (in memory; never decides what is true on disk or in the supplicant). */
export interface NetworkHistory {
  setback?: Setback
  lastJoin?: { at: number; ms: number; stages: Record<string, number> }
  /** `targets`: what was tried beside what every test does, as JSON. */
  lastTest?: TestResult & { revision: string; targets?: string }
  /** Of the last lease. */
  gateway?: string
  /** `problem` when it failed. */
  lastAction?: { action: string; at: number; problem?: Finding }
  failedProof?: FailedProof
  /** The last expiry warning that was said, by the certificate's fingerprint. */
  warned?: Record<string, number>
  /** The certificate of the RADIUS server at the last login. */
  server?: Authority
  /** CAs and RAs as the SCEP server showed them last, later than those of the transaction. */
  ca?: { at: number; authorities: Authority[] }
  /** The last look at the CRL of the certificate in force, and at the CA. */
  inspected?: { fingerprint: string; at: number }
  /** By who noticed them last: each look replaces what the one before found. */
  notices?: Record<string, Notice[]>
  failedRenewal?: FailedRenewal
}

export interface Actual {
  /** The desired state in force has been reported to the broker: what it no longer lists may be deleted (S2-70). */
  confirmed: boolean
  interfaces: Record<string, InterfaceState>
  credentials: Record<string, CredentialState>
  history: Record<string, NetworkHistory>
  renewals: RenewalQueue
  clock: ClockReading
}

export type ClockSource = 'build' | 'saved' | 'certificate' | 'system' | 'settings' | 'sntp'

/** What is known of the time: trusted, or a lower bound from `source`. */
export interface ClockReading {
  trusted: boolean
  source: ClockSource
  /** The system clock, by which wpa_supplicant judges dates: right within a minute, or known to be wrong. */
  system: 'right' | 'wrong' | 'unknown'
  /** Milliseconds by which it is later by the HTTP Date of a SCEP server, which nobody vouches for: it may make a renewal due, and no more. */
  scepDateAhead?: number
}

/** How the device itself is doing. */
export interface Health {
  /** Degrees Celsius of the processor; absent where there is no sensor. */
  temperature?: number
  /** Mean number of runnable processes over the last 15 minutes, to a tenth. */
  load: number
  /** Megabytes, to the next ten. */
  memoryAvailable: number
  diskAvailable: number
  /** Seconds since the device was started; alone it is no change to be told. */
  uptime: number
}

/** A line of the timeline: `<prefix>/sensors/<sensor>/events`. */
export interface TimelineEvent {
  at: number
  /** e.g. `step-started`, `step-done`, `step-failed`, `certificate-issued`, `joined`, `lost`. */
  event: string
  network?: string
  interface?: string
  severity: 'debug' | 'info' | 'warning' | 'error'
  /** One sentence for a person. */
  text: string
  /** Facts of the event; never a secret. */
  data?: Record<string, unknown>
}
