/** A real mosquitto on loopback, on a port and in a folder of its own. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from '../free-port.ts'

export interface Broker extends AsyncDisposable {
  port: number
  url: string
  directory: string
  pid: () => number
  stop: (signal?: NodeJS.Signals) => Promise<void>
  start: () => Promise<void>
  /** Its log has a line like this, from now on. */
  says: (line: RegExp) => Promise<void>
  /** How many lines of its log match, from now on and over all its lives. */
  counts: (line: RegExp) => () => number
}

/** Sessions and what is retained or queued in them outlive the broker. */
export const lasting: readonly string[] = [
  'allow_anonymous true',
  'persistence true',
  'persistence_location %d/',
  'autosave_on_changes true',
  'autosave_interval 1',
]

/** @param lines more lines of mosquitto.conf; `%d` is the broker's folder */
export async function mosquitto(lines: readonly string[] = ['allow_anonymous true']): Promise<Broker> {
  const directory = await mkdtemp(join(tmpdir(), 'sonde-mosquitto-'))
  const port = await freePort()
  const configuration = join(directory, 'mosquitto.conf')
  const fixed = [
    `listener ${port} 127.0.0.1`,
    'user root',
    'set_tcp_nodelay true',
    'max_queued_messages 1000000',
  ]
  const own = lines.map(line => line.replaceAll('%d', directory))
  await writeFile(configuration, [...fixed, ...own, ''].join('\n'))
  return daemon('mosquitto', ['-v', '-c', configuration], / running/, directory, port)
}

/** A real nats-server with JetStream, which speaks MQTT 3.1.1 alone. @param lines more of its configuration */
export async function nats(lines: readonly string[] = []): Promise<Broker> {
  const { broker } = await natsServer(port => [`mqtt { host: 127.0.0.1, port: ${port} }`, ...lines])
  return broker
}

const published = new URL('../../../config/nats/', import.meta.url)

/** The same, set up as config/nats/ says: it keeps what it has taken, and hands it over in order. */
export async function natsThatKeeps(lines: readonly string[] = []): Promise<Broker> {
  const settings = await readFile(new URL('sonde.conf', published), 'utf8')
  const { broker, own } = await natsServer(port => [
    settings
      .replaceAll(/^(?:server_name|jetstream).*$/gm, '')
      .replace(/^ {2}port: 1883$/m, `  host: 127.0.0.1, port: ${port}`)
      .replace('#max_ack_pending', 'max_ack_pending'),
    ...lines,
  ])
  try {
    await promisify(execFile)(fileURLToPath(new URL('messages', published)), ['127.0.0.1', String(own)])
  } catch (error) {
    await broker[Symbol.asyncDispose]()
    throw error
  }
  return broker
}

/** @param lines the rest of its configuration, by its port for MQTT */
async function natsServer(
  lines: (port: number) => readonly string[],
): Promise<{ broker: Broker; own: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'sonde-nats-'))
  const [port, own] = [await freePort(), await freePort()]
  const configuration = join(directory, 'nats.conf')
  const fixed = ['server_name: lab', `listen: 127.0.0.1:${own}`, `jetstream { store_dir: "${directory}/js" }`]
  await writeFile(configuration, [...fixed, ...lines(port), ''].join('\n'))
  const broker = await daemon('nats-server', ['-c', configuration], /Server is ready/, directory, port)
  return { broker, own }
}

/** A broker that says `ready` when it listens; its folder goes with it. */
export async function daemon(
  command: string,
  args: string[],
  ready: RegExp,
  directory: string,
  port: number,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Broker> {
  let child: ChildProcess | undefined
  const counters: { line: RegExp; count: number }[] = []
  const start = async () => {
    // It goes with this process, however that ends.
    const starting = spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment,
    })
    child = starting
    for (const stream of [starting.stdout, starting.stderr])
      createInterface({ input: stream }).on('line', text => {
        for (const counter of counters) if (counter.line.test(text)) counter.count += 1
      })
    await says(starting, ready).catch((error: unknown) => {
      starting.kill('SIGKILL')
      throw error
    })
  }
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    const running = child
    child = undefined
    if (running?.exitCode !== null) return
    running.kill(signal)
    await once(running, 'exit')
  }
  await start()
  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    directory,
    pid: () => child?.pid ?? 0,
    start,
    stop,
    says: async line => {
      if (child === undefined) throw new Error('the broker is not running')
      await says(child, line)
    },
    counts: line => {
      const counter = { line, count: 0 }
      counters.push(counter)
      return () => counter.count
    },
    [Symbol.asyncDispose]: async () => {
      await stop('SIGKILL')
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Resolves with a log that matches, from now on; rejects after 60 s, or when the broker ends. */
async function says(child: ChildProcess, text: RegExp): Promise<void> {
  const stop = new AbortController()
  try {
    await new Promise<void>((resolve, reject) => {
      let log = ''
      const fail = (why: string) => () => reject(new Error(`the broker ${why}: ${String(text)}\n${log}`))
      const timer = setTimeout(fail('does not say within 60 s'), 60_000)
      const hear = (data: Buffer) => {
        if (log.length < 65536) log += data.toString()
        if (text.test(log)) resolve()
      }
      const ended = fail('ended before it said')
      child.once('exit', ended).once('error', reject)
      const streams = [child.stdout, child.stderr]
      for (const stream of streams) stream?.on('data', hear)
      stop.signal.addEventListener('abort', () => {
        clearTimeout(timer)
        child.off('exit', ended).off('error', reject)
        for (const stream of streams) stream?.off('data', hear)
      })
    })
  } finally {
    stop.abort()
  }
}
