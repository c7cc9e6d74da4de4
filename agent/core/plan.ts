/**
 * Read the desired state, read the actual state, compute what is missing. Pure: `now` is an argument.
 * The loop of each interface does the first of its steps and looks again (design: docs/decisions.md).
 */
import type { Actual, CredentialState, Desired, InterfaceState, Network } from '../types.ts'
import { credentialStatus } from './credential.ts'
import {
  awaitsProof,
  candidateOf,
  failedProofOf,
  inspectEvery,
  nextRenewal,
  renewalPath,
  type QueueSettings,
} from './renewal.ts'
import { isHeldBack } from './setback.ts'
import type { Step } from './step.ts'
import { Waking } from './waking.ts'
import {
  basisOf,
  datesBy,
  enrollmentNetworkOf,
  findNetwork,
  networksOf,
  revisionOf,
  wantedRevision,
} from './want.ts'

export interface Plan {
  /** In order; empty when nothing is to be done before `wakeAt` or a change. */
  steps: Step[]
  /** When something becomes due by the passing of time alone. */
  wakeAt: number | undefined
}

export interface PlanOptions {
  /** The broker is reached over the tested interfaces: an idle interface joins what it can. */
  brokerOverTested: boolean
  queue: QueueSettings
}

/** Something worth doing. Several may wait; the first whose networks are not held back is worked on. */
interface Task {
  /** Whose setbacks hold it back. */
  networks: Network[]
  steps: Step[]
}

/** What one interface has to do. */
export function planInterface(
  desired: Desired,
  actual: Actual,
  name: string,
  now: number,
  options: PlanOptions,
): Plan {
  const state = actual.interfaces[name]
  if (!state?.supplicant) return { steps: [], wakeAt: undefined }
  const view: View = { desired, actual, state, now, options, wake: new Waking(now) }
  const stale = uninstallStale(view)
  if (stale.length > 0) return { steps: stale, wakeAt: undefined }
  const free = (task: Task): boolean => task.networks.every(network => !heldBack(network, task, view))
  const task = tasks(view).find(free) ?? idle(view).find(free)
  return { steps: task?.steps ?? [], wakeAt: view.wake.at }
}

/** Everything the plan of one interface looks at. */
interface View {
  desired: Desired
  actual: Actual
  state: InterfaceState
  now: number
  options: PlanOptions
  wake: Waking
}

/** A refused enrolment holds back the next one, not the use of a certificate that is in force. */
function heldBack(network: Network, { steps }: Task, { desired, actual, now, wake }: View): boolean {
  const held = actual.history[network.id]?.setback
  if (!held || (held.action === 'enroll' && !steps.some(step => step.action === 'enroll'))) return false
  const still = isHeldBack(held, basisOf(network, desired, actual), now)
  if (still) wake.by(held.until)
  return still
}

/** Blocks of ours that nobody wants as they stand: network gone, moved, disabled, or changed. */
function uninstallStale(view: View): Step[] {
  return view.state.blocks.flatMap(block => {
    const { network, revision } = block
    const wanted = findNetwork(view.desired, network)
    const why = staleness(wanted, revision, view)
    if (why === undefined) return []
    const step = { action: 'uninstall', interface: view.state.name, network, revision, why } as const
    return why === changed && wanted && isAuthenticatedAnew(wanted) ? [{ ...step, anew: true }] : [step]
  })
}

const changed = 'its settings or its certificate changed'

/**
 * An EAPOL-Logoff would have some authenticators (hostapd) forget the sensor 10 ms later, in the middle of the login that follows, and
 * ignore it for 5 s. Without one the login closes the port if it fails; but there has to be one.
 */
const isAuthenticatedAnew = ({ profile: { wireless, eap } }: Network): boolean =>
  wireless === undefined && eap !== undefined

