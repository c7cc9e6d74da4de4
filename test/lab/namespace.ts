import { spawnSync } from 'node:child_process'
import { readdir, rm, mkdir } from 'node:fs/promises'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './command.ts'
import { atDeath } from './last-resort.ts'

export const roles = ['sensor', 'switch', 'backend'] as const
export type Role = (typeof roles)[number]

const owned = /^sonde-(\d+)-(\d+)/
let count = 0

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Its owner is dead, also where we have got its number: a container that is started again counts processes from 1. */
export function isLeftover(name: string): boolean {
  const [, owner, number] = owned.exec(name) ?? []
  if (owner === undefined) return false
  return Number(owner) === process.pid ? Number(number) > count : !alive(Number(owner))
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => [])
}

/**
 * Removes namespaces, what still runs in them, and folders of labs whose owner is dead. The name carries the owner's pid,
 * so that nobody else's lab is touched.
 */
export async function sweep(): Promise<void> {
  const spaces = (await names('/run/netns')).filter(isLeftover)
  for (const space of spaces) {
    const pids = await run('ip', ['netns', 'pids', space]).catch(() => '')
    for (const pid of pids.split('\n').filter(Boolean)) {
      try {
        process.kill(Number(pid), 'SIGKILL')
      } catch {
        // it ended meanwhile
      }
    }
    await run('ip', ['netns', 'del', space]).catch(() => undefined) // another lab's sweep was faster
  }
  const folders = (await names(tmpdir())).filter(isLeftover)
  await Promise.all(folders.map(folder => rm(join(tmpdir(), folder), { recursive: true, force: true })))
}

/** The three namespaces of one lab and its folder for configuration, logs and sockets. */
export class Namespaces implements AsyncDisposable {
  /** `sonde-<pid>-<n>`: unique on this machine while this process lives. */
  readonly id: string
  readonly folder: string
  readonly #keep: boolean
  readonly #death: Disposable

  constructor(folder: string | undefined) {
    this.id = `sonde-${process.pid}-${++count}`
    this.folder = folder ?? join(tmpdir(), this.id)
    this.#keep = folder !== undefined
    this.#death = atDeath(() => {
      spawnSync('ip', ['-force', '-batch', '-'], { input: this.#deletion() })
      if (!this.#keep) rmSync(this.folder, { recursive: true, force: true })
    })
  }

  name(role: Role): string {
    return `${this.id}-${role}`
  }

  #deletion(): string {
    return roles.map(role => `netns del ${this.name(role)}\n`).join('')
  }

  async create(): Promise<void> {
    await mkdir(this.folder, { recursive: true })
    await run('ip', ['-batch', '-'], { input: roles.map(role => `netns add ${this.name(role)}\n`).join('') })
  }

  /** Runs ip's lines inside a namespace, all in one process. */
  async ip(role: Role, lines: readonly string[]): Promise<void> {
    await run('ip', ['-n', this.name(role), '-batch', '-'], { input: lines.join('\n') + '\n' })
  }

  async exec(role: Role, command: string, args: readonly string[] = [], input = ''): Promise<string> {
    return run(command, args, { netns: this.name(role), input, deadlineMs: 60_000 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('ip', ['-force', '-batch', '-'], { input: this.#deletion() }).catch(() => undefined)
    if (!this.#keep) await rm(this.folder, { recursive: true, force: true })
    this.#death[Symbol.dispose]()
  }
}
