/**
 * `servers.json`: which way of renewing each SCEP server took or refused (B-70), and what it ever advertised (B-32). Learned, never needed:
 * without the file everything is found out again.
 */
import { join } from 'node:path'
import { readIfThere, writeDurable } from './durable.ts'

export type RenewalMethod = 'RenewalReq' | 'PKCSReq' | 're-enrol'

interface Learned {
  works?: RenewalMethod
  refused: RenewalMethod[]
  /** How often what worked was refused since, for requests of the same basis. */
  doubts?: { basis: string; count: number }
  /** Keywords of its last GetCACaps. */
  caps?: string[]
}

const methods: RenewalMethod[] = ['RenewalReq', 'PKCSReq', 're-enrol']

/** Refusals in a row of a way that has worked until another one is tried. */
const patience = 3

export class ServerMemory {
  readonly #path: string
  readonly #servers: Map<string, Learned>

  static async open(folder: string): Promise<ServerMemory> {
    const path = join(folder, 'servers.json')
    try {
      const known = JSON.parse((await readIfThere(path)) ?? '{}') as Record<string, Learned>
      return new ServerMemory(path, new Map(Object.entries(known)))
    } catch {
      return new ServerMemory(path, new Map())
    }
  }

  private constructor(path: string, servers: Map<string, Learned>) {
    this.#path = path
    this.#servers = servers
  }

  /**
   * What worked, unless it has been refused since, again and again; else the first that was not refused, RenewalReq only where it is
   * advertised. `basis` is what the profile says of the request: with another password what worked is tried first.
   */
  method(url: string, advertised: boolean, basis: string): RenewalMethod {
    const { works, refused, doubts } = this.#servers.get(url) ?? { refused: [] }
    const possible = methods.filter(method => method !== 'RenewalReq' || advertised)
    const proven = possible.find(method => method === works)
    if (proven && !(doubts?.basis === basis && doubts.count >= patience)) return proven
    return possible.find(method => !refused.includes(method)) ?? proven ?? possible[0] ?? 'PKCSReq'
  }

  /** Whether it has ever taken this. */
  proven(url: string, method: RenewalMethod): boolean {
    return this.#servers.get(url)?.works === method
  }

  /** What it advertised last time (B-32); remembers what it does now. */
  async advertised(url: string, caps: readonly string[]): Promise<readonly string[]> {
    const known = this.#servers.get(url) ?? { refused: [] }
    const before = known.caps ?? []
    const all = [...new Set([...before, ...caps])]
    if (all.length > before.length) await this.#learn(url, { ...known, caps: all })
    return before
  }

  async worked(url: string, works: RenewalMethod): Promise<void> {
    const { doubts, ...known }: Learned = this.#servers.get(url) ?? { refused: [] }
    if (known.works === works && !doubts) return
    await this.#learn(url, { ...known, works, refused: [] })
  }

  /**
   * A refusal may be about the password: what worked before is doubted only when it is refused several times over, since a server may be
   * exchanged for another one. The round begins anew after the last.
   */
  async refused(url: string, method: RenewalMethod, basis: string): Promise<void> {
    const known = this.#servers.get(url) ?? { refused: [] }
    const before = known.doubts?.basis === basis ? known.doubts.count : 0
    const doubted = known.works === method && { doubts: { basis, count: before + 1 } }
    if (doubted && doubted.doubts.count < patience) return this.#learn(url, { ...known, ...doubted })
    const refused = known.refused.includes(method) ? [method] : [...known.refused, method]
    await this.#learn(url, { ...known, ...doubted, refused })
  }

  async #learn(url: string, learned: Learned): Promise<void> {
    this.#servers.set(url, learned)
    await writeDurable(this.#path, JSON.stringify(Object.fromEntries(this.#servers)))
  }
}