function staleness(
  network: Network | undefined,
  revision: string,
  { actual, state, now }: View,
): string | undefined {
  if (!network) return 'the network is no longer assigned'
  if (network.interface !== state.name) return 'the network belongs to another interface'
  if (!network.profile.enabled) return 'the network is disabled'
  const wanted = wantedRevision(network, actual, now)
  if (wanted === undefined) {
    // A removed certificate ends with its session: the next login fails, the open one stays (S1-16).
    const removed = actual.credentials[network.id]?.removed !== undefined
    const inUse = state.joined?.network === network.id && state.joined.revision === revision
    return removed && inUse ? undefined : 'the network has no certificate in force'
  }
  const candidate = actual.credentials[network.id]?.candidate
  if (candidate && candidateRevision(network, candidate, actual) === revision) return undefined
  return wanted === revision ? undefined : changed
}

/** Enrolments come first: a sensor without a certificate tests nothing. */
function tasks(view: View): Task[] {
  const { tested } = view.desired
  const enabled = tested.filter(network => network.profile.enabled)
  return [
    ...tested.flatMap(network => enrolment(network, view)),
    ...enabled.flatMap(network => proof(network, view)),
    ...renewal(view),
    ...enabled.flatMap(network => test(network, view)),
    ...enabled.flatMap(network => inspection(network, view)),
  ]
}

function enrolment(network: Network, view: View): Task[] {
  const { desired, actual, state, now } = view
  const status = credentialStatus(network, actual.credentials[network.id], now)
  const asked = status.kind !== 'not-needed' && actual.renewals.enrolments.includes(network.id)
  const missing = status.kind === 'absent' || status.kind === 'open'
  const again = status.kind === 'expired' && network.profile.scep?.ladder?.reenrollAfterExpiry === true
  // S1-03: getting a certificate and using it are two things; for a disabled network it is done on request alone.
  if (!asked && !((missing || again) && network.profile.enabled)) return []
  const over = enrollmentNetworkOf(network, desired)
  const steps = over && reach(over, view)
  if (!over || !steps) return []
  const enroll: Step = { action: 'enroll', interface: state.name, network: network.id, over: over.id }
  return [{ networks: [over, network], steps: [...steps, enroll] }]
}

/**
 * A candidate is tried as soon as it is there. When it failed, the certificate in force is tried next: where that works the
 * candidate is at fault and tried again at the pace of the queue; where it fails too nothing is judged, and both are tried
 * in turn (the old one may have been revoked on issue of the new one).
 */
function proof(network: Network, view: View): Task[] {
  const { actual, state, now } = view
  const candidate = candidateOf(network, actual, now)
  if (network.interface !== state.name || !candidate) return []
  const failed = failedProofOf(network, actual)
  if (failed?.judged) return []
  const next = failed && !triedSince(network, failed.at, actual) ? reach(network, view) : undefined
  const steps = next ?? prove(network, candidate, view)
  return steps.length > 0 ? [{ networks: [network], steps }] : []
}

/** The certificate in force was tried after `at` and failed too. */
function triedSince(network: Network, at: number, actual: Actual): boolean {
  const held = actual.history[network.id]?.setback
  return held?.action === 'join' && held.last >= at
}

type Candidate = NonNullable<CredentialState['candidate']>

function candidateRevision(network: Network, { certificate }: Candidate, actual: Actual): string {
  const next = actual.credentials[network.id]?.next
  return revisionOf(network, certificate.fingerprint, datesBy(network, actual.clock), next)
}

function prove(network: Network, candidate: Candidate, { actual, state }: View): Step[] {
  const { generation } = candidate
  const revision = candidateRevision(network, candidate, actual)
  const at = { interface: state.name, network: network.id, revision }
  const installed = state.blocks.some(block => block.revision === revision)
  const install: Step[] = installed ? [] : [{ action: 'install', ...at }]
  return [...install, { action: 'prove', ...at, generation }]
}

