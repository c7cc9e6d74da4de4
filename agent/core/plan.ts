/**
 * Read the desired state, read the actual state, compute what is missing. Pure: `now` is an argument.
 * The loop of each interface does the first of its steps and looks again (design: docs/decisions.md).
 */
import type { Actual, Desired, InterfaceState, Network } from '../types.ts'
import { credentialStatus } from './credential.ts'
import { isHeldBack } from './setback.ts'
import type { Step } from './step.ts'
import { basisOf, enrollmentNetworkOf, findNetwork, networksOf, wantedRevision } from './want.ts'

export interface Plan {
  /** In order; empty when nothing is to be done before `wakeAt` or a change. */
  steps: Step[]
  /** When something becomes due by the passing of time alone. */
  wakeAt: number | undefined
}

export interface PlanOptions {
  /** The broker is reached over the tested interfaces: an idle interface joins what it can. */
  brokerOverTested: boolean
}

/** Something worth joining `over` for. Several may wait; the first that is not held back is worked on. */
interface Task {
  over: Network
  /** Of the block of `over`. */
  revision: string
  /** Whose setback holds it back, beside that of `over`. */
  network: Network
  work: Step | undefined
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
  const stale = uninstallStale(desired, actual, state, now)
  if (stale.length > 0) return { steps: stale, wakeAt: undefined }
  const wake = new Waking(now)
  const free = (task: Task): boolean =>
    [task.over, task.network].every(network => !heldBack(network, desired, actual, now, wake))
  const task =
    tasks(desired, actual, name, now, wake).find(free) ??
    idle(desired, actual, state, now, options).find(free)
  if (!task) return { steps: [], wakeAt: wake.at }
  const steps = reach(task, state)
  if (task.work) steps.push(task.work)
  return { steps, wakeAt: wake.at }
}

/** What belongs to no interface: credentials of networks that are no longer listed. */
export function planDevice(desired: Desired, actual: Actual): Step[] {
  if (!actual.confirmed || desired.source === 'none') return []
  const listed = new Set([...networksOf(desired), ...desired.held].map(network => network.id))
  return Object.keys(actual.credentials)
    .filter(network => !listed.has(network))
    .map(network => ({ action: 'forget', interface: '', network }))
}

/** The earliest moment after now that anybody named. */
class Waking {
  readonly now: number
  at: number | undefined
  constructor(now: number) {
    this.now = now
  }
  by(time: number | undefined): void {
    if (time !== undefined && time > this.now) this.at = Math.min(time, this.at ?? Infinity)
  }
}

function heldBack(network: Network, desired: Desired, actual: Actual, now: number, wake: Waking): boolean {
  const held = actual.history[network.id]?.setback
  const still = isHeldBack(held, basisOf(network, desired, actual), now)
  if (still) wake.by(held?.until)
  return still
}

/** Blocks of ours that nobody wants as they stand: network gone, moved, disabled, or changed. */
function uninstallStale(desired: Desired, actual: Actual, state: InterfaceState, now: number): Step[] {
  return state.blocks.flatMap(block => {
    const network = findNetwork(desired, block.network)
    const why = staleness(network, block.revision, actual, state.name, now)
    const { network: id, revision } = block
    return why ? [{ action: 'uninstall', interface: state.name, network: id, revision, why }] : []
  })
}

function staleness(
  network: Network | undefined,
  revision: string,
  actual: Actual,
  name: string,
  now: number,
): string | undefined {
  if (!network) return 'the network is no longer assigned'
  if (network.interface !== name) return 'the network belongs to another interface'
  if (!network.profile.enabled) return 'the network is disabled'
  const wanted = wantedRevision(network, actual, now)
  if (wanted === undefined) return 'the network has no certificate in force'
  return wanted === revision ? undefined : 'its settings or its certificate changed'
}

/** Enrolments come first: a sensor without a certificate tests nothing. */
function tasks(desired: Desired, actual: Actual, name: string, now: number, wake: Waking): Task[] {
  const enabled = desired.tested.filter(network => network.profile.enabled)
  return [
    ...enabled.flatMap(network => enrolment(network, desired, actual, name, now)),
    ...enabled.flatMap(network => test(network, desired, actual, name, now, wake)),
  ]
}

function enrolment(network: Network, desired: Desired, actual: Actual, name: string, now: number): Task[] {
  const status = credentialStatus(network, actual.credentials[network.id], now)
  if (status.kind !== 'absent' && status.kind !== 'open') return []
  const over = enrollmentNetworkOf(network, desired)
  const revision = over && wantedRevision(over, actual, now)
  if (over?.interface !== name || !over.profile.enabled || revision === undefined) return []
  return [
    {
      over,
      revision,
      network,
      work: { action: 'enroll', interface: name, network: network.id, over: over.id },
    },
  ]
}

function test(
  network: Network,
  desired: Desired,
  actual: Actual,
  name: string,
  now: number,
  wake: Waking,
): Task[] {
  const revision = wantedRevision(network, actual, now)
  if (network.interface !== name || revision === undefined) return []
  const last = actual.history[network.id]?.lastTest
  const due = last?.revision === revision ? last.at + desired.testEvery * 1000 : now
  wake.by(due)
  if (due > now) return []
  return [
    { over: network, revision, network, work: { action: 'test', interface: name, network: network.id } },
  ]
}

/** With nothing to do, stay on a tested network or go to one; where the broker hangs on it, any network will do. */
function idle(
  desired: Desired,
  actual: Actual,
  state: InterfaceState,
  now: number,
  options: PlanOptions,
): Task[] {
  const here = networksOf(desired).flatMap((network): Task[] => {
    const revision = wantedRevision(network, actual, now)
    if (network.interface !== state.name || !network.profile.enabled || revision === undefined) return []
    return [{ over: network, revision, network, work: undefined }]
  })
  const isJoined = (task: Task): boolean => task.over.id === state.joined?.network
  const tested = here.filter(task => desired.tested.includes(task.over))
  const rest = options.brokerOverTested ? here : here.filter(isJoined)
  return [...tested.filter(isJoined), ...tested, ...rest]
}

/** The steps from where the interface is to being joined to the task's network with a lease. */
function reach({ over, revision }: Task, state: InterfaceState): Step[] {
  const at = { interface: state.name, network: over.id }
  const lease: Step = { action: 'lease', ...at }
  if (state.joined?.network === over.id && state.joined.revision === revision)
    return state.lease ? [] : [lease]
  const installed = state.blocks.some(block => block.network === over.id && block.revision === revision)
  const steps: Step[] = installed ? [] : [{ action: 'install', ...at, revision }]
  return [...steps, { action: 'join', ...at, revision, why: state.joined ? 'its turn' : 'not joined' }, lease]
}
