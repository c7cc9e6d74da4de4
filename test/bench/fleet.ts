/**
 * `npm run bench -- fleet [--full]`: simulated sensors (real link, documents and outbox; the networks behind them are not) on one
 * mosquitto on this machine, beside a bare mqtt.js client that publishes the same. Says when something was lost to a subscriber
 * of the whole fleet; exit code 1 then.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { mosquitto, type Broker } from '../lab/mqtt/broker.ts'
import { operator } from '../lab/mqtt/operator.ts'

interface Figures {
  kind: 'sonde' | 'bare'
  sensors: number
  connectMs: number
  /** A changed network document, applied and reported by all: median of `rounds`. */
  appliedMs: number
  brokerKbEach: number
  clientKbEach: number
  lost: number
}

const rounds = 5

export async function run(args: string[], signal: AbortSignal): Promise<number> {
  const sizes = args.includes('--full') ? [100, 1000, 5000] : [100, 1000]
  const all: Figures[] = []
  for (const sensors of sizes) {
    for (const kind of ['bare', 'sonde'] as const) {
      signal.throwIfAborted()
      const figures = await measure(kind, sensors)
      all.push(figures)
      process.stderr.write(`${kind} ${sensors}: applied by all in ${figures.appliedMs.toFixed(0)} ms\n`)
    }
  }
  const ratios = sizes.map(sensors => {
    const [bare, sonde] = (['bare', 'sonde'] as const).map(kind =>
      all.find(f => f.kind === kind && f.sensors === sensors),
    )
    const ratio = (pick: (figures: Figures) => number) =>
      Number((pick(sonde ?? none) / pick(bare ?? none)).toFixed(2))
    return {
      sensors,
      applied: ratio(f => f.appliedMs),
      broker: ratio(f => f.brokerKbEach),
      client: ratio(f => f.clientKbEach),
    }
  })
  const growth = Number(((all.at(-1)?.clientKbEach ?? 0) / (all[1]?.clientKbEach ?? 1)).toFixed(2))
  const lost = all.reduce((sum, figures) => sum + figures.lost, 0)
  process.stdout.write(
    `${table(all)}\n${JSON.stringify({ figures: all, ratios, memoryGrowthPerSensor: growth, lost })}\n`,
  )
  return lost === 0 ? 0 : 1
}

const none: Figures = {
  kind: 'bare',
  sensors: 0,
  connectMs: NaN,
  appliedMs: NaN,
  brokerKbEach: NaN,
  clientKbEach: NaN,
  lost: 0,
}

async function measure(kind: 'sonde' | 'bare', sensors: number): Promise<Figures> {
  // The disks of a fleet are its own; in memory they do not queue for one here.
  const place = await stat('/dev/shm').then(
    () => '/dev/shm',
    () => tmpdir(),
  )
  const folder = await mkdtemp(join(place, 'sonde-fleet-'))
  await using _ = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
  await using broker = await mosquitto()
  await using console = await operator(broker.url, ['sonde/sensors/+/reported', 'sonde/sensors/+/events'])
  await console.publish('sonde/networks/all', profile(0), { retain: true })
  const names = Array.from({ length: sensors }, (_, i) => `f${i}`)
  await Promise.all(
    names.map(name =>
      console.publish(
        `sonde/sensors/${name}/desired`,
        { schema: 1, version: 1, networks: [{ network: 'all', assignment: 'a' }] },
        { retain: true },
      ),
    ),
  )
  await using fleet = worker(kind, sensors, broker, folder)
  const [before, brokerBefore] = [await fleet.ask('memory'), await residentKb(broker)]
  const start = performance.now()
  await fleet.ask('connect')
  await reportedBy(console.received, 0, names)
  const connectMs = performance.now() - start
  await pause(1200)
  const [after, brokerAfter] = [await fleet.ask('memory'), await residentKb(broker)]
  const times: number[] = []
  for (let revision = 1; revision <= rounds; revision++) {
    const published = performance.now()
    await console.publish('sonde/networks/all', profile(revision), { retain: true })
    await reportedBy(console.received, revision, names)
    times.push(performance.now() - published)
    await pause(1200)
  }
  await fleet.ask('say')
  const lost = await missingEvents(console.received, names)
  return {
    kind,
    sensors,
    connectMs,
    appliedMs: times.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? NaN,
    brokerKbEach: (brokerAfter - brokerBefore) / sensors,
    clientKbEach: (after - before) / 1024 / sensors,
    lost,
  }
}

const profile = (revision: number): object => ({
  schema: 1,
  alias: `revision ${revision}`,
  interface: 'wired',
})

type Messages = readonly { topic: string; payload: Buffer }[]

/** Everyone's report names the hash of this revision. */
async function reportedBy(received: Messages, revision: number, names: readonly string[]): Promise<void> {
  const hash = createHash('sha256')
    .update(JSON.stringify(profile(revision)))
    .digest('hex')
  await everyone(received, names, 'reported', payload => payload.includes(hash), 120_000)
}

async function missingEvents(received: Messages, names: readonly string[]): Promise<number> {
  return everyone(received, names, 'events', () => true, 20_000).then(
    () => 0,
    (error: unknown) => (error instanceof Missing ? error.count : names.length),
  )
}

async function everyone(
  received: Messages,
  names: readonly string[],
  part: string,
  fits: (payload: Buffer) => boolean,
  ms: number,
): Promise<void> {
  const waiting = new Set(names.map(name => `sonde/sensors/${name}/${part}`))
  const end = performance.now() + ms
  for (let looked = 0; waiting.size > 0;) {
    for (; looked < received.length; looked++) {
      const message = received[looked]
      if (message && waiting.has(message.topic) && fits(message.payload)) waiting.delete(message.topic)
    }
    if (performance.now() > end) throw new Missing(waiting.size, names.length)
    if (waiting.size > 0) await pause(1)
  }
}

class Missing extends Error {
  readonly count: number
  constructor(count: number, of: number) {
    super(`${count} of ${of} are missing`)
    this.count = count
  }
}

interface Worker extends AsyncDisposable {
  /** Does it, and answers with the resident bytes of the process. */
  ask: (what: 'memory' | 'connect' | 'say') => Promise<number>
}

function worker(kind: string, sensors: number, broker: Broker, folder: string): Worker {
  const loader = fileURLToPath(new URL('../setup/typescript.mjs', import.meta.url))
  const file = fileURLToPath(new URL('./fleet/worker.ts', import.meta.url))
  const child = spawn(
    process.execPath,
    ['--expose-gc', '--import', loader, file, kind, String(sensors), broker.url, folder],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    ask: async what => {
      child.stdin.write(`${what}\n`)
      const line: IteratorResult<string> = await lines.next()
      if (line.done === true) throw new Error(`the ${kind} clients ended`)
      return Number(line.value)
    },
    [Symbol.asyncDispose]: async () => {
      const ended = new Promise(resolve => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function residentKb(broker: Broker): Promise<number> {
  const status = await readFile(`/proc/${broker.pid()}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])
}

function table(all: readonly Figures[]): string {
  const head = 'clients      N  connect ms  applied by all ms  broker KB each  client KB each  lost'
  const rows = all.map(f =>
    [
      f.kind.padEnd(7),
      String(f.sensors).padStart(6),
      f.connectMs.toFixed(0).padStart(11),
      f.appliedMs.toFixed(0).padStart(18),
      f.brokerKbEach.toFixed(1).padStart(15),
      f.clientKbEach.toFixed(1).padStart(15),
      String(f.lost).padStart(5),
    ].join(' '),
  )
  return [head, ...rows].join('\n')
}
