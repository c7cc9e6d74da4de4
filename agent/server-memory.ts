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
  /** Keywords of its last GetCACaps. */
  caps?: string[]
}

const methods: RenewalMethod[] = ['RenewalReq', 'PKCSReq', 're-enrol']

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

  /** What worked; else the first that was not refused, RenewalReq only where it is advertised. */
  method(url: string, advertised: boolean): RenewalMethod {
    const { works, refused } = this.#servers.get(url) ?? { refused: [] }
    const possible = methods.filter(method => method !== 'RenewalReq' || advertised)
    if (works && possible.includes(works)) return works
    return possible.find(method => !refused.includes(method)) ?? possible[0] ?? 'PKCSReq'
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
    if (this.#servers.get(url)?.works === works) return
    await this.#learn(url, { ...this.#servers.get(url), works, refused: [] })
  }

  /** A refusal may be about the password: what worked before is not forgotten, and the round begins anew after the last. */
  async refused(url: string, method: RenewalMethod): Promise<void> {
    const known = this.#servers.get(url) ?? { refused: [] }
    if (known.works === method) return
    const refused = [...known.refused.filter(other => other !== method), method]
    await this.#learn(url, { ...known, refused: refused.length < methods.length ? refused : [] })
  }

  async #learn(url: string, learned: Learned): Promise<void> {
    this.#servers.set(url, learned)
    await writeDurable(this.#path, JSON.stringify(Object.fromEntries(this.#servers)))
  }
}
