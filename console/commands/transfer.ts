/** export, import: the documents of the fleet as one file. Without secrets unless asked. */
import { readFile } from 'node:fs/promises'
import { parseNetworkProfile, parseSensorDocument } from '../../agent/desired/parse.ts'
import { isSecret, secretsIn, withoutSecrets } from '../secrets.ts'
import { isId } from '../../agent/desired/topics.ts'
import type { Run } from '../context.ts'
import { parsed } from '../editor.ts'
import { Failure, unreadable, usage } from '../failure.ts'
import { valueAt } from '../fields.ts'
import { Fleet, type FleetSensor } from '../fleet.ts'
import { printableJson } from '../json.ts'
import { grant, grantsFor, networksOf } from '../rights.ts'
import { conclude, count, follow, objections } from '../rollout.ts'
import { mustBeReadable, nextVersion, withoutThis } from './assignments.ts'
import { enrolsOver, noJson, readable } from './networks.ts'

interface Exported {
  format: 1
  networks: Record<string, unknown>
  sensors: Record<string, unknown>
  /** Where a secret was, in an export without them. */
  withoutSecrets?: string[]
}

export const exportFleet: Run = async ({ broker, io, values }) => {
  const fleet = await Fleet.read(broker, ['networks', 'desired'])
  const document = (value: unknown): unknown => (values['secrets'] === true ? value : withoutSecrets(value))
  const content: Exported = {
    format: 1,
    networks: Object.fromEntries(
      [...fleet.networks.values()].map(network => [network.id, document(network.document)]),
    ),
    sensors: Object.fromEntries(
      fleet.inOrder().flatMap(({ id, desired }) => (desired ? [[id, desired]] : [])),
    ),
    ...(values['secrets'] !== true && {
      withoutSecrets: [...fleet.networks.values()].flatMap(network =>
        secretsIn(network.document).map(path => `${network.id}.${path}`),
      ),
    }),
  }
  io.out(`${printableJson(content, 2)}\n`)
  for (const { id, document: said } of fleet.networks.values())
    if (said === undefined) io.err(`${noJson(id)}, and left out\n`)
  return undefined
}

/** Everything is validated before anything is published. A profile without secrets keeps those that are there. */
export const importFleet: Run = async context => {
  const { broker, words, values } = context
  const [file] = words
  if (file === undefined) throw usage('import FILE')
  const content = await contentOf(file)
  const fleet = await Fleet.read(broker)
  const networks = Object.entries(content.networks).map(([id, document]): [string, unknown] => [
    id,
    withSecretsOf(document, fleet.networks.get(id)?.document),
  ])
  const sensors = Object.entries(content.sensors).map(([id, document]): [string, unknown] => {
    // A broker that lost its documents, and a sensor that is away: only the file says how far it had counted.
    const exported = parseSensorDocument(bytes(document))
    const version = exported.ok ? exported.document.value : undefined
    return [id, { ...(document as object), ...nextVersion(fleet.sensors.get(id) ?? { id }, false, version) }]
  })
  mustHaveSecrets(content, new Map(networks), values['force'] === true)
  mustBeUsable(file, networks, sensors)
  broker.mayCarry(networks)
  for (const [id, document] of sensors) mustBeReadable(fleet.sensors.get(id) ?? { id }, document)
  for (const [id] of networks)
    readable(
      fleet,
      fleet.readersOf(id).map(sensor => sensor.id),
    )
  const grants = grantsFor(fleet, () => {
    for (const [id, document] of networks) fleet.take(`networks/${id}`, bytes(document))
    for (const [id, document] of sensors) fleet.take(`sensors/${id}/desired`, bytes(document))
  })
  if (values['force'] !== true) mustBeWhole(fleet, new Map(networks), new Map(sensors))
  if (values['no-rights'] !== true) await grant(broker, grants)
  await broker.publishAll(networks.map(([id, document]) => [`networks/${id}`, document]))
  await broker.publishAll(sensors.map(([id, document]) => [`sensors/${id}/desired`, document]))
  const what = `${count(networks.length, 'network')} and ${count(sensors.length, 'sensor document')} are published`
  const told = [
    ...sensors,
    ...networks.flatMap(([id]) => fleet.readersOf(id).map(sensor => [sensor.id] as const)),
  ]
  const documents = new Map(sensors)
  const expected = {
    sensors: [...new Set(told.map(([id]) => id))],
    applied: (sensor: FleetSensor) =>
      isInForce(fleet, sensor) && overtaken(sensor, documents.get(sensor.id)) === undefined,
    refused: (sensor: FleetSensor) =>
      overtaken(sensor, documents.get(sensor.id)) ??
      [`sensors/${sensor.id}/desired`, ...networks.map(([id]) => `networks/${id}`)]
        .map(topic => objections(sensor, `${broker.prefix}/${topic}`))
        .find(why => why !== undefined),
  }
  const result = await follow(context, fleet, expected)
  return conclude(context, fleet, result, {
    what,
    json: { networks: networks.map(([id]) => id), sensors: sensors.map(([id]) => id) },
  })
}

