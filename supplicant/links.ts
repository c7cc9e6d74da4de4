import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'

export interface LinkChange {
  name: string
  carrier: boolean
  /** Administratively up; a link that is down has no carrier either, whatever the cable. */
  enabled: boolean
  /** The kernel's number of it. */
  index: number
  /** It was taken out of the machine, or has another name now. */
  gone: boolean
}

/** What the `ip` command prints about one link, `ip -o link show` and `ip -o monitor link` alike. */
export function parseLink(line: string): LinkChange | undefined {
  const found = /^(?<deleted>Deleted )?(?<index>\d+): (?<name>[^:@\s]+)(?:@[^:]*)?: <(?<flags>[^>]*)>/.exec(
    line,
  )?.groups
  const name = found?.['name']
  if (found === undefined || name === undefined) return undefined
  const gone = found['deleted'] !== undefined
  const flags = gone ? [] : (found['flags'] ?? '').split(',')
  const index = Number(found['index'])
  return { name, carrier: flags.includes('LOWER_UP'), enabled: flags.includes('UP'), index, gone }
}

/** How often the kernel has seen the carrier come or go. */
function carrierChanges(name: string): number | undefined {
  try {
    return Number(readFileSync(`/sys/class/net/${name}/carrier_changes`, 'utf8'))
  } catch {
    return undefined
  }
}

/**
 * Carrier of the machine's links as events. The supplicant's State stays `completed` over a pulled cable, sysfs files
 * cannot be watched, and Node has no netlink socket, so one `ip monitor link` child tells (rtnetlink underneath).
 * Where `ip` is missing the carrier is unknown (undefined) and nothing else changes. The kernel tells of carriers once a second at most
 * where it is in no hurry, for all links together: one that was gone for a moment may look as if nothing had been, but it is counted.
 */
export class Links implements Disposable {
  readonly #ip: readonly string[]
  readonly #changesOf: (name: string) => number | undefined
  readonly #changes = new Map<string, number | undefined>()
  readonly #links = new Map<string, LinkChange>()
  readonly #listeners = new Set<(change: LinkChange) => void>()
  readonly #children = new Set<ChildProcess>()
  #restart: NodeJS.Timeout | undefined
  #ready: Promise<void> | undefined
  #disposed = false

  /** `ip` is the command with its options before the object, e.g. `['ip', '-n', 'sensor']`: the counts of others are not to be had. */
  constructor(
    ip: readonly string[] = ['ip'],
    changesOf = ip.length === 1 ? carrierChanges : (): undefined => undefined,
  ) {
    this.#ip = ip
    this.#changesOf = changesOf
  }

  /** Starts watching at the first call; resolves once the present state of all links is known. */
  ready(): Promise<void> {
    this.#ready ??= this.#watch()
    return this.#ready
  }

  carrier(name: string): boolean | undefined {
    return this.#links.get(name)?.carrier
  }

  enabled(name: string): boolean | undefined {
    return this.#links.get(name)?.enabled
  }

  /** Told of every link that changed in carrier or state, went, or came back. */
  on(listener: (change: LinkChange) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  counts(): { children: number; listeners: number } {
    return { children: this.#children.size, listeners: this.#listeners.size }
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    clearTimeout(this.#restart)
    for (const child of this.#children) child.kill('SIGKILL')
    this.#listeners.clear()
  }

  // The monitor is there before the dump is taken, so that no change can fall between the two.
  async #watch(): Promise<void> {
    const ended = await this.#run(['-o', 'monitor', 'link'])
    const before = [...this.#links.values()]
    const names = new Set<string>()
    await (
      await this.#run(['-o', 'link', 'show'], line => names.add(parseLink(line)?.name ?? ''))
    ).done
    // What went while nobody watched; where `ip` said nothing at all nothing is known.
    for (const link of names.size > 0 ? before : []) if (!names.has(link.name)) this.#vanished(link)
    void ended.done.then(() => {
      if (this.#disposed || !ended.spawned) return
      this.#restart = setTimeout(() => void this.#watch(), 1_000)
    })
  }

  #run(
    args: readonly string[],
    heard: (line: string) => unknown = () => undefined,
  ): Promise<{ spawned: boolean; done: Promise<void> }> {
    const [command = 'ip', ...before] = this.#ip
    return new Promise(resolve => {
      if (this.#disposed) {
        resolve({ spawned: false, done: Promise.resolve() })
        return
      }
      const child = spawn(command, [...before, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
      this.#children.add(child)
      child.unref()
      // A pipe is a socket underneath: neither it nor the child shall keep a process alive that is done.
      if (child.stdout instanceof Socket) child.stdout.unref()
      const done = new Promise<void>(end => {
        child.once('close', () => {
          this.#children.delete(child)
          end()
        })
      })
      createInterface({ input: child.stdout }).on('line', line => {
        heard(line)
        this.#line(line)
      })
      child.once('spawn', () => {
        resolve({ spawned: true, done })
      })
      child.once('error', () => {
        this.#children.delete(child)
        resolve({ spawned: false, done: Promise.resolve() })
      })
    })
  }

  #line(line: string): void {
    const change = parseLink(line)
    if (change === undefined) return
    // Another name of the same link, or another link of the same name: the one that was known is no more.
    for (const link of [...this.#links.values()])
      if ((link.index === change.index) !== (link.name === change.name)) this.#vanished(link)
    const before = this.#links.get(change.name)
    const counted = this.#changes.get(change.name)
    const changes = this.#changesOf(change.name)
    const same = before?.carrier === change.carrier && before.enabled === change.enabled
    if (same && before.gone === change.gone) {
      // Away and back: of a single change the line is still to come.
      if (!change.carrier || counted === undefined || changes === undefined || changes < counted + 2) return
      this.#tell({ ...change, carrier: false })
    }
    this.#changes.set(change.name, changes)
    this.#tell(change)
  }

  #vanished(link: LinkChange): void {
    if (!link.gone) this.#tell({ ...link, carrier: false, enabled: false, gone: true })
  }

  #tell(change: LinkChange): void {
    this.#links.set(change.name, change)
    for (const listener of [...this.#listeners]) listener(change)
  }
}
