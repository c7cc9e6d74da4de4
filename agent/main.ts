/** The composition root: the one file that knows everybody. `sonde run` starts here; other commands go to the command line. */
import { connectSupplicant } from '../supplicant/index.ts'
import { withBootstrap } from './bootstrap.ts'
import { Change } from './change.ts'
import { listenToCheckpoints } from './checkpoint.ts'
import { runCommand } from './cli.ts'
import { readSettings, type Settings } from './config.ts'
import { report } from './core/report.ts'
import { Credentials } from './credentials.ts'
import { schemas } from './desired/parse.ts'
import { DesiredState, type DesiredView } from './desired/state.ts'
import { ahead, effectsOf, Port, TrustFiles, type Context } from './effects/index.ts'
import { readIdentity } from './identity.ts'
import { SpareKeys } from './keys.ts'
import { openLog, type Log } from './log.ts'
import { Loop } from './loop.ts'
import { Memory } from './memory.ts'
import { brokerLinkSettings } from './mqtt-settings.ts'
import { Link } from './mqtt/link.ts'
import { Outbox } from './mqtt/outbox.ts'
import { topicsOf } from './mqtt/topics.ts'
import { sweepLeftovers } from './path/index.ts'
import { Reachability } from './reachability.ts'
import { tellSystemd, watchdogPeriod } from './sd-notify.ts'
import { openStore } from './store.ts'
import type { Actual, Desired, Identity, TimelineEvent } from './types.ts'
import { version } from './version.ts'

/** Runs the agent until `stop` aborts; resolves when everything it took is given back. */
export async function runAgent(settings: Settings, stop: AbortSignal): Promise<void> {
  const log = openLog(settings.logLevel)
  const startedAt = Date.now()
  const [identity, store] = await Promise.all([
    readIdentity(settings),
    openStore(settings.stateDirectory),
    sweepLeftovers(),
  ])
  log.info({ version, sensor: identity.sensor, model: identity.model }, 'agent started')
  const topics = topicsOf(settings.mqtt.prefix, identity.sensor)
  const change = new Change()
  const memory = new Memory()
  const spare = settings.spareKeys ? new SpareKeys(store.spareKeys) : undefined
  const credentials = new Credentials(store.credentials, spare)
  const fault = (what: string) => (error: unknown) => {
    log.error({ err: error }, what)
  }
  const [outbox, state, linkSettings] = await Promise.all([
    Outbox.open({ directory: `${store.root}/outbox`, onError: fault('the outbox cannot be written') }),
    DesiredState.open({
      directory: store.root,
      topics,
      interfaces: settings.interfaces,
      ...(settings.name !== undefined && { name: settings.name }),
      ...(settings.bootstrap && { bootstrap: settings.bootstrap }),
      onCacheError: fault('the desired state cannot be cached'),
    }),
    brokerLinkSettings(settings, topics),
    credentials.recover(),
  ])
  await using _outbox = outbox
  await using _state = state
  await using supplicant = await connectSupplicant(settings.bus, {}, stop)

  const say = (event: Omit<TimelineEvent, 'at'>): void => {
    outbox.append({ at: Date.now(), ...event })
  }
  const desired = (): Desired => withBootstrap(state.view.desired, settings)
  const independent = settings.management !== 'tested'
  const decided = (changed: boolean): void => {
    link.subscribeNetworks(state.view.subscriptions)
    if (changed) loop.desiredChanged()
    else change.notify()
  }
  const link = new Link(linkSettings, outbox, {
    sensorDocument: payload => {
      decided(state.offerSensorDocument(payload))
    },
    networkProfile: (id, payload) => {
      decided(state.offerNetwork(id, payload))
    },
    command: () => undefined,
    reported: (sent, connectedAt) => {
      const before = state.view.confirmed
      state.reached((sent as ReportedDocuments).applied.state, connectedAt, independent)
      if (state.view.confirmed !== before) change.notify()
    },
    changed: status => {
      log.debug({ link: status }, 'link')
      armRevert()
    },
    cloned: finding => {
      say({ event: 'identity-in-use', severity: 'error', text: finding.title, data: { problem: finding } })
    },
  })
  await using _link = link

  let revert: NodeJS.Timeout | undefined
  const armRevert = (): void => {
    clearTimeout(revert)
    const at = link.status.state === 'connected' ? undefined : state.decisionAt(link.status.since)
    if (at === undefined) return
    const decide = (): void => {
      if (!state.cutOff(link.status.since)) return
      say({
        event: 'desired-reverted',
        severity: 'error',
        text: 'the broker was not reached with the new desired state; the one before it is tried',
      })
      decided(true)
    }
    revert = setTimeout(decide, Math.max(0, at - performance.now()))
  }

  link.subscribeNetworks(state.view.subscriptions)
  const reachability = new Reachability(link, !independent)
  const now = (): number => Date.now()
  const ports = new Map(
    settings.interfaces.map(({ name, kind }) => {
      const changed = (): void => {
        change.notify()
      }
      return [name, new Port({ name, kind, supplicant, changed, say, now, reachability })]
    }),
  )
  const context: Context = {
    ...{ ports, credentials, memory, identity, log, desired, say, now },
    trust: new TrustFiles(store.trust),
  }
  const observe = async (): Promise<Actual> => {
    const states = [...ports.values()].map(async port => [port.name, await port.state()] as const)
    const interfaces = Object.fromEntries(await Promise.all(states))
    const { confirmed } = state.view
    return { confirmed, interfaces, credentials: await credentials.readAll(), history: memory.all() }
  }
  const loop: Loop = new Loop({
    interfaces: [...ports.keys()],
    ...{ change, memory, log, desired, observe, say, now },
    options: { brokerOverTested: !independent },
    effects: effectsOf(context),
    ahead: steps => {
      ahead(steps, context).catch(fault('a key cannot be made ahead'))
    },
    idle: () => {
      if (spare) refill(spare, desired(), now(), log)
    },
    seen: (seen, actual) => {
      link.report({
        ...report({ desired: seen, actual, running: loop.running, identity, version, startedAt, now: now() }),
        ...documentsOf(state),
      })
    },
    random: Math.random,
  })
  using _news = supplicant.on(() => {
    change.notify()
  })
  say({
    event: 'agent-started',
    severity: 'info',
    text: `agent ${version} started`,
    data: aboutStart(identity),
  })
  await tellSystemd('--ready')
  using _watchdog = feedWatchdog(loop)
  try {
    await loop.run(stop)
  } finally {
    clearTimeout(revert)
    log.info('agent stops')
    // While there still is a path: what is waiting to be said, and `offline`.
    await link[Symbol.asyncDispose]()
    await Promise.all([...ports.values()].map(port => port.close()))
  }
}

