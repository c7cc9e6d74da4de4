/** network add, edit, remove, list, show. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseNetworkProfile, sha256 } from '../../agent/desired/parse.ts'
import { idPattern, type NetworkProfile } from '../../agent/desired/profile.ts'
import { withoutSecrets } from '../secrets.ts'
import { text, type Context, type Run } from '../context.ts'
import { edited, parsed } from '../editor.ts'
import { Failure, unreadable, usage } from '../failure.ts'
import { withFlags, fields, isYes } from '../fields.ts'
import { Fleet, type FleetNetwork, type FleetSensor } from '../fleet.ts'
import type { Io } from '../io.ts'
import { printableJson } from '../json.ts'
import { Rivals } from '../others.ts'
import { grant, grantsFor, regrant } from '../rights.ts'
import { conclude, follow, objections } from '../rollout.ts'
import { table } from '../table.ts'
import { ask } from '../wizard.ts'

type Document = Record<string, unknown>

/** S2-08, S2-10, S2-14: from flags, a file, an editor, or by questions. */
export const network: Run = context => {
  const [action, ...words] = context.words
  const inner = { ...context, words }
  switch (action) {
    case 'add':
    case 'edit':
      return put(inner, action)
    case 'remove':
      return remove(inner)
    case 'list':
      return list(inner)
    case 'show':
      return show(inner)
    case undefined:
    default:
      throw usage('network add|edit|remove|list|show')
  }
}

async function put(context: Context, action: 'add' | 'edit'): Promise<number> {
  const { broker, io } = context
  const id = idOf(context)
  const fleet = await Fleet.read(broker)
  const before = fleet.networks.get(id)
  if (action === 'add' && before)
    throw new Failure(`there is a network ${id} already`, { hint: `sonde fleet network edit ${id}` })
  if (action === 'edit' && !before)
    throw new Failure(`there is no network ${id}`, { hint: `sonde fleet network add ${id}` })
  // A person may write for longer than a broker lives: whether it is there matters afterwards.
  using writing = broker.outlast(() => undefined)
  const document = await written(context, fleet, id)
  try {
    await broker.here()
    writing[Symbol.dispose]()
    return await publish(context, fleet, id, document, before)
  } catch (error) {
    if (byHand(context)) await keep(io, id, document)
    throw error
  }
}

/** What a person has written is not lost with what stands in its way. Private, because it may hold a secret. */
async function keep(io: Io, id: string, document: Document): Promise<void> {
  const file = join(await mkdtemp(join(tmpdir(), 'sonde-')), `${id}.json`)
  await writeFile(file, `${JSON.stringify(document, null, 2)}\n`, { mode: 0o600 })
  io.err(`what was written is kept in ${file}: --file takes it\n`)
}

async function publish(
  context: Context,
  fleet: Fleet,
  id: string,
  document: Document,
  before: FleetNetwork | undefined,
): Promise<number> {
  const { broker, io } = context
  broker.mayCarry(document)
  await mustBeAsBefore(context, fleet, id, before)
  using rivals = new Rivals(broker, `networks/${id}`)
  const bytes = Buffer.from(JSON.stringify(document))
  const profile = usable(id, bytes, flagged(context) ? flagOf : () => '')
  mustEnrol(fleet, id, profile, context)
  const sensors = fleet.readersOf(id).map(sensor => sensor.id)
  readable(fleet, sensors)
  // Another enrollment network is another topic to read.
  const grants = grantsFor(fleet, () => fleet.take(`networks/${id}`, bytes))
  const rights = context.values['no-rights'] !== true
  if (rights) await grant(broker, grants)
  const { unseen, stands } = await rivals.publish(document)
  if (unseen)
    io.err(`another operator has published ${id} at the same moment, and this has taken its place\n`)
  if (stands) {
    // What this one enrols over need not be what the other does.
    if (rights) await grant(broker, grants.map(regrant(fleet)))
    const what = stands.length === 0 ? `taken ${id} away` : `published ${id}`
    throw new Failure(`another operator has ${what} at the same moment, and that stands`, {
      hint: lookAt(id),
    })
  }
  const hash = sha256(bytes)
  const topic = `${broker.prefix}/networks/${id}`
  const expected = {
    sensors,
    applied: ({ reported }: FleetSensor) => reported?.applied.networks[id] === hash,
    refused: (sensor: FleetSensor) => {
      const there = fleet.networks.get(id)?.sha256
      if (there === hash) return objections(sensor, topic)
      return there === undefined
        ? `${id} is not on the broker any more: publish it again`
        : `another operator has published ${id} meanwhile: make the change again`
    },
  }
  const rollout = await follow(context, fleet, expected)
  return conclude(context, fleet, rollout, {
    what: `${id} is published`,
    json: { network: id, sha256: hash },
  })
}

