/**
 * Per-sensor rights on mosquitto: by its dynamic-security plugin, or as a static file. Pure but for the control topic.
 * A sensor reads its own documents and the networks assigned to it, and writes its own topics (docs/mqtt.md, Rights).
 */
import { randomUUID } from 'node:crypto'
import { isId } from '../agent/desired/topics.ts'
import type { Broker } from './broker.ts'
import { Failure } from './failure.ts'
import type { Fleet, FleetSensor } from './fleet.ts'

/** Topics of a sensor below the prefix that it reads, and that it writes. */
export const reads = (sensor: string): string[] =>
  ['desired', 'commands', 'presence'].map(part => `sensors/${sensor}/${part}`)
export const writes = (sensor: string): string[] =>
  ['presence', 'reported', 'events', 'replies'].map(part => `sensors/${sensor}/${part}`)

/** The networks a sensor needs: those listed, and those they enrol over. */
export function networksOf(fleet: Fleet, listed: readonly string[]): string[] {
  const over = listed.flatMap(id => fleet.networks.get(id)?.profile?.scep?.enrollmentNetwork ?? [])
  return [...new Set([...listed, ...over])].sort()
}

/** An acl_file for mosquitto, for `use_username_as_clientid`: the user name is the sensor's id. */
export function aclFile(fleet: Fleet, prefix: string, operators: readonly string[]): string {
  const lines = ['# made by `sonde fleet acl`: a user is a sensor, and reads and writes what is its own']
  for (const user of operators) lines.push('', `user ${user}`, `topic readwrite ${prefix}/#`)
  for (const { id, desired } of fleet.inOrder().filter(sensor => isId(sensor.id))) {
    const networks = networksOf(fleet, desired?.networks.map(({ network }) => network) ?? [])
    if (networks.length > 0)
      lines.push('', `user ${id}`, ...networks.map(network => `topic read ${prefix}/networks/${network}`))
  }
  lines.push('', '# every sensor, by its user name')
  for (const topic of reads('%u')) lines.push(`pattern read ${prefix}/${topic}`)
  for (const topic of writes('%u')) lines.push(`pattern write ${prefix}/${topic}`)
  return `${lines.join('\n')}\n`
}

/** Which networks a sensor may read, and which it might before; undefined: whatever it may. */
export interface Grant {
  sensor: string
  now: readonly string[]
  then: readonly string[] | undefined
  /** Networks that only its own report says it tests: those it may not read already are not given to it. */
  claimed?: readonly string[]
}

/** What a sensor that lists these may read; undefined where a profile is gone that would say over what it enrols. */
export const readBy = (fleet: Fleet, listed: readonly string[]): string[] | undefined =>
  listed.every(id => fleet.networks.get(id)?.profile !== undefined) ? networksOf(fleet, listed) : undefined

/**
 * Gives the roles that documents need, where the broker has the dynamic-security plugin: to be called before they are
 * published, so that a sensor never subscribes to what it may not read yet.
 */
export async function grant(broker: Broker, grants: readonly Grant[]): Promise<void> {
  const rights = new DynamicSecurity(broker)
  if (grants.length > 0 && (await rights.available())) await rights.allow(grants)
}

/** What changes for the sensors while `change` takes documents into the fleet as it will be. */
export function grantsFor(fleet: Fleet, change: () => void): Grant[] {
  const listedBy = ({ desired }: FleetSensor): string[] =>
    desired?.networks.map(({ network }) => network) ?? []
  const before = new Map(fleet.inOrder().map(sensor => [sensor.id, readBy(fleet, listedBy(sensor))]))
  change()
  return fleet
    .inOrder()
    .map(sensor => ({
      sensor: sensor.id,
      now: networksOf(fleet, listedBy(sensor)),
      then: before.has(sensor.id) ? before.get(sensor.id) : [],
    }))
    .filter(({ now, then }) => now.join(' ') !== then?.join(' '))
}

/** For the fleet as it is, after a grant that was made for another. */
export const regrant =
  (fleet: Fleet) =>
  ({ sensor, now }: Grant): Grant => ({
    sensor,
    now: networksOf(fleet, fleet.sensors.get(sensor)?.desired?.networks.map(({ network }) => network) ?? []),
    then: now,
  })

const controlTopic = '$CONTROL/dynamic-security/v1'

const atOnce = 20

interface Answer {
  command: string
  error?: string
  correlationData?: string
  data?: { client?: { roles?: { rolename: string }[]; groups?: { groupname: string }[] } }
}

/** Any role that this program gives, for any prefix. */
const given = /^(?:.*\/)?(?:sensor|network)-[\w-]+$/

/** The dynamic-security plugin of the broker. */
export class DynamicSecurity {
  readonly #broker: Broker

  constructor(broker: Broker) {
    this.#broker = broker
  }

  /** Whether the broker has the plugin and this user may use it. */
  async available(): Promise<boolean> {
    const answers = await this.#ask([{ command: 'getDefaultACLAccess' }])
    return answers.some(({ error }) => error === undefined)
  }