/** Another operator has published a document that was not made of the imported one. */
function overtaken({ desired }: FleetSensor, imported: unknown): string | undefined {
  const read = parseSensorDocument(bytes(imported ?? null))
  if (!read.ok || desired === undefined) return undefined
  const there = desired.networks.map(({ assignment }) => assignment)
  return read.document.value.networks.every(({ assignment }) => there.includes(assignment))
    ? undefined
    : withoutThis(desired)
}

type Documents = readonly [id: string, document: unknown][]

function mustBeUsable(file: string, networks: Documents, sensors: Documents): void {
  const wrong = [
    ...networks.map(([id, document]) => ({
      what: `networks.${id}`,
      result: parseNetworkProfile(bytes(document), id),
    })),
    ...sensors.map(([id, document]) => ({
      what: `sensors.${id}`,
      result: parseSensorDocument(bytes(document)),
    })),
  ].flatMap(({ what, result }) =>
    result.ok ? [] : result.problems.map(({ path, message }) => `  ${what}.${path}: ${message}`),
  )
  if (wrong.length > 0)
    throw new Failure(`nothing is published, because ${file} has problems:\n${wrong.slice(0, 50).join('\n')}`)
}

/** S2-06: in the fleet as it will be, every network that is imported has its enrollment network, and every sensor its networks. */
function mustBeWhole(
  fleet: Fleet,
  networks: ReadonlyMap<string, unknown>,
  sensors: ReadonlyMap<string, unknown>,
): void {
  for (const id of networks.keys()) enrolsOver(fleet, id, fleet.networks.get(id)?.profile)
  for (const { id, desired } of fleet.inOrder()) {
    const missing = desired?.networks.find(({ network }) => !fleet.networks.has(network))
    if (missing && sensors.has(id))
      throw new Failure(`${id} tests ${missing.network}, and there is no such network`, {
        hint: 'nothing is published; --force publishes it all the same',
      })
  }
}

/** A broker that has lost its documents has lost the secrets, too: enrolling without them would fail everywhere. */
function mustHaveSecrets(
  { withoutSecrets = [] }: Exported,
  networks: ReadonlyMap<string, unknown>,
  force: boolean,
): void {
  const missing = withoutSecrets.filter(place => {
    const [id = '', ...path] = place.split('.')
    const document = networks.get(id)
    return (
      document !== undefined && valueAt(document as Record<string, unknown>, path.join('.')) === undefined
    )
  })
  if (missing.length > 0 && !force)
    throw new Failure(
      `this export was made without secrets, and the broker does not have them: ${missing.join(', ')}`,
      {
        hint: 'import one made with --secrets, or write them into the file; --force publishes the profiles without them',
      },
    )
}

/** Everything retained for the sensor, with the profiles it lists and those they enrol over. */
function isInForce(fleet: Fleet, { desired, reported }: FleetSensor): boolean {
  const applied = reported?.applied
  if (desired === undefined || applied?.desired === undefined) return false
  const { version, epoch, networks } = desired
  return (
    applied.desired.epoch === epoch &&
    applied.desired.version === version &&
    networksOf(
      fleet,
      networks.map(({ network }) => network),
    ).every(id => applied.networks[id] === fleet.networks.get(id)?.sha256)
  )
}

const bytes = (document: unknown): Buffer => Buffer.from(JSON.stringify(document))

async function contentOf(file: string): Promise<Exported> {
  const cannotRead = (cause: unknown): never => {
    throw unreadable(file, cause)
  }
  const content = parsed(file, await readFile(file, 'utf8').catch(cannotRead))
  const { format, networks, sensors, withoutSecrets } = content
  if (format !== 1 || !isRecord(networks) || !isRecord(sensors))
    throw new Failure(`${file} is no export of this version`)
  const odd = [...Object.keys(networks), ...Object.keys(sensors)].find(id => !isId(id))
  if (odd !== undefined) throw new Failure(`${file}: ${odd} is no id: A-Z a-z 0-9 _ -`)
  const places = Array.isArray(withoutSecrets) ? withoutSecrets.map(String) : []
  return { format, networks, sensors, withoutSecrets: places }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Keys that only the retained document has, where the other was exported without secrets. */
function withSecretsOf(document: unknown, retained: unknown): unknown {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return document
  const before = (retained ?? {}) as Record<string, unknown>
  const own = Object.entries(document).map(([key, value]) => [key, withSecretsOf(value, before[key])])
  const secrets = Object.entries(before).filter(
    ([key, value]) => !Object.hasOwn(document, key) && isSecret(key, value),
  )
  return { ...Object.fromEntries(own), ...Object.fromEntries(secrets) } as unknown
}
