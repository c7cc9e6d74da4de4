/** Presence as this process publishes and reads it. */
import * as z from 'zod/mini'
import { Presence } from '../desired/messages.ts'

export const online = (instance: string, now: Date): Presence => ({
  schema: 1,
  state: 'online',
  instance,
  at: now.toISOString(),
})

export const away = (instance: string, now: Date, until: Date | undefined): Presence => ({
  schema: 1,
  state: 'away',
  instance,
  at: now.toISOString(),
  ...(until && { until: until.toISOString() }),
})

export const offline = (instance: string): Presence => ({ schema: 1, state: 'offline', instance })

export function readPresence(payload: Uint8Array): Presence | undefined {
  try {
    return z.parse(Presence, JSON.parse(Buffer.from(payload).toString()))
  } catch {
    return undefined
  }
}
