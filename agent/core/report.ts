/**
 * The whole reported state (docs/mqtt.md), made anew from what a lane has just seen.
 * Pure, and without anything secret: certificates, results and problems only.
 */
import type { Finding } from '../errors.ts'
import type {
  Actual,
  ClockReading,
  Desired,
  Health,
  Identity,
  Network,
  NetworkHistory,
  Notice,
} from '../types.ts'
import { credentialStatus } from './credential.ts'
import { iso, noticesOf, reportCertificate, reportRenewal } from './outlook.ts'
import type { ReportedCertificate, ReportedFailure, ReportedRenewal } from './outlook.ts'
import type { QueueSettings } from './renewal.ts'
import type { Step } from './step.ts'
import { networksOf } from './want.ts'

type Iso = string

export type Phase =
  | 'waiting'
  | 'suspended'
  | 'disabled'
  | 'removed'
  | 'expired'
  | 'enrolling'
  | 'renewing'
  | 'enrollment-due'
  | 'joining'
  | 'testing'
  | 'joined'
  | 'idle'
  | 'failing'

export interface ReportedNetwork {
  phase: Phase
  role: 'tested' | 'enrollment'
  alias?: string
  assignment?: string
  interface?: string
  why?: string
  certificate?: ReportedCertificate
  renewal?: ReportedRenewal
  /** What works and should not stay so. */
  notices?: Notice[]
  lastJoin?: { at: Iso; ms: number; stages: Record<string, number> }
  lastTest?: { at: Iso; passed: boolean; probes: NonNullable<NetworkHistory['lastTest']>['probes'] }
  problem?: ReportedFailure & { nextTry?: Iso }
}

export interface Reported {
  schema: 1
  at: Iso
  about: {
    sensor: string
    serial: string
    name: string
    model: string
    hostname: string
    macs: Record<string, string>
    version: string
    node: string
    startedAt: Iso
  }
  clock: ClockReading
  health?: Health
  interfaces: Record<
    string,
    { supplicant: boolean; problem?: Finding; joined?: string; address?: string; gateway?: string }
  >
  networks: Record<string, ReportedNetwork>
}

export interface ReportInput {
  desired: Desired
  actual: Actual
  running: Step[]
  identity: Identity
  version: string
  /** Version of Node.js. */
  node: string
  clock: ClockReading
  health: Health | undefined
  startedAt: number
  now: number
  queue: QueueSettings
}

export function report(input: ReportInput): Reported {
  const { desired, actual, identity, version } = input
  const tested = new Set(desired.tested.map(network => network.id))
  const networks = networksOf(desired).map((network): [string, ReportedNetwork] => [
    network.id,
    reportNetwork(network, tested.has(network.id) ? 'tested' : 'enrollment', input),
  ])
  const held = desired.held.map(({ id, assignment, state, why }): [string, ReportedNetwork] => [
    id,
    { phase: state, ...(assignment === '' ? { role: 'enrollment' } : { role: 'tested', assignment }), why },
  ])
  return {
    schema: 1,
    at: iso(input.now),
    about: {
      sensor: identity.sensor,
      serial: identity.serial,
      name: desired.name,
      model: identity.model,
      hostname: identity.hostname,
      macs: identity.macs,
      version,
      node: input.node,
      startedAt: iso(input.startedAt),
    },
    clock: input.clock,
    ...(input.health && { health: input.health }),
    interfaces: Object.fromEntries(
      Object.values(actual.interfaces).map(({ name, supplicant, problem, joined, lease }) => [
        name,
        {
          supplicant,
          ...(problem && { problem }),
          ...(joined && { joined: joined.network }),
          ...(lease && { address: lease.address }),
          ...(lease?.gateway !== undefined && { gateway: lease.gateway }),
        },
      ]),
    ),
    networks: Object.fromEntries([...networks, ...held]),
  }
}

function reportNetwork(network: Network, role: 'tested' | 'enrollment', input: ReportInput): ReportedNetwork {
  const { actual } = input
  const history = actual.history[network.id] ?? {}
  const certificate = actual.credentials[network.id]?.current?.certificate
  const { alias } = network.profile
  const renewal = reportRenewal(network, input)
  const notices = noticesOf(network, input)
  return {
    phase: phaseOf(network, role, history, input),
    role,
    ...(alias !== undefined && { alias }),
    ...(role === 'tested' && { assignment: network.assignment }),
    interface: network.interface,
    ...(certificate && { certificate: reportCertificate(certificate) }),
    ...(renewal && { renewal }),
    ...(notices.length > 0 && { notices }),
    ...reportHistory(history),
  }
}

function reportHistory(history: NetworkHistory): Pick<ReportedNetwork, 'lastJoin' | 'lastTest' | 'problem'> {
  const { lastJoin, lastTest, setback } = history
  return {
    ...(lastJoin && { lastJoin: { ...lastJoin, at: iso(lastJoin.at) } }),
    ...(lastTest && { lastTest: { at: iso(lastTest.at), passed: lastTest.passed, probes: lastTest.probes } }),
    ...(setback && {
      problem: {
        ...setback.finding,
        since: iso(setback.since),
        last: iso(setback.last),
        count: setback.count,
        ...(setback.until !== undefined && { nextTry: iso(setback.until) }),
      },
    }),
  }
}

function phaseOf(
  network: Network,
  role: 'tested' | 'enrollment',
  history: NetworkHistory,
  { actual, running, now }: ReportInput,
): Phase {
  if (!network.profile.enabled) return 'disabled'
  const step = running.find(candidate => candidate.network === network.id)
  if (step?.action === 'enroll') return 'enrolling'
  if (step?.action === 'renew' || step?.action === 'prove') return 'renewing'
  if (step?.action === 'test') return 'testing'
  if (step) return 'joining'
  if (history.setback) return 'failing'
  const status = credentialStatus(network, actual.credentials[network.id], now)
  if (status.kind === 'removed' || status.kind === 'expired') return status.kind
  if (role === 'tested' && (status.kind === 'absent' || status.kind === 'open')) return 'enrollment-due'
  const here = actual.interfaces[network.interface]
  return here?.joined?.network === network.id && here.lease ? 'joined' : 'idle'
}
