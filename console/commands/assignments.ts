/** assign, unassign: what a sensor tests. */
import { randomBytes } from 'node:crypto'
import { parseSensorDocument, sha256 } from '../../agent/desired/parse.ts'
import { mostTestedNetworks, type SensorDocument } from '../../agent/desired/sensor.ts'
import { isId } from '../../agent/desired/topics.ts'
import { chosen, idsAre } from '../choose.ts'
import { text, type Context, type Run } from '../context.ts'
import { Failure, usage } from '../failure.ts'
import { Fleet, type FleetSensor } from '../fleet.ts'
import { lacks, Others, standing, type Manner } from '../others.ts'
import { grant, networksOf, readBy, type Grant } from '../rights.ts'
import { conclude, follow, objections } from '../rollout.ts'
import { targetsOf } from '../targets.ts'
import { enrolsOver } from './networks.ts'

interface Document {
  schema: 1
  version: number
  epoch?: number
  networks: { network: string; assignment: string }[]
  [more: string]: unknown
}

/** `assign SENSOR NETWORK…`, or `assign --sensors A,B* NETWORK…`; `--name`, `--test-every`, `--target`, `--new-epoch`. */
export const assign: Run = context =>
  change(context, (listed, words) => [...listed, ...words.filter(id => !listed.includes(id))])

/** Of many sensors, those that test one of the networks. */
export const unassign: Run = context =>
  change(context, (listed, words, { sensor, many, again }) => {
    if (words.length === 0) throw usage('unassign SENSOR NETWORK…')
    const odd = words.find(id => !listed.includes(id))
    if (odd !== undefined && !many && !again)
      throw new Failure(`${sensor} does not test ${odd}`, { hint: 'sonde fleet list shows what it tests' })
    const concerned = again || words.some(id => listed.includes(id))
    return concerned ? listed.filter(id => !words.includes(id)) : undefined
  })

/** A document to publish, and what the sensor tested before. */
interface Draft {
  sensor: string
  base: Entry[]
  /** What its document said beside that. */
  was: Manner
  /** Those that it was only said to test by the sensor itself. */
  claimed: string[]
  document: Document
  /** Of what is published, as the sensor reports it. */
  hash: string
}

/** What a sensor tests afterwards; undefined: it is left alone. */
type Members = (
  listed: string[],
  words: string[],
  whom: { sensor: string; many: boolean; again: boolean },
) => string[] | undefined

async function change(context: Context, members: Members): Promise<number> {
  const { broker, values } = context
  const fleet = await Fleet.read(broker)
  using others = new Others(broker)
  const { sensors: asked, networks, many } = whom(context, fleet)
  const draft = (before: FleetSensor, last?: Draft): Draft[] => {
    const base = listedOf(before)
    const listed = base.map(({ network }) => network)
    const ids = members(listed, networks, { sensor: before.id, many, again: last !== undefined })
    const document = ids && documentFor(fleet, before, ids, context, last)
    const claimed = listed.filter(id => values['force'] !== true && !idsOf(before.desired).includes(id))
    return document === undefined
      ? []
      : [{ sensor: before.id, base, was: before.desired ?? {}, claimed, ...hashed(document) }]
  }
  let drafts = asked.flatMap(id => draft(fleet.sensors.get(id) ?? { id }))
  if (drafts.length === 0) throw new Failure(`none of these sensors tests ${networks.join(' or ')}`)
  const wanted = new Map(drafts.map(one => [one.sensor, one]))
  const rights = values['no-rights'] !== true
  if (rights) await grant(broker, drafts.map(grantOf(fleet)))
  const contested = new Map<string, Pick<SensorDocument, 'networks'>[]>()
  const impossible = new Map<string, Failure>()
  for (let round = 0; drafts.length > 0 && round < mostRounds; round++) {
    const documents = new Map(drafts.map(({ sensor, document }) => [sensor, document]))
    const found = await others.publish(documents, (id, other) => keeps(other, wanted.get(id)))
    drafts = [...found].flatMap(([id, { earlier, later }]) => {
      const last = wanted.get(id)
      if (last === undefined) return []
      contested.set(id, [...(contested.get(id) ?? []), last.document, ...earlier, ...later])
      // Ours was parsed as one before it was published.
      const own = last.document as SensorDocument
      const [all, first] = standing(last.base, own, { earlier, later }, mostTestedNetworks)
      const before = { ...fleet.sensors.get(id), id, desired: first }
      for (const desired of [all, first])
        try {
          const made = draft({ ...before, desired }, last)
          impossible.delete(id)
          return made
        } catch (error) {
          if (!(error instanceof Failure)) throw error
          impossible.set(id, error)
        }
      const document = { ...first, ...nextVersion(before, false, last.document) }
      return [{ sensor: id, base: document.networks, was: first, claimed: [], ...hashed(document) }]
    })
    for (const one of drafts) wanted.set(one.sensor, one)
  }
  if (rights && contested.size > 0) await grant(broker, [...contested].map(rightsOf(fleet)))
  for (const failure of impossible.values()) throw failure
  const result = await follow(context, fleet, {
    sensors: [...wanted.keys()],
    applied: sensor => has(sensor, wanted.get(sensor.id)),
    refused: sensor =>
      objections(sensor, `${broker.prefix}/sensors/${sensor.id}/desired`) ??
      overtaken(sensor, wanted.get(sensor.id)),
  })
  const versions = Object.fromEntries([...wanted].map(([id, { document }]) => [id, document.version]))
  return conclude(context, fleet, result, { what: 'published', json: { versions } })
}

