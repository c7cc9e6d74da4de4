import { join } from 'node:path'
import { Daemon, type DaemonOptions } from './daemon.ts'
import { Namespaces, type Role } from './namespace.ts'

export type Employment = Omit<DaemonOptions, 'logFile' | 'netns'> & { role: Role }

/** The ground one lab stands on: its namespaces, its folder, and every daemon started there, so that all end together. */
export class Site implements AsyncDisposable {
  readonly spaces: Namespaces
  readonly #daemons: Daemon[] = []

  constructor(folder: string | undefined) {
    this.spaces = new Namespaces(folder)
  }

  /** Configuration, sockets and, as `<daemon>.log`, the logs. */
  get folder(): string {
    return this.spaces.folder
  }

  get daemons(): readonly Daemon[] {
    return this.#daemons
  }

  /** Starts a daemon in the namespace of its role and resolves once it is ready. */
  async daemon({ role, ...options }: Employment): Promise<Daemon> {
    const logFile = join(this.folder, `${options.name}.log`)
    const started = new Daemon({ ...options, logFile, netns: this.spaces.name(role) })
    this.#daemons.push(started) // before it is ready, so that one that never is, is ended too
    await started.start()
    return started
  }

  /** The ends of all logs, for a failed test. */
  tails(lines = 15): string {
    return this.#daemons.map(one => `--- ${one.name}\n${one.output.tail(lines)}`).join('\n')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#daemons.map(one => one[Symbol.asyncDispose]()))
    await this.spaces[Symbol.asyncDispose]()
  }
}
