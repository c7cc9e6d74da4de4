/**
 * How the device itself is doing, read from where the kernel says it for nothing. Sampled every five minutes and rounded, so
 * that a report is not published for a degree more.
 */
import { readFile, statfs } from 'node:fs/promises'
import { loadavg, uptime } from 'node:os'
import type { Health } from './types.ts'

const every = 300_000

export class HealthSampler {
  readonly #folder: string
  #last: Health | undefined

  /** `folder`: on the disk that must not become full. */
  constructor(folder: string) {
    this.#folder = folder
  }

  get last(): Health | undefined {
    return this.#last && { ...this.#last, uptime: Math.round(uptime()) }
  }

  start(changed: () => void): Disposable {
    const sample = (): void => {
      void readHealth(this.#folder).then(health => {
        this.#last = health
        changed()
      })
    }
    sample()
    const timer = setInterval(sample, every)
    return {
      [Symbol.dispose]: () => {
        clearInterval(timer)
      },
    }
  }
}

async function readHealth(folder: string): Promise<Health> {
  const [thermal, memory, disk] = await Promise.all([
    numberIn('/sys/class/thermal/thermal_zone0/temp', /^(\d+)/),
    numberIn('/proc/meminfo', /^MemAvailable:\s+(\d+)/m),
    statfs(folder).catch(() => undefined),
  ])
  const tens = (megabytes: number): number => Math.round(megabytes / 10) * 10
  return {
    ...(thermal !== undefined && { temperature: Math.round(thermal / 1000) }),
    load: Math.round((loadavg()[2] ?? 0) * 10) / 10,
    memoryAvailable: tens((memory ?? 0) / 1024),
    diskAvailable: tens(disk ? (disk.bavail * disk.bsize) / 1024 ** 2 : 0),
    uptime: Math.round(uptime()),
  }
}

async function numberIn(path: string, pattern: RegExp): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const found = pattern.exec(text)?.[1]
  return found === undefined ? undefined : Number(found)
}
