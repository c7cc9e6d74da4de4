/** assign, unassign: what a sensor tests. */
import { randomBytes } from 'node:crypto'
import { parseSensorDocument } from '../../agent/desired/parse.ts'
import { mostTestedNetworks, type SensorDocument } from '../../agent/desired/sensor.ts'
import { isId } from '../../agent/desired/topics.ts'
import { chosen, idsAre } from '../choose.ts'
import { text, type Context, type Run } from '../context.ts'
import { Failure, usage } from '../failure.ts'
import { Fleet, type FleetSensor } from '../fleet.ts'
import { grant, networksOf } from '../rights.ts'
import { conclude, follow, objections } from '../rollout.ts'

interface Document {
  schema: 1
  version: number
  epoch?: number
  networks: { network: string; assignment: string }[]
  [more: string]: unknown
}

/** `assign SENSOR NETWORK…`, or `assign --sensors A,B* NETWORK…`; `--name`, `--test-every`, `--new-epoch`. */
export const assign: Run = context =>
  change(context, (listed, words) => [...listed, ...words.filter(id => !listed.includes(id))])

/** Of many sensors, those that test one of the networks. */
export const unassign: Run = context =>
  change(context, (listed, words, { sensor, many }) => {
    if (words.length === 0) throw usage('unassign SENSOR NETWORK…')
    const odd = words.find(id => !listed.includes(id))
    if (odd !== undefined && !many)
      throw new Failure(`${sensor} does not test ${odd}`, { hint: 'sonde fleet list shows what it tests' })
    return words.some(id => listed.includes(id)) ? listed.filter(id => !words.includes(id)) : undefined
  })

/** What a sensor tests afterwards; undefined: it is left alone. */
type Members = (
  listed: string[],
  words: string[],
  whom: { sensor: string; many: boolean },
) => string[] | undefined

async function change(context: Context, members: Members): Promise<number> {
  const { broker, io, values } = context
  const fleet = await Fleet.read(broker)
  const { sensors: asked, networks, many } = whom(context, fleet)
  const changes = asked.flatMap(id => {
    const before = fleet.sensors.get(id) ?? { id }
    const listed = listedOf(before).map(({ network }) => network)
    const ids = members(listed, networks, { sensor: id, many })
    return ids === undefined ? [] : [{ id, listed, document: documentFor(fleet, before, ids, context) }]
  })
  if (changes.length === 0) throw new Failure(`none of these sensors tests ${networks.join(' or ')}`)
  const grants = changes.map(({ id, listed, document }) => ({
    sensor: id,
    now: networksOf(fleet, idsOf(document)),
    then: networksOf(fleet, listed),
  }))
  if (values['no-rights'] !== true) await grant(broker, grants)
  await broker.publishAll(changes.map(({ id, document }) => [`sensors/${id}/desired`, document]))
  const wanted = new Map(changes.map(({ id, document }) => [id, document]))
  const sensors = [...wanted.keys()]
  const result = await follow(
    fleet,
    {
      sensors,
      applied: sensor => has(sensor, wanted.get(sensor.id)),
      refused: sensor => objections(sensor, `${broker.prefix}/sensors/${sensor.id}/desired`),
    },
    context.wait,
    io,
  )
  const versions = Object.fromEntries([...wanted].map(([id, { version }]) => [id, version]))
  return conclude(context, fleet, result, { what: 'published', json: { versions } })
}

const idsOf = (document: Pick<Document, 'networks'> | undefined): string[] =>
  document?.networks.map(({ network }) => network) ?? []

/** This document, or a newer one. */
function has({ reported }: FleetSensor, wanted: Document | undefined): boolean {
  const applied = reported?.applied.desired
  if (applied === undefined || wanted === undefined) return false
  const { epoch = 0, version } = wanted
  return applied.epoch > epoch || (applied.epoch === epoch && applied.version >= version)
}

function whom(context: Context, fleet: Fleet): { sensors: string[]; networks: string[]; many: boolean } {
  const synopsis = 'assign|unassign SENSOR NETWORK…, or --sensors A,B* NETWORK…'
  const { sensors, rest, many } = chosen(context, fleet, synopsis)
  const more = ['name', 'test-every', 'new-epoch'].some(flag => context.values[flag] !== undefined)
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
function documentFor(fleet: Fleet, sensor: FleetSensor, ids: string[], { values }: Context): Document {
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
  const document: Document = {
    ...desired,
    schema: 1,
    ...nextVersion(sensor, values['new-epoch'] === true),
    ...(name !== undefined && { name }),
    ...(testEvery !== undefined && { testEvery: Number(testEvery) }),
    networks: ids.map(
      id =>
        listed.find(({ network }) => network === id) ?? {
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
export function listedOf({ id, desired, reported }: FleetSensor): Entry[] {
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

/** max(reported, retained) + 1, or 1 of a new epoch. Pure. */
export function nextVersion(
  { reported, desired }: FleetSensor,
  fresh = false,
): { version: number; epoch: number } {
  const known = [reported?.applied.desired, desired].flatMap(document => (document ? [document] : []))
  const epoch = Math.max(0, ...known.map(document => document.epoch))
  if (fresh) return { version: 1, epoch: epoch + 1 }
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
  const over = network.profile?.scep?.enrollmentNetwork
  if (over !== undefined && !fleet.networks.has(over)) {
    throw new Failure(`${id} enrols over ${over}, and there is no such network`, {
      hint: `add it first: sonde fleet network add ${over}`,
    })
  }
}
