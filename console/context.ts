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