/** A person may think for long over a document: what another one published meanwhile is not wiped unseen. */
async function mustBeAsBefore(
  { io, values }: Context,
  fleet: Fleet,
  id: string,
  before: FleetNetwork | undefined,
): Promise<void> {
  const now = fleet.networks.get(id)
  if (now?.sha256 === before?.sha256 || values['force'] === true) return
  const what = now ? `published ${id}` : `taken ${id} away`
  const said = `another operator has ${what} meanwhile`
  const answer = await io.ask?.(`${said}. Publish yours in its place? (yes, no) `, false, io.signal)
  if (answer !== undefined && isYes(answer)) return
  throw new Failure(`${said}, so nothing is published`, {
    hint: `${lookAt(id)}; --force publishes over it`,
  })
}

/** @throws Failure for what nothing can be made of */
function documentOf({ id, document }: FleetNetwork): Document {
  if (typeof document === 'object' && document !== null && !Array.isArray(document))
    return document as Document
  throw new Failure(noJson(id), {
    hint: `publish another in its place: sonde fleet network edit ${id} --file FILE`,
  })
}

/** Others may publish whatever they like. */
export const noJson = (id: string): string => `what is published for ${id} is no JSON object`

const lookAt = (id: string): string => `look at it (sonde fleet network show ${id}) and make the change again`

/** The profile in these bytes, judged as a sensor judges it. */
function usable(id: string, bytes: Buffer, named: (path: string) => string = () => ''): NetworkProfile {
  const result = parseNetworkProfile(bytes, id)
  if (result.ok) return result.document.value
  const lines = result.problems.map(
    ({ path, message, hint }) =>
      `  ${path === '' ? 'the document' : path}${named(path)}: ${message}${hint === undefined ? '' : `; ${hint}`}`,
  )
  throw new Failure(`the profile of ${id} cannot be used:\n${lines.join('\n')}`)
}

/** As a person on the command line calls it. */
function flagOf(path: string): string {
  const field = fields.find(one => one.path === path)
  return field === undefined ? '' : ` (--${field.flag})`
}

/** S2-06, for a profile that is about to be published; and it must not become what others cannot enrol over. */
function mustEnrol(fleet: Fleet, id: string, profile: NetworkProfile, { values }: Context): void {
  if (values['force'] === true) return
  enrolsOver(fleet, id, profile)
  const others = [...fleet.networks.values()].filter(one => one.profile?.scep?.enrollmentNetwork === id)
  if (profile.scep === undefined || others.length === 0) return
  const names = others.map(one => one.id).join(', ')
  throw new Failure(`${names} enrols over ${id}, which would itself need a certificate`, {
    hint: 'name another enrollment network there first',
  })
}

/** S2-06. @throws Failure that names the enrollment network that is missing, or cannot be one */
export function enrolsOver(fleet: Fleet, id: string, profile: NetworkProfile | undefined): void {
  const over = profile?.scep?.enrollmentNetwork
  if (over === undefined) return
  const network = fleet.networks.get(over)
  if (network === undefined)
    throw new Failure(`${id} enrols over ${over}, and there is no such network`, {
      hint: `add it first: sonde fleet network add ${over}`,
    })
  if (network.profile?.scep !== undefined)
    throw new Failure(`${id} enrols over ${over}, which itself needs a certificate`, {
      hint: 'name an enrollment network that is joined without one',
    })
}