const hashed = (document: Document): Pick<Draft, 'document' | 'hash'> => ({
  document,
  hash: sha256(JSON.stringify(document)),
})

/** Other operators change the same sensor at the same moment so often at most. */
const mostRounds = 20

/** For a sensor that several have changed: of all they gave and took, what is retained for it now. */
const rightsOf =
  (fleet: Fleet) =>
  ([sensor, all]: readonly [string, Pick<SensorDocument, 'networks'>[]]): Grant => ({
    sensor,
    now: networksOf(fleet, idsOf(fleet.sensors.get(sensor)?.desired)),
    then: readBy(fleet, all.flatMap(idsOf)),
  })

const grantOf =
  (fleet: Fleet) =>
  ({ sensor, base, claimed, document }: Draft): Grant => ({
    ...{ sensor, now: networksOf(fleet, idsOf(document)), then: readBy(fleet, idsOf({ networks: base })) },
    claimed: claimed.filter(id => idsOf(document).includes(id)),
  })

const idsOf = (document: Pick<SensorDocument, 'networks'> | undefined): string[] =>
  document?.networks.map(({ network }) => network) ?? []

/** This document, or a newer one that keeps what it changed. */
function has({ reported, desired }: FleetSensor, draft: Draft | undefined): boolean {
  const applied = reported?.applied.desired
  if (applied === undefined || draft === undefined) return false
  if (applied.sha256 === draft.hash) return true
  return isNewer(applied, draft.document) && desired !== undefined && keeps(desired, draft, true)
}

const isNewer = (one: { version: number; epoch: number }, { version, epoch = 0 }: Document): boolean =>
  one.epoch > epoch || (one.epoch === epoch && one.version > version)

/** Whether a document of another operator was made of ours. */
function keeps(
  other: Manner & Pick<SensorDocument, 'networks'>,
  draft: Draft | undefined,
  strictly = false,
): boolean {
  const { networks } = other
  const { base = [], was = {}, document = { networks: [] } } = draft ?? {}
  const listed = idsOf({ networks: base })
  const [there, wanted] = [networks.map(({ assignment }) => assignment), document.networks]
  const added = wanted.filter(({ network }) => !listed.includes(network))
  const removed = listed.filter(id => !wanted.some(({ network }) => network === id))
  return (
    !lacks(other, document as Manner, was, strictly) &&
    added.every(({ assignment }) => there.includes(assignment)) &&
    !networks.some(({ network }) => removed.includes(network))
  )
}

function overtaken({ desired }: FleetSensor, draft: Draft | undefined): string | undefined {
  if (desired === undefined) return 'its document is not on the broker any more: make the change again'
  if (draft === undefined || keeps(desired, draft, true)) return undefined
  return withoutThis(desired)
}

export const withoutThis = ({ version }: SensorDocument): string =>
  `another operator has published version ${String(version)} without this change: make it again`

function whom(context: Context, fleet: Fleet): { sensors: string[]; networks: string[]; many: boolean } {
  const synopsis = 'assign|unassign SENSOR NETWORK…, or --sensors A,B* NETWORK…'
  const { sensors, rest, many } = chosen(context, fleet, synopsis)
  const more = ['name', 'test-every', 'target', 'new-epoch'].some(flag => context.values[flag] !== undefined)
  if (rest.length === 0 && !more) throw usage(synopsis, 'sonde fleet network list shows the networks')
  const odd = rest.find(id => !isId(id))
  if (odd !== undefined) throw usage(`${odd}: ${idsAre}`)
  return { sensors, networks: rest, many }
}

