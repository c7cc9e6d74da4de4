/**
 * Presence: retained, and the Will Message. `instance` is new with every process, so that a second
 * sensor under the same id (a cloned card) gives itself away.
 */
import * as z from 'zod/mini'

export const Presence = z.discriminatedUnion('state', [
  z.object({ schema: z.literal(1), state: z.literal('online'), instance: z.string(), at: z.string() }),
  z.object({
    schema: z.literal(1),
    state: z.literal('away'),
    instance: z.string(),
    at: z.string(),
    /** When it will be back at the latest, as far as it knows. */
    until: z.optional(z.string()),
  }),
  /** Published by the broker for us, so it has no time of its own. */
  z.object({ schema: z.literal(1), state: z.literal('offline'), instance: z.string() }),
])

export type Presence = z.infer<typeof Presence>

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
