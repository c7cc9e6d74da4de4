/** The sensor's side of the link, with real documents and a real outbox, and no network behind it. */
import { join } from 'node:path'
import { inspect } from 'node:util'
import { DesiredState, type DesiredSettings } from '../../../agent/desired/state.ts'
import type { Reported } from '../../../agent/desired/reported.ts'
import type { Finding } from '../../../agent/errors.ts'
import type { Message } from '../../../agent/mqtt/connection.ts'
import { Link, type LinkSettings, type LinkStatus } from '../../../agent/mqtt/link.ts'
import { Outbox } from '../../../agent/mqtt/outbox.ts'
import { topicsOf, type Topics } from '../../../agent/desired/topics.ts'

export interface Sensor extends AsyncDisposable {
  topics: Topics
  link: Link
  outbox: Outbox
  state: DesiredState
  /** What the report says beside the documents. */
  facts: Record<string, unknown>
  report: () => void
  /** The last report that the broker acknowledged. */
  acknowledged: Record<string, unknown> | undefined
  /** An event of the timeline. */
  say: (text: string) => number
  commands: Message[]
  statuses: LinkStatus[]
  clones: Finding[]
  /** Topics of the documents that came, changed or not. */
  arrivals: string[]
  /** Monotonic ms of the moments the desired state changed. */
  changes: number[]
}

export interface SensorOptions extends Partial<LinkSettings> {
  directory: string
  url?: string
  name?: string
  desired?: Partial<DesiredSettings>
  /** The broker is reached whatever the state (management by an interface). */
  independent?: boolean
  onCommand?: (message: Message) => void | Promise<void>
}

export async function sensor({
  directory,
  url,
  name = 's1',
  desired,
  onCommand,
  independent = true,
  ...link
}: SensorOptions): Promise<Sensor> {
  const topics = topicsOf('sonde', name)
  const interfaces = [{ name: 'eth0', kind: 'wired' as const }]
  const state = await DesiredState.open({ directory, topics, interfaces, ...desired })
  const outbox = await Outbox.open({ directory: join(directory, 'outbox') })
  const report = () => {
    self.link.subscribeNetworks(state.view.subscriptions)
    self.link.report({ ...reportOf(name, state), ...self.facts })
  }
  const take = (topic: string, changed: boolean) => {
    self.arrivals.push(topic)
    if (changed) self.changes.push(performance.now())
    report()
  }
  const self: Sensor = {
    topics,
    state,
    outbox,
    facts: {},
    report,
    acknowledged: undefined,
    say: text => outbox.append({ at: Date.now(), event: 'test', severity: 'info', text }),
    commands: [],
    statuses: [],
    clones: [],
    changes: [],
    arrivals: [],
    link: new Link({ topics, urls: [url ?? ''], backoff: { first: 20, most: 200 }, ...link }, outbox, {
      sensorDocument: payload => take(topics.desired, state.offerSensorDocument(payload)),
      networkProfile: (id, payload) => take(topics.network(id), state.offerNetwork(id, payload)),
      command: message => {
        self.commands.push(message)
        return onCommand?.(message)
      },
      changed: status => self.statuses.push(status),
      reported: (sent, connectedAt) => {
        self.acknowledged = sent as Record<string, unknown>
        const { applied } = sent as { applied: { state: string } }
        state.reached(applied.state, connectedAt, independent)
      },
      cloned: finding => self.clones.push(finding),
    }),
    [Symbol.asyncDispose]: async () => {
      await self.link[Symbol.asyncDispose]()
      await outbox[Symbol.asyncDispose]()
      await state[Symbol.asyncDispose]()
    },
  }
  report()
  return self
}

const startedAt = new Date().toISOString()

/** As the agent reports, with every network joined. */
function reportOf(sensor: string, { view }: DesiredState): Reported {
  const { applied, awaited: awaiting, problems, rejected, desired } = view
  const now = new Date().toISOString()
  const networks = [...desired.tested, ...desired.enrollment].map(({ id, assignment, interface: port }) => [
    id,
    { phase: 'joined', role: assignment === '' ? 'enrollment' : 'tested', assignment, interface: port },
  ])
  return {
    schema: 1,
    at: now,
    about: {
      sensor,
      serial: `serial-${sensor}`,
      name: desired.name,
      model: 'simulated',
      hostname: sensor,
      macs: {},
      version: '0.1.0',
      node: process.version,
      startedAt,
    },
    clock: { trusted: true, source: 'system', system: 'right' },
    interfaces: {},
    networks: Object.fromEntries(networks) as Reported['networks'],
    schemas: { network: [1], sensor: [1] },
    ...{ applied, problems, awaiting, ...(rejected && { rejected }) },
  }
}

/** The broker has a report with the facts as they are now. */
export async function told(self: Sensor): Promise<void> {
  self.report()
  const known = () => Object.entries(self.facts).every(([key, value]) => self.acknowledged?.[key] === value)
  await until(known, 5000, () => standing(self))
}

/** Connected, or an error after 5 s. */
export const arrived = async (self: Sensor): Promise<void> => {
  self.link.arrive()
  await self.link.connected(AbortSignal.timeout(5000))
}

/** Polls nothing but the event loop, for at most 5 s. What it fails with says how things were: give it what to look at. */
export async function until(satisfied: () => boolean, ms = 5000, look?: () => unknown): Promise<void> {
  const end = performance.now() + ms
  while (!satisfied()) {
    if (performance.now() > end) {
      const seen = look === undefined ? '' : `\n${inspect(look(), { depth: 6, breakLength: 110 })}`
      throw new Error(`not within ${ms} ms: ${satisfied.toString()}${seen}`)
    }
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

/** Where a sensor stands, for the text of a failure. */
export const standing = ({ state, changes, link, outbox }: Sensor): unknown => ({
  ...{ view: state.view, changes, link: link.status, unsent: outbox.size },
})
