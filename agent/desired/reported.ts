/**
 * The reported state: `<prefix>/sensors/<sensor>/reported`, retained, everything an operator asks about (docs/mqtt.md).
 * One source for the type and config/schema/reported.json. A reader ignores keys it does not know.
 */
import * as z from 'zod/mini'
import { Finding } from './messages.ts'

/** ISO 8601 in UTC. */
const Time = z.iso.datetime()
const Sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/))

/** The documents a state is made of. `state` is '' before the first. */
export const Applied = z.object({
  state: z.string(),
  desired: z.optional(z.object({ version: z.int(), epoch: z.int(), sha256: Sha256 })),
  networks: z.record(z.string(), Sha256),
})

const ReportedProblem = z.object({
  ...Finding.shape,
  since: Time,
  last: Time,
  count: z.int(),
  nextTry: z.optional(Time),
})

export const ReportedCertificate = z.object({
  /** SHA-256 of the DER, hex. */
  fingerprint: z.string(),
  /** SHA-1 of it. */
  sha1: z.string(),
  subject: z.string(),
  issuer: z.string(),
  serial: z.string(),
  names: z.array(z.string()),
  key: z.string(),
  notBefore: Time,
  notAfter: Time,
})

const ReportedNotice = z.object({
  /** Stable, e.g. `weak-digest`. */
  code: z.string(),
  severity: z.enum(['info', 'warning', 'error']),
  text: z.string(),
})

export const ReportedRenewal = z.object({
  rule: z.string(),
  /** S1-28, days. */
  refusedRule: z.optional(z.object({ asked: z.number(), validity: z.number() })),
  due: z.optional(Time),
  next: z.optional(Time),
  forecast: z.string(),
  lastFailure: z.optional(z.object({ ...Finding.shape, since: Time, last: Time, count: z.int() })),
  candidate: z.optional(
    z.object({
      ...ReportedCertificate.shape,
      proof: z.enum(['outstanding', 'refused', 'undecided']),
      problem: z.optional(Finding),
    }),
  ),
})

export const ReportedNetwork = z.object({
  phase: z.enum([
    'waiting',
    'suspended',
    'disabled',
    'removed',
    'expired',
    'enrolling',
    'renewing',
    'enrollment-due',
    'joining',
    'testing',
    'joined',
    'idle',
    'failing',
  ]),
  role: z.enum(['tested', 'enrollment']),
  alias: z.optional(z.string()),
  assignment: z.optional(z.string()),
  interface: z.optional(z.string()),
  /** Of a network that is waiting or suspended. */
  why: z.optional(z.string()),
  certificate: z.optional(ReportedCertificate),
  renewal: z.optional(ReportedRenewal),
  notices: z.optional(z.array(ReportedNotice)),
  /** ms of the whole join and of its stages. */
  lastJoin: z.optional(z.object({ at: Time, ms: z.number(), stages: z.record(z.string(), z.number()) })),
  lastTest: z.optional(
    z.object({
      at: Time,
      passed: z.boolean(),
      probes: z.array(
        z.object({ probe: z.string(), passed: z.boolean(), ms: z.number(), detail: z.string() }),
      ),
    }),
  ),
  problem: z.optional(ReportedProblem),
})

export const Reported = z.object({
  schema: z.literal(1),
  at: Time,
  /** S2-61. */
  about: z.object({
    sensor: z.string(),
    serial: z.string(),
    name: z.string(),
    model: z.string(),
    hostname: z.string(),
    /** Permanent address by interface. */
    macs: z.record(z.string(), z.string()),
    version: z.string(),
    node: z.string(),
    startedAt: Time,
  }),
  /** Whether the time is known, and who vouches for it (S1-27). */
  clock: z.object({
    trusted: z.boolean(),
    source: z.enum(['build', 'saved', 'certificate', 'system', 'settings', 'sntp']),
    system: z.enum(['right', 'wrong', 'unknown']),
    scepDateAhead: z.optional(z.number()),
  }),
  /** How the device is doing, every five minutes; absent until first looked at. */
  health: z.optional(
    z.object({
      temperature: z.optional(z.number()),
      load: z.number(),
      memoryAvailable: z.number(),
      diskAvailable: z.number(),
      uptime: z.number(),
    }),
  ),
  interfaces: z.record(
    z.string(),
    z.object({
      supplicant: z.boolean(),
      problem: z.optional(Finding),
      joined: z.optional(z.string()),
      address: z.optional(z.string()),
      gateway: z.optional(z.string()),
    }),
  ),
  networks: z.record(z.string(), ReportedNetwork),
  /** What is wrong between the sensor and its broker although it is reached: a cloned card, rights that are missing. */
  link: z.optional(
    z.object({ problem: z.object({ ...Finding.shape, since: Time, last: Time, count: z.int() }) }),
  ),
  /** Versions of documents this sensor reads. */
  schemas: z.object({ network: z.array(z.int()), sensor: z.array(z.int()) }),
  /** The documents in force. */
  applied: Applied,
  /** Everything wrong with documents that were refused; they changed nothing. */
  problems: z.array(
    z.object({ topic: z.string(), path: z.string(), message: z.string(), hint: z.optional(z.string()) }),
  ),
  /** Networks without which a newer document cannot be applied. */
  awaiting: z.array(z.object({ network: z.string(), neededBy: z.optional(z.string()), why: z.string() })),
  /** In quarantine after a revert, until a different document comes. */
  rejected: z.optional(Applied),
})

export type Reported = z.infer<typeof Reported>
export type ReportedNetwork = z.infer<typeof ReportedNetwork>
