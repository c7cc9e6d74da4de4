/** The composition root: the one file that knows everybody. `sonde run` starts here; other commands go to the command line. */
import { connectSupplicant, type Supplicant } from '../supplicant/index.ts'
import { withBootstrap } from './bootstrap.ts'
import { Change } from './change.ts'
import { runCommand } from './cli.ts'
import { execute } from './commands.ts'
import type { Settings } from './config.ts'
import type { QueueSettings } from './core/renewal.ts'
import { report } from './core/report.ts'
import { diagnostics } from './diagnostics.ts'
import { ahead, effectsOf, Port, preflight, TrustFiles, type Context } from './effects/index.ts'
import { HealthSampler } from './health.ts'
import { Frequencies } from './frequencies.ts'
import { openLog, type Log } from './log.ts'
import { hurry } from './hurry.ts'
import { LinkProblem } from './link-problem.ts'
import { Loop } from './loop.ts'
import { Memory } from './memory.ts'
import { brokerLinkSettings } from './mqtt-settings.ts'
import { Commands } from './mqtt/commands.ts'
import { Link, type LinkEvents, type LinkSettings } from './mqtt/link.ts'
import { openParts, type Parts } from './parts.ts'
import { backAt, Reachability } from './reachability.ts'
import { documentsOf, type ReportedDocuments } from './reported-documents.ts'
import { Revert } from './revert.ts'
import { runnerOf } from './run.ts'
import { feedWatchdog, tellSystemd } from './sd-notify.ts'
import { Soon } from './soon.ts'
import { SpareKeyKeeper } from './spare-keys.ts'
import { StatusFile } from './status-file.ts'
import { TimeKeeper } from './time-keeper.ts'
import type { Actual, Desired, Network, TimelineEvent } from './types.ts'
import { version } from './version.ts'

/** Runs the agent until `stop` aborts; resolves when everything it took is given back. */
export async function runAgent(settings: Settings, stop: AbortSignal, restart: () => void): Promise<void> {
  const log = openLog(settings.logLevel)
  await using parts = await openParts(settings, log)
  log.info({ version, sensor: parts.identity.sensor, model: parts.identity.model }, 'agent started')
  const linkSettings = await brokerLinkSettings(settings, parts)
  await using supplicant = await connectSupplicant(settings.bus, {}, stop)
  using _hurry = hurry(supplicant, stop)
  await using agent = new Agent(settings, parts, supplicant, linkSettings, log, restart)
  await agent.run(stop)
}