/** What no sensor would take, or what this one cannot read, is not published. */
export function mustBeReadable({ id, reported }: FleetSensor, document: unknown): void {
  const result = parseSensorDocument(Buffer.from(JSON.stringify(document)))
  const lines = result.ok ? [] : result.problems.map(({ path, message }) => `  ${path}: ${message}`)
  if (lines.length > 0) throw new Failure(`the document of ${id} cannot be used:\n${lines.join('\n')}`)
  if (reported?.schemas.sensor.includes(1) === false)
    throw new Failure(`${id} does not read schema 1 of sensor documents; nothing is published`)
}

/** The next document of one sensor. What it holds beside the networks stays. */
function documentFor(
  fleet: Fleet,
  sensor: FleetSensor,
  ids: string[],
  { values }: Context,
  last: Draft | undefined,
): Document {
  const { desired } = sensor
  const listed = listedOf(sensor)
  if (ids.length > mostTestedNetworks) {
    throw new Failure(
      `${sensor.id} would test ${String(ids.length)} networks; at most ${String(mostTestedNetworks)} are tested`,
    )
  }
  const added = ids.filter(id => !listed.some(({ network }) => network === id))
  for (const id of added) mustExist(fleet, id, values['force'] === true)
  const name = text(values, 'name')
  const testEvery = text(values, 'test-every')
  const targets = targetsOf(values)
  const document: Document = {
    ...desired,
    schema: 1,
    ...nextVersion(sensor, values['new-epoch'] === true, last?.document),
    // An empty one takes it out.
    ...(name !== undefined && { name: name === '' ? undefined : name }),
    ...(testEvery !== undefined && { testEvery: testEvery === '' ? undefined : Number(testEvery) }),
    ...(targets && { targets }),
    networks: ids.map(
      id =>
        listed.find(({ network }) => network === id) ??
        last?.document.networks.find(({ network }) => network === id) ?? {
          network: id,
          assignment: randomBytes(6).toString('hex'),
        },
    ),
  }
  mustBeReadable(sensor, document)
  return document
}

type Entry = SensorDocument['networks'][number]

/**
 * What a sensor tests, by the newer of what is retained for it and what it has in force: a broker that lost its database, or got an
 * old one back, must not make it forget a network, and its certificate, with the next change.
 */
function listedOf({ id, desired, reported }: FleetSensor): Entry[] {
  const applied = reported?.applied.desired
  const behind =
    desired === undefined ||
    (applied !== undefined &&
      (applied.epoch > desired.epoch ||
        (applied.epoch === desired.epoch && applied.version > desired.version)))
  if (applied === undefined || !behind) return desired?.networks ?? []
  const tested = Object.entries(reported?.networks ?? {}).filter(([, { role }]) => role === 'tested')
  return tested.map(([network, { assignment }]) => {
    if (assignment !== undefined) return { network, assignment }
    throw new Failure(`${id} tests ${network}, and its document is not on the broker any more`, {
      hint: 'import an export of the fleet',
    })
  })
}

/** max(reported, retained) + 1, or 1 of a new epoch; above `own`, which was published already. Pure. */
export function nextVersion(
  { reported, desired }: FleetSensor,
  fresh = false,
  own?: Pick<Document, 'version' | 'epoch'>,
): { version: number; epoch: number } {
  const found = [reported?.applied.desired, desired, own]
  const known = found.flatMap(document => (document ? [{ epoch: 0, ...document }] : []))
  const epoch = Math.max(0, ...known.map(document => document.epoch))
  if (fresh && own === undefined) return { version: 1, epoch: epoch + 1 }
  const versions = known.filter(document => document.epoch === epoch).map(document => document.version)
  return { version: Math.max(0, ...versions) + 1, epoch }
}

/** S2-06: with its enrollment network. */
function mustExist(fleet: Fleet, id: string, force: boolean): void {
  const network = fleet.networks.get(id)
  if (force) return
  if (network === undefined)
    throw new Failure(`there is no network ${id}`, {
      hint: 'sonde fleet network list shows them; --force assigns it before it is there',
    })
  if (network.profile === undefined)
    throw new Failure(`the profile of ${id} on the broker cannot be used`, {
      hint: `publish it anew: sonde fleet network edit ${id} --file FILE`,
    })
  enrolsOver(fleet, id, network.profile)
}
