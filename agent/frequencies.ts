/**
 * `frequencies.json`: where each SSID was met, so that the radio looks there before it looks everywhere, which takes
 * seconds. Learned, never needed: without the file it is found out again.
 */
import { join } from 'node:path'
import { heard, isSupplicantError, type SupplicantInterface } from '../supplicant/index.ts'
import { readIfThere, writeDurable } from './durable.ts'
import type { Log } from './log.ts'

/** Looking at more channels than these is hardly shorter than looking everywhere. */
const most = 8

/** Seconds; what was heard longer ago counts for nothing. */
const recent = 60

type Ssid = string | Uint8Array | undefined

export class Frequencies {
  readonly #path: string
  readonly #log: Log
  #met: Promise<Map<string, number[]>> | undefined

  constructor(folder: string, log: Log) {
    this.#path = join(folder, 'frequencies.json')
    this.#log = log
  }

  /** MHz, those of the strongest access points first; empty for an SSID that was never met, and on a wire. */
  async of(ssid: Ssid): Promise<readonly number[]> {
    if (ssid === undefined) return []
    this.#met ??= this.#read()
    return (await this.#met).get(nameOf(ssid)) ?? []
  }

  /** After a join: remembers where its access points are heard. Written only when something changed, to spare the card. */
  async learn(radio: SupplicantInterface, ssid: Ssid): Promise<void> {
    if (ssid === undefined) return
    try {
      const name = nameOf(ssid)
      const there = (await heard(radio)).filter(bss => nameOf(bss.ssid) === name && bss.age <= recent)
      const now = [...new Set(there.map(({ frequency }) => frequency))].slice(0, most)
      const before = await this.of(ssid)
      if (now.length === 0 || (now.length === before.length && now.every(one => before.includes(one)))) return
      const all = await this.#met
      all?.set(name, now)
      await writeDurable(this.#path, JSON.stringify(Object.fromEntries(all ?? [])))
    } catch (error) {
      if (!isSupplicantError(error)) this.#log.warn({ err: error }, 'the frequencies cannot be remembered')
    }
  }

  async #read(): Promise<Map<string, number[]>> {
    try {
      const known = JSON.parse((await readIfThere(this.#path)) ?? '{}') as Record<string, number[]>
      return new Map(Object.entries(known).filter(([, list]) => list.every(Number.isInteger)))
    } catch {
      return new Map()
    }
  }
}

const nameOf = (ssid: string | Uint8Array): string => Buffer.from(ssid).toString()
