/** What the rest of the agent sees of a composition. Pure. */
import type { Desired, Network } from '../types.ts'
import type { Awaited, Composition } from './compose.ts'
import type { TopicProblem } from './problems.ts'
import type { Phase } from './trial.ts'
import type { NetworkProfile } from './profile.ts'

/** An interface of this sensor that networks may be joined with, in the order of the settings. */
export interface SensorInterface {
  name: string
  kind: 'wired' | 'wireless'
}

/** Nothing known yet. */
export const nothingDesired = (name: string): Desired => ({
  source: 'none',
  version: 0,
  sha256: '',
  name,
  tested: [],
  enrollment: [],
  testEvery: 300,
  targets: [],
  held: [],
})

/** The desired state of one composition on this sensor; `name` is the display name where the document says none. */
export function desiredOf(
  composition: Composition,
  interfaces: readonly SensorInterface[],
  name: string,
): Desired {
  const { sensor, networks } = composition
  const named = sensor.value.name ?? name
  const assignments = new Map(sensor.value.networks.map(({ network, assignment }) => [network, assignment]))
  const held: Desired['held'] = []
  const take = (id: string, assignment: string): Network[] => {
    const kept = networks.get(id)
    if (kept === undefined) return []
    const found = interfaceFor(kept.value, interfaces)
    if (composition.suspended.includes(id)) {
      held.push({ id, assignment, state: 'suspended', why: 'its profile was taken away' })
    } else if ('why' in found) {
      held.push({ id, assignment, state: 'waiting', why: found.why })
    } else {
      const { sha256, value: profile } = kept
      return [{ id, assignment, interface: found.name, sha256, profile, ...askedName(profile, named) }]
    }
    return []
  }
  const tested = [...assignments].flatMap(([id, assignment]) => take(id, assignment))
  const serving = [...networks.keys()].filter(id => !assignments.has(id))
  return {
    source: sensor.from,
    version: sensor.value.version,
    sha256: sensor.sha256,
    name: named,
    tested,
    enrollment: serving.flatMap(id => take(id, '')),
    testEvery: sensor.value.testEvery,
    targets: sensor.value.targets,
    held,
  }
}

/** The name for a network whose texts ask for `{name}` (S2-26); for any other it is a name and no more. */
export const askedName = (profile: NetworkProfile, name: string): Pick<Network, 'name'> =>
  JSON.stringify(profile).includes('{name}') ? { name } : {}

/** The first interface of the kind a profile asks for, or the one it names. */
export function interfaceFor(
  profile: NetworkProfile,
  interfaces: readonly SensorInterface[],
): { name: string } | { why: string } {
  const wanted = profile.interface
  const found = interfaces.find(({ name, kind }) => name === wanted || kind === wanted)
  if (found === undefined) {
    const isKind = wanted === 'wired' || wanted === 'wireless'
    return {
      why: isKind ? `this sensor has no ${wanted} interface` : `this sensor has no interface ${wanted}`,
    }
  }
  if ((found.kind === 'wireless') !== (profile.wireless !== undefined)) {
    return {
      why: `the profile is ${profile.wireless ? 'wireless' : 'wired'} and ${found.name} is ${found.kind}`,
    }
  }
  return { name: found.name }
}

/** `reported.applied`: the documents the state in force is made of. */
export interface Applied {
  /** Identity of the state: the hash a quarantine goes by. '' without one. */
  state: string
  desired?: { version: number; epoch: number; sha256: string }
  networks: Record<string, string>
}

export interface DesiredView {
  desired: Desired
  problems: TopicProblem[]
  awaited: Awaited[]
  /** Networks whose topics have to be subscribed. */
  subscriptions: string[]
  applied: Applied
  /** The state in quarantine, after a revert. */
  rejected?: Applied
  phase: Phase
  /** The broker was reached with the state in force: what it no longer lists may be deleted. */
  confirmed: boolean
}

export function appliedOf(composition: Composition | undefined): Applied {
  if (composition === undefined) return { state: '', networks: {} }
  const { id, sensor, networks } = composition
  const { version, epoch } = sensor.value
  return {
    state: id,
    desired: { version, epoch, sha256: sensor.sha256 },
    networks: Object.fromEntries([...networks].map(([id, profile]) => [id, profile.sha256])),
  }
}
