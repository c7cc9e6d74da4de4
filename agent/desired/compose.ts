/**
 * From the documents known to the state in force. Pure: knowledge in, composition out.
 *
 * INVARIANTS
 * - Only a sensor document decides which networks a sensor tests; a missing or emptied profile removes nothing.
 * - A composition is complete: every listed network and every enrollment network it needs has a profile.
 * - A document that cannot be used changes nothing: the composition in force is computed from the last ones that can.
 */
import { sha256, type Parsed } from './parse.ts'
import type { NetworkProfile } from './profile.ts'
import type { SensorDocument } from './sensor.ts'

export type Origin = 'bootstrap' | 'cache' | 'broker'

export interface Kept<T> extends Parsed<T> {
  from: Origin
}

/** What is known of one network's topic. `emptied`: the retained document was taken away; the profile stays. */
export interface KnownNetwork {
  latest: Kept<NetworkProfile>
  emptied: boolean
}

/** A complete state: a sensor document with the profiles it needs. */
export interface Composition {
  /** SHA-256 over the documents and what is suspended: the identity a quarantine goes by. */
  id: string
  sensor: Kept<SensorDocument>
  networks: ReadonlyMap<string, Kept<NetworkProfile>>
  /** Networks whose profile was emptied. */
  suspended: readonly string[]
}

export interface Awaited {
  /** The network whose profile is missing. */
  network: string
  /** What needs it: a network id, or undefined for the sensor document itself. */
  neededBy?: string
  why: string
}

export interface Documents {
  /** The newest acceptable sensor document, whether it could be applied yet or not. */
  sensor?: Kept<SensorDocument>
  networks: ReadonlyMap<string, KnownNetwork>
}

export interface Composed {
  composition?: Composition
  /** What the newest sensor document, or a newer profile, still waits for. */
  awaited: Awaited[]
}

/** The newest complete state of what is known; `inForce` supplies what newer documents cannot. */
export function compose(documents: Documents, inForce: Composition | undefined): Composed {
  if (documents.sensor === undefined)
    return inForce === undefined ? { awaited: [] } : { composition: inForce, awaited: [] }
  const newest = complete(documents.sensor, documents.networks, inForce)
  if (newest.composition !== undefined || inForce === undefined) return newest
  const current = complete(inForce.sensor, documents.networks, inForce)
  return { composition: current.composition ?? inForce, awaited: newest.awaited }
}

function complete(
  sensor: Kept<SensorDocument>,
  known: ReadonlyMap<string, KnownNetwork>,
  inForce: Composition | undefined,
): Composed {
  const networks = new Map<string, Kept<NetworkProfile>>()
  const awaited: Awaited[] = []
  let whole = true
  for (const { network } of sensor.value.networks) {
    const usable = choose(network, known, inForce, awaited)
    if (usable === undefined) {
      whole = false
      continue
    }
    networks.set(network, usable.profile)
    if (usable.enrollment !== undefined) networks.set(...usable.enrollment)
  }
  if (!whole) return { awaited }
  const suspended = [...networks.keys()].filter(id => known.get(id)?.emptied === true).sort()
  return { composition: composition(sensor, networks, suspended), awaited }
}

export const composition = (
  sensor: Kept<SensorDocument>,
  networks: ReadonlyMap<string, Kept<NetworkProfile>>,
  suspended: readonly string[],
): Composition => ({ id: identity(sensor, networks, suspended), sensor, networks, suspended })

interface Usable {
  profile: Kept<NetworkProfile>
  enrollment?: [string, Kept<NetworkProfile>]
}

/** The newest profile of a network that can be used, with its enrollment network (S2-06); says what a newer one waits for. */
function choose(
  id: string,
  known: ReadonlyMap<string, KnownNetwork>,
  inForce: Composition | undefined,
  awaited: Awaited[],
): Usable | undefined {
  const latest = known.get(id)?.latest
  if (latest === undefined && !inForce?.networks.has(id)) {
    awaited.push({ network: id, why: 'no profile has been published for it' })
  }
  for (const profile of [latest, inForce?.networks.get(id)]) {
    if (profile === undefined) continue
    const over = profile.value.scep?.enrollmentNetwork
    if (over === undefined) return { profile }
    const enrollment = known.get(over)?.latest ?? inForce?.networks.get(over)
    if (enrollment !== undefined && enrollment.value.scep === undefined) {
      return { profile, enrollment: [over, enrollment] }
    }
    awaited.push({
      network: over,
      neededBy: id,
      why:
        enrollment === undefined
          ? 'it is the enrollment network, and no profile has been published for it'
          : 'it is the enrollment network, and itself needs a certificate',
    })
  }
  return undefined
}

function identity(
  sensor: Kept<SensorDocument>,
  networks: ReadonlyMap<string, Kept<NetworkProfile>>,
  suspended: readonly string[],
): string {
  const hashes = [...networks].map(([id, { sha256 }]) => `${id} ${sha256}`).sort()
  return sha256([sensor.sha256, ...hashes, ...suspended].join('\n'))
}

/** Networks whose topics have to be subscribed: the listed ones and all that any of their profiles enrols over. */
export function subscriptionsOf(
  documents: Documents,
  ...compositions: (Composition | undefined)[]
): string[] {
  const ids = new Set<string>()
  for (const sensor of [documents.sensor, ...compositions.map(c => c?.sensor)]) {
    for (const { network } of sensor?.value.networks ?? []) ids.add(network)
  }
  for (const id of [...ids]) {
    const profiles = [documents.networks.get(id)?.latest, ...compositions.map(c => c?.networks.get(id))]
    for (const profile of profiles) {
      const over = profile?.value.scep?.enrollmentNetwork
      if (over !== undefined) ids.add(over)
    }
  }
  return [...ids].sort()
}

/** Why a sensor document is not taken up, or undefined when it is newer than what is known. */
export function staleness(
  offered: SensorDocument,
  known: Kept<SensorDocument> | undefined,
): string | undefined {
  if (known === undefined || known.from === 'bootstrap') return undefined
  const { version, epoch } = known.value
  const applied = `version ${version}${epoch === 0 ? '' : ` of epoch ${epoch}`}`
  if (offered.epoch !== epoch) {
    return offered.epoch > epoch
      ? undefined
      : `epoch ${offered.epoch} is lower than that of the document in force, ${applied}`
  }
  if (offered.version < version)
    return `version ${offered.version} is lower than the one in force, ${applied}`
  if (offered.version > version || JSON.stringify(offered) === JSON.stringify(known.value)) return undefined
  return `version ${version} was already used for a different document`
}
