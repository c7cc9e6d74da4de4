/** What every command of `sonde fleet` gets. */
import type { Broker } from './broker.ts'
import type { Io } from './io.ts'

export type Values = Record<string, string | string[] | boolean | undefined>

export interface Context {
  io: Io
  broker: Broker
  /** Words after the command. */
  words: string[]
  values: Values
  json: boolean
  /** Milliseconds to wait for sensors to answer. */
  wait: number
}

/** A command: the exit code, or nothing for 0. */
export type Run = (context: Context) => Promise<number | undefined>

export const text = (values: Values, name: string): string | undefined => {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}

/** For a command that waits and has nothing half done: a broker that goes is waited for, and a person hears of it. */
export const outlast = ({ broker, io }: Pick<Context, 'broker' | 'io'>): Disposable =>
  broker.outlast(text => io.err(`${io.columns === undefined ? '' : '\r'}sonde fleet: ${text}\n`))
