/** export, import: the documents of the fleet as one file. Without secrets unless asked. */
import { readFile } from 'node:fs/promises'
import { parseNetworkProfile, parseSensorDocument } from '../../agent/desired/parse.ts'
import { withoutSecrets } from '../broker.ts'
import { isId } from '../../agent/desired/topics.ts'
import type { Run } from '../context.ts'
import { parsed } from '../editor.ts'
import { Failure, unreadable, usage } from '../failure.ts'
import { Fleet } from '../fleet.ts'
import { grant, grantsFor } from '../rights.ts'
import { mustBeReadable, nextVersion } from './assignments.ts'
import { readable } from './networks.ts'

interface Exported {
  format: 1
  networks: Record<string, unknown>
  sensors: Record<string, unknown>
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
  }
  io.out(`${JSON.stringify(content, null, 2)}\n`)
  return undefined
}

/** Everything is validated before anything is published. A profile without secrets keeps those that are there. */
export const importFleet: Run = async ({ broker, io, words, values }) => {
  const [file] = words
  if (file === undefined) throw usage('import FILE')
  const content = await contentOf(file)
  const fleet = await Fleet.read(broker)
  const networks = Object.entries(content.networks).map(([id, document]): [string, unknown] => [
    id,
    withSecretsOf(document, fleet.networks.get(id)?.document),
  ])
  const sensors = Object.entries(content.sensors).map(([id, document]): [string, unknown] => [
    id,
    { ...(document as object), ...nextVersion(fleet.sensors.get(id) ?? { id }) },
  ])
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
  broker.mayCarry(networks)
  for (const [id, document] of sensors) mustBeReadable(fleet.sensors.get(id) ?? { id }, document)
  for (const [id] of networks)
    readable(
      fleet,
      fleet.assignedTo(id).map(sensor => sensor.id),
    )
  const grants = grantsFor(fleet, () => {
    for (const [id, document] of networks) fleet.take(`networks/${id}`, bytes(document))
    for (const [id, document] of sensors) fleet.take(`sensors/${id}/desired`, bytes(document))
  })
  if (values['no-rights'] !== true) await grant(broker, grants)
  for (const [id, document] of networks) await broker.publish(`networks/${id}`, document)
  for (const [id, document] of sensors) await broker.publish(`sensors/${id}/desired`, document)
  io.out(`${String(networks.length)} networks and ${String(sensors.length)} sensor documents are published\n`)
  return undefined
}

const bytes = (document: unknown): Buffer => Buffer.from(JSON.stringify(document))

async function contentOf(file: string): Promise<Exported> {
  const cannotRead = (cause: unknown): never => {
    throw unreadable(file, cause)
  }
  const content = parsed(file, await readFile(file, 'utf8').catch(cannotRead))
  const { format, networks, sensors } = content
  if (format !== 1 || !isRecord(networks) || !isRecord(sensors))
    throw new Failure(`${file} is no export of this version`)
  const odd = [...Object.keys(networks), ...Object.keys(sensors)].find(id => !isId(id))
  if (odd !== undefined) throw new Failure(`${file}: ${odd} is no id: A-Z a-z 0-9 _ -`)
  return { format, networks, sensors }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Keys that only the retained document has, where the other was exported without secrets. */
function withSecretsOf(document: unknown, retained: unknown): unknown {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return document
  const before = (retained ?? {}) as Record<string, unknown>
  const own = Object.entries(document).map(([key, value]) => [key, withSecretsOf(value, before[key])])
  const secrets = Object.entries(before).filter(
    ([key]) => !Object.hasOwn(document, key) && withoutSecrets({ [key]: 1 })[key] === undefined,
  )
  return { ...Object.fromEntries(own), ...Object.fromEntries(secrets) } as unknown
}