interface ReportedDocuments {
  schemas: typeof schemas
  applied: DesiredView['applied']
  problems: DesiredView['problems']
  awaiting: DesiredView['awaited']
  rejected?: DesiredView['rejected']
}

/** What the report says of the documents themselves. */
const documentsOf = ({ view }: DesiredState): ReportedDocuments => ({
  schemas,
  applied: view.applied,
  problems: view.problems,
  awaiting: view.awaited,
  ...(view.rejected && { rejected: view.rejected }),
})

const aboutStart = ({ sensor, serial, model }: Identity): Record<string, unknown> => ({
  sensor,
  serial,
  model,
  version,
})

/** One spare key of each kind that the assigned networks ask for, one after the other. */
let refilling = false
function refill(spare: SpareKeys, desired: Desired, now: number, log: Log): void {
  if (refilling) return
  const kinds = new Set(desired.tested.flatMap(({ profile }) => profile.scep?.key ?? []))
  refilling = true
  const all = async (): Promise<void> => {
    for (const kind of kinds) await spare.refill(kind, now)
  }
  all()
    .catch((error: unknown) => {
      log.warn({ err: error }, 'a spare key cannot be made')
    })
    .finally(() => {
      refilling = false
    })
}

/** The watchdog is fed when every lane has looked or is in a step that is not overdue: a stuck loop starves it. */
function feedWatchdog(loop: Loop): Disposable {
  const period = watchdogPeriod(process.env)
  if (period === undefined) return { [Symbol.dispose]: () => undefined }
  const timer = setInterval(() => {
    void loop.alive().then(alive => (alive ? tellSystemd('WATCHDOG=1') : undefined))
  }, period)
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer)
    },
  }
}

async function run(file: string): Promise<number> {
  listenToCheckpoints(process.env)
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => {
      stop.abort(new DOMException(signal, 'AbortError'))
    })
  await runAgent(await readSettings(file, process.env), stop.signal)
  return 0
}

void runCommand(process.argv.slice(2), run).then(code => {
  process.exitCode = code
})