/** No sensor gets a document it cannot read. */
export function readable(fleet: Fleet, sensors: readonly string[]): void {
  const behind = sensors.filter(id => fleet.sensors.get(id)?.reported?.schemas.network.includes(1) === false)
  if (behind.length > 0)
    throw new Failure(`these sensors do not read schema 1 of network profiles: ${behind.join(' ')}`)
}

async function written(context: Context, fleet: Fleet, id: string): Promise<Document> {
  const { values, io } = context
  const file = text(values, 'file')
  if (file !== undefined) return parsed(file, await readFile(file, 'utf8').catch(cannotRead(file)))
  const network = fleet.networks.get(id)
  const start = network ? documentOf(network) : { schema: 1 }
  if (flagged(context) && values['edit'] === true) throw usage('--edit or the fields as flags, not both')
  if (flagged(context)) return withFlags(start, values)
  if (values['edit'] === true)
    return edited(start, io, document => usable(id, Buffer.from(JSON.stringify(document))))
  return ask(io, id, start, {
    networks: values['force'] === true ? undefined : fleet.networks,
    check: document => usable(id, Buffer.from(JSON.stringify(document))),
  })
}

/** In an editor or by questions. */
const byHand = (context: Context): boolean =>
  context.values['edit'] === true || (text(context.values, 'file') === undefined && !flagged(context))

const flagged = ({ values }: Context): boolean =>
  fields.some(({ flag }) => values[flag] !== undefined || values[`${flag}-file`] !== undefined)

const cannotRead =
  (file: string) =>
  (cause: unknown): never => {
    throw unreadable(file, cause)
  }

async function remove(context: Context): Promise<number> {
  const id = idOf(context)
  const fleet = await Fleet.read(context.broker)
  if (!fleet.networks.has(id)) throw new Failure(`there is no network ${id}`)
  const users = [...fleet.networks.values()]
    .filter(({ profile }) => profile?.scep?.enrollmentNetwork === id)
    .map(other => `network ${other.id}`)
  const assigned = fleet.assignedTo(id).map(sensor => `sensor ${sensor.id}`)
  if (users.length + assigned.length > 0 && context.values['force'] !== true) {
    const some = [...users, ...assigned].slice(0, 5).join(', ')
    throw new Failure(`${id} is used by ${some}`, { hint: `unassign it first; --force suspends it there` })
  }
  await context.broker.publishAll([[`networks/${id}`, undefined]])
  context.io.out(
    context.json ? `${JSON.stringify({ network: id, removed: true })}\n` : `${id} is taken away\n`,
  )
  return 0
}

async function list(context: Context): Promise<number> {
  const { io, json: asJson } = context
  const fleet = await Fleet.read(context.broker, ['networks', 'desired'])
  const all = [...fleet.networks.values()].sort((a, b) => a.id.localeCompare(b.id))
  if (asJson)
    io.out(
      `${printableJson(
        all.map(({ id, document }) => ({ id, document: withoutSecrets(document) })),
        2,
      )}\n`,
    )
  else {
    const rows = all.map(({ id, profile }) => [
      id,
      profile?.alias ?? '',
      profile?.wireless?.ssid ?? profile?.interface ?? 'unreadable',
      profile?.eap?.method ?? '',
      profile?.scep?.enrollmentNetwork ?? '',
      String(fleet.assignedTo(id).length),
    ])
    io.out(
      table(['NETWORK', 'ALIAS', 'SSID OR INTERFACE', 'EAP', 'ENROLS OVER', 'SENSORS'], rows, {
        columns: io.columns,
        colour: io.colour,
      }),
    )
  }
  return 0
}

async function show(context: Context): Promise<number> {
  const id = idOf(context)
  const fleet = await Fleet.read(context.broker, ['networks'])
  const found = fleet.networks.get(id)
  if (found === undefined) throw new Failure(`there is no network ${id}`)
  const whole = documentOf(found)
  const document = context.values['secrets'] === true ? whole : withoutSecrets(whole)
  context.io.out(`${printableJson(document, 2)}\n`)
  return 0
}

function idOf({ words }: Context): string {
  const [id] = words
  if (id === undefined || !idPattern.test(id)) throw usage('which network? An id of A-Z a-z 0-9 _ -')
  return id
}