class Agent implements AsyncDisposable {
  readonly #settings: Settings
  readonly #parts: Parts
  readonly #log: Log
  readonly #startedAt: number
  readonly #change = new Change()
  readonly #memory = new Memory()
  readonly #linkProblem = new LinkProblem()
  readonly #link: Link
  readonly #revert: Revert
  readonly #ports: ReadonlyMap<string, Port>
  readonly #context: Context
  readonly #time: TimeKeeper
  readonly #loop: Loop
  #commands: Commands | undefined
  #reported: object = {}
  #seen: { desired: Desired; actual: Actual } | undefined
  /** A step looks several times, and a report is sent once a second at most. */
  readonly #reports = new Soon(50, () => {
    this.#report()
  })
  readonly #status: StatusFile
  readonly #health: HealthSampler
  readonly #restart: () => void
  readonly #news: Disposable

  constructor(
    settings: Settings,
    parts: Parts,
    supplicant: Supplicant,
    link: LinkSettings,
    log: Log,
    restart: () => void,
  ) {
    this.#settings = settings
    this.#restart = restart
    this.#parts = parts
    this.#log = log
    this.#startedAt = parts.clock.now()
    this.#link = new Link({ ...link, now: this.#now }, parts.outbox, this.#linkEvents())
    this.#health = new HealthSampler(settings.stateDirectory)
    this.#status = new StatusFile(settings.runtimeDirectory)
    this.#revert = new Revert(parts.state, () => {
      this.#reverted()
    })
    const changed = (): void => {
      this.#change.notify()
    }
    const back = (joining: string): number => backAt(joining, this.#desired(), this.#now())
    const reachability = new Reachability(this.#link, settings.management === 'tested', back)
    const frequencies = new Frequencies(parts.store.root, log)
    const relieved = (codes: readonly string[], network?: string): void => {
      this.#memory.relieve(codes, this.#now(), network)
      changed()
    }
    const shared = {
      ...{ supplicant, changed, relieved, say: this.#say, now: this.#now },
      ...{ reachability, frequencies, history: (network: string) => this.#memory.of(network) },
    }
    this.#ports = new Map(settings.interfaces.map(each => [each.name, new Port({ ...each, ...shared })]))
    this.#context = this.#contextOf()
    this.#time = new TimeKeeper({
      ...{ clock: parts.clock, servers: settings.time.servers, changed, say: this.#say, log },
      paths: () => [...this.#ports.values()].flatMap(port => port.path ?? []),
    })
    this.#loop = this.#loopOf()
    this.#news = supplicant.on(changed)
  }

  async run(stop: AbortSignal): Promise<void> {
    const { sensor, serial, model } = this.#parts.identity
    const data = { sensor, serial, model, version }
    this.#say({ event: 'agent-started', severity: 'info', text: `agent ${version} started`, data })
    this.#link.subscribeNetworks(this.#parts.state.view.subscriptions)
    this.#commands = await this.#openCommands()
    await tellSystemd('--ready')
    using _watchdog = feedWatchdog(() => this.#loop.alive())
    using _health = this.#health.start(() => {
      this.#change.notify()
    })
    using _time = this.#time.start(stop)
    await this.#loop.run(stop)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#log.info('agent stops')
    this.#news[Symbol.dispose]()
    this.#revert[Symbol.dispose]()
    await this.#commands?.[Symbol.asyncDispose]()
    this.#reports[Symbol.dispose]()
    // While there still is a path: what is waiting to be said, and `offline`.
    await this.#link[Symbol.asyncDispose]()
    await Promise.all([...this.#ports.values()].map(port => port.close()))
  }

  readonly #now = (): number => this.#parts.clock.now()
  readonly #desired = (): Desired => withBootstrap(this.#parts.state.view.desired, this.#settings)
  readonly #say = (event: Omit<TimelineEvent, 'at'>): void => {
    this.#parts.outbox.append({ at: this.#now(), ...event })
  }

  #linkEvents(): LinkEvents {
    const { state } = this.#parts
    return {
      sensorDocument: payload => {
        this.#decided(state.offerSensorDocument(payload))
      },
      networkProfile: (id, payload) => {
        this.#decided(state.offerNetwork(id, payload))
      },
      command: message => this.#commands?.take(message),
      reported: (sent, connectedAt) => {
        const before = state.view.confirmed
        const independent = this.#settings.management !== 'tested'
        state.reached((sent as ReportedDocuments).applied.state, connectedAt, independent)
        if (state.view.confirmed !== before) this.#change.notify()
      },
      changed: status => {
        this.#log.debug({ link: status }, 'link')
        this.#linkProblem.look(status, this.#now())
        this.#status.beside(this.#linkProblem.unreached())
        this.#revert.arm(status)
      },
      cloned: problem => {
        this.#linkProblem.saw(problem, this.#now())
        this.#change.notify()
        this.#say({ event: problem.code, severity: 'error', text: problem.title, data: { problem } })
      },
    }
  }

  /** After every document: what is subscribed follows, and the loop looks again. */
  #decided(changed: boolean): void {
    this.#link.subscribeNetworks(this.#parts.state.view.subscriptions)
    if (changed) this.#loop.desiredChanged()
    else this.#change.notify()
    this.#revert.arm(this.#link.status)
  }

  #reverted(): void {
    const text = 'the broker was not reached with the desired state in force; another one is tried'
    this.#say({ event: 'desired-reverted', severity: 'error', text })
    this.#decided(true)
  }

  #contextOf(): Context {
    const { credentials, news, identity, clock, renewals, servers, store, outbox } = this.#parts
    return {
      ...{ credentials, news, identity, clock, renewals, servers, memory: this.#memory, log: this.#log },
      ...{ ports: this.#ports, desired: this.#desired, say: this.#say, now: this.#now },
      trust: new TrustFiles(store.trust),
      saved: () => outbox.saved(),
      whenTimeIsKnown: signal => this.#time.known(signal),
    }
  }

  /** Whether the network has had a certificate, or has failed to get one. */
  readonly #hasAsked = (network: string): boolean =>
    (this.#seen?.actual.credentials[network]?.current ?? this.#memory.of(network).setback) !== undefined

  #queue(): QueueSettings {
    const { interval, strict, spread } = this.#settings.renewals
    return { interval: interval * 1000, strict, spread, sensor: this.#parts.identity.sensor }
  }

  #loopOf(): Loop {
    const { spare, news } = this.#parts
    const keeper = this.#settings.spareKeys ? new SpareKeyKeeper(spare, this.#log) : undefined
    return new Loop({
      interfaces: [...this.#ports.keys()],
      ...{ change: this.#change, memory: this.#memory, log: this.#log, random: Math.random },
      ...{ desired: this.#desired, say: this.#say, now: this.#now },
      options: {
        brokerOverTested: this.#settings.management === 'tested',
        queue: this.#queue(),
      },
      observe: () => this.#observe(),
      effects: effectsOf(this.#context),
      ahead: steps => {
        ahead(steps, this.#context).catch((error: unknown) => {
          this.#log.warn({ err: error }, 'a key cannot be made ahead')
        })
      },
      idle: () => {
        keeper?.refill(this.#desired(), this.#hasAsked)
        news.record().catch((error: unknown) => {
          this.#log.error({ err: error }, 'what was said of a credential cannot be remembered')
        })
      },
      seen: (desired, actual) => {
        this.#seen = { desired, actual }
        this.#reports.ask()
      },
    })
  }

  #openCommands(): Promise<Commands> {
    const { store, clock } = this.#parts
    const context = this.#context
    const world = {
      ...{ context, change: this.#change, restart: this.#restart },
      diagnostics: () =>
        diagnostics(this.#settings, { reported: this.#reported, running: this.#loop.running }),
      preflight: (network: Network, signal: AbortSignal) => preflight(network, signal, context),
    }
    return Commands.open({
      directory: store.root,
      clock: () => ({ now: clock.now(), trusted: clock.reading.trusted }),
      execute: (command, signal) => execute(command, world, signal),
      reply: reply => {
        this.#link.reply(reply)
      },
      onError: error => {
        this.#log.error({ err: error }, 'a command cannot be dealt with')
      },
    })
  }

  async #observe(): Promise<Actual> {
    const states = [...this.#ports.values()].map(async port => [port.name, await port.state()] as const)
    const [interfaces, credentials] = await Promise.all([
      Promise.all(states),
      this.#parts.credentials.readAll(),
    ])
    return {
      confirmed: this.#parts.state.view.confirmed,
      interfaces: Object.fromEntries(interfaces),
      credentials,
      history: this.#memory.all(),
      renewals: this.#parts.renewals.state,
      clock: this.#parts.clock.reading,
    }
  }

  #report(): void {
    if (!this.#seen) return
    const { desired, actual } = this.#seen
    const { identity, clock, state } = this.#parts
    const { running } = this.#loop
    const about = { identity, version, node: process.version, startedAt: this.#startedAt }
    const device = { clock: clock.reading, health: this.#health.last, now: this.#now(), queue: this.#queue() }
    this.#reported = {
      ...report({ desired, actual, running, ...about, ...device }),
      ...documentsOf(state.view),
      ...this.#linkProblem.reported(this.#now()),
    }
    this.#link.report(this.#reported)
    this.#status.show(this.#reported)
  }
}

void runCommand(process.argv.slice(2), runnerOf(runAgent)).then(code => {
  process.exitCode = code
})