  /** A sensor that may connect, with rights to its own topics. The user name is its id. */
  async admit(sensor: string, password: string): Promise<void> {
    await this.#mustBeSensor(sensor)
    const role = this.#role('sensor', sensor)
    const acls = [
      ...acl('subscribeLiteral', this.#topics(reads(sensor))),
      ...acl('publishClientReceive', this.#topics(reads(sensor))),
      ...acl('publishClientSend', this.#topics(writes(sensor))),
    ]
    await this.#each([
      { command: 'createRole', rolename: role, acls },
      { command: 'createClient', username: sensor, clientid: sensor, password },
      { command: 'setClientPassword', username: sensor, password },
    ])
    const [held] = await this.#rolesOf([sensor])
    if (held?.has(role) === true) return
    await this.#each([{ command: 'addClientRole', username: sensor, rolename: role }])
  }

  async dismiss(sensor: string): Promise<void> {
    await this.#mustBeSensor(sensor)
    await this.#each([
      { command: 'deleteClient', username: sensor },
      { command: 'deleteRole', rolename: this.#role('sensor', sensor) },
    ])
  }

  /** One role per network, made where it is missing; every sensor gets those it needs and loses the others. */
  async allow(grants: readonly Grant[]): Promise<void> {
    const nameOf = (network: string): string => this.#role('network', network)
    const networks = [...new Set(grants.flatMap(({ now }) => now))]
    // mosquitto 2.0.11 calls a role that is held already an internal error.
    const held = await this.#rolesOf(grants.map(({ sensor }) => sensor))
    for (const [index, { sensor, claimed = [] }] of grants.entries()) {
      const odd = claimed.find(network => held[index]?.has(nameOf(network)) !== true)
      if (odd !== undefined)
        throw new Failure(`${sensor} says that it tests ${odd}, and has no right to read it`, {
          hint: 'its document is not on the broker any more: import an export of the fleet; --force believes the sensor',
        })
    }
    const create = networks.map(network => {
      const topic = this.#topics([`networks/${network}`])
      const acls = [...acl('subscribeLiteral', topic), ...acl('publishClientReceive', topic)]
      return { command: 'createRole', rolename: nameOf(network), acls }
    })
    const change = grants.flatMap(({ sensor: username, now, then }, index) => {
      const [roles, wanted] = [held[index], now.map(nameOf)]
      const before = then?.map(nameOf) ?? [...(roles ?? [])].filter(role => role.startsWith(nameOf('')))
      const over = before.filter(role => !wanted.includes(role) && roles?.has(role) === true)
      return [
        ...wanted
          .filter(role => roles?.has(role) !== true)
          .map(rolename => ({ command: 'addClientRole', username, rolename })),
        ...over.map(rolename => ({ command: 'removeClientRole', username, rolename })),
      ]
    })
    await this.#each([...create, ...change])
  }

  /** In the order of `sensors`; nobody gets anything where one of them has no account. */
  async #rolesOf(sensors: readonly string[]): Promise<Set<string>[]> {
    const answers = await this.#ask(sensors.map(username => ({ command: 'getClient', username })))
    return sensors.map((sensor, index) => {
      const { error, data }: Partial<Answer> = answers[index] ?? { error: 'no answer' }
      if (error !== undefined)
        throw new Failure(`the broker has no account ${sensor}: ${error}`, {
          hint: `make it first: sonde fleet sensor add ${sensor}; or --no-rights`,
        })
      return new Set(data?.client?.roles?.map(({ rolename }) => rolename))
    })
  }

  /** The account of a person in the hands of `sensor add` would get another password, and in those of `sensor remove` be gone. */
  async #mustBeSensor(id: string): Promise<void> {
    const [answer] = await this.#ask([{ command: 'getClient', username: id }])
    const { roles = [], groups = [] } = answer?.data?.client ?? {}
    const names = roles.map(({ rolename }) => rolename)
    const foreign = [...names.filter(role => !given.test(role)), ...groups.map(({ groupname }) => groupname)]
    if (foreign.length > 0)
      throw new Failure(`${id} is an account of the broker that is no sensor: it has ${foreign.join(', ')}`, {
        hint: 'nothing is changed; give the sensor another id',
      })
  }

  /** Fleets of several prefixes may share a broker. */
  #role(kind: 'sensor' | 'network', id: string): string {
    const { prefix } = this.#broker
    return `${prefix === 'sonde' ? '' : `${prefix}/`}${kind}-${id}`
  }

  #topics(topics: readonly string[]): string[] {
    return topics.map(topic => `${this.#broker.prefix}/${topic}`)
  }

  /** Doing what is done already is no failure. */
  async #each(commands: object[]): Promise<void> {
    if (commands.length === 0) return
    for (const { command, error } of await this.#ask(commands)) {
      const gone = /^(delete|remove)/.test(command) && /not found/i.test(error ?? '')
      if (error === undefined || /already|in role/i.test(error) || gone) continue
      throw new Failure(`the broker refused ${command}: ${error}`)
    }
  }

  /**
   * The answers in the order of the commands; none where nobody answers. Only some at once: mosquitto writes its whole file for
   * every change, and serves nobody meanwhile. It sends every answer to everybody who listens: ours carry our mark.
   */
  async #ask(commands: readonly object[]): Promise<Answer[]> {
    const correlationData = randomUUID()
    const responses = (answer: unknown): Answer[] =>
      (answer as { responses?: Answer[] } | null)?.responses ?? []
    const isOurs = (answer: unknown): boolean =>
      responses(answer).some(response => response.correlationData === correlationData)
    const answers: Answer[] = []
    for (let first = 0; first < commands.length; first += atOnce) {
      const some = commands.slice(first, first + atOnce).map(command => ({ ...command, correlationData }))
      const document = { commands: some }
      answers.push(
        ...responses(await this.#broker.control(controlTopic, document, `${controlTopic}/response`, isOurs)),
      )
    }
    return answers
  }
}

const acl = (acltype: string, topics: readonly string[]): object[] =>
  topics.map(topic => ({ acltype, topic, priority: 0, allow: true }))