function renewal(view: View): Task[] {
  const { desired, actual, now, options, wake } = view
  const next = nextRenewal(desired, actual, now, options.queue)
  if (!next) return []
  const { network, at, overtakes, nearest } = next
  wake.by(nearest)
  if (awaitsProof(network, actual, now)) return []
  const candidate = candidateOf(network, actual, now)
  wake.by(at)
  if (at > now) return []
  const asked = actual.renewals.requested.includes(network.id)
  if (candidate && !asked)
    return network.interface === view.state.name
      ? [{ networks: [network], steps: prove(network, candidate, view) }]
      : []
  const { over, from } = renewalPath(network, desired, actual, now)
  wake.by(from)
  const steps = reach(over, view)
  if (!steps) return []
  const step = { action: 'renew' as const, interface: view.state.name, network: network.id, over: over.id }
  const networks = over.id === network.id ? [network] : [over]
  return [{ networks, steps: [...steps, overtakes === undefined ? step : { ...step, overtakes }] }]
}

function test(network: Network, view: View): Task[] {
  const { desired, actual, now, wake } = view
  const steps = reach(network, view)
  if (!steps) return []
  const last = actual.history[network.id]?.lastTest
  const same = (last?.targets ?? '[]') === JSON.stringify(desired.targets)
  const current = same && last?.revision === wantedRevision(network, actual, now)
  // After a clock that was corrected backwards the last test lies in the future.
  const due = last && current && last.at <= now ? last.at + desired.testEvery * 1000 : now
  wake.by(due)
  if (due > now) return []
  const work: Step = { action: 'test', interface: view.state.name, network: network.id }
  return [{ networks: [network], steps: [...steps, work] }]
}

/** Once a day, or ten times in a shorter life, while the network is joined anyway: no login for the sake of a CRL. */
function inspection(network: Network, { actual, state, now, wake }: View): Task[] {
  const certificate = actual.credentials[network.id]?.current?.certificate
  if (!certificate || now > certificate.notAfter) return []
  if (state.joined?.network !== network.id || !state.lease) return []
  const { fingerprint } = certificate
  const last = actual.history[network.id]?.inspected
  const fresh = last?.fingerprint === fingerprint && last.at <= now ? last.at : undefined
  const due = fresh === undefined ? now : fresh + inspectEvery(certificate)
  wake.by(due)
  if (due > now) return []
  return [
    {
      networks: [network],
      steps: [{ action: 'inspect', interface: state.name, network: network.id, fingerprint }],
    },
  ]
}

/** With nothing to do, stay on a tested network or go to one; where the broker hangs on it, any network will do. */
function idle(view: View): Task[] {
  const { desired, state, options } = view
  const here = networksOf(desired).flatMap((network): Task[] => {
    const steps = reach(network, view)
    return steps ? [{ networks: [network], steps }] : []
  })
  const isJoined = (task: Task): boolean => task.networks[0]?.id === state.joined?.network
  const tested = here.filter(task => desired.tested.some(network => task.networks.includes(network)))
  const rest = options.brokerOverTested ? here : here.filter(isJoined)
  return [...tested.filter(isJoined), ...tested, ...rest]
}

/** The steps from where the interface is to being joined to the network with a lease; undefined where it cannot be joined. */
function reach(network: Network, { actual, state, now }: View): Step[] | undefined {
  const revision = wantedRevision(network, actual, now)
  if (network.interface !== state.name || !network.profile.enabled || revision === undefined) return undefined
  const at = { interface: state.name, network: network.id }
  const lease: Step = { action: 'lease', ...at }
  if (state.joined?.network === network.id && state.joined.revision === revision)
    return state.lease ? [] : [lease]
  const installed = state.blocks.some(block => block.network === network.id && block.revision === revision)
  const steps: Step[] = installed ? [] : [{ action: 'install', ...at, revision }]
  return [...steps, { action: 'join', ...at, revision, why: state.joined ? 'its turn' : 'not joined' }, lease]
}
