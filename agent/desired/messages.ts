/**
 * What sensors and operators say to each other beside the documents (docs/mqtt.md): presence, events, commands, replies.
 * One source for types, validation and config/schema/*.json. A reader ignores keys it does not know.
 */
import * as z from 'zod/mini'
import { Id } from './profile.ts'

/** ISO 8601 in UTC. */
const Time = z.iso.datetime()

/** agent/errors.ts Finding, as documents carry it. */
export const Finding = z.object({
  /** Stable and never reused, e.g. `scep-rejected`. */
  code: z.string(),
  title: z.string(),
  /** What was seen, in the other side's own words where there are any. */
  detail: z.string(),
  /** What to do. */
  hint: z.string(),
  /** Who has to act. */
  side: z.enum(['sensor', 'server', 'network', 'clock', 'configuration']),
  /** What ends the wait. */
  retry: z.enum(['backoff', 'change', 'never']),
  /** Seconds. */
  retryAfter: z.optional(z.number()),
  evidence: z.optional(z.array(z.string())),
})

const instance = z.string()
/** `instance` is new with every process, so that a second sensor under the same id (a cloned card) gives itself away. */
export const Presence = z.discriminatedUnion('state', [
  z.object({ schema: z.literal(1), state: z.literal('online'), instance, at: Time }),
  /** A planned absence; `until`: back at the latest, as far as the sensor knows. */
  z.object({ schema: z.literal(1), state: z.literal('away'), instance, at: Time, until: z.optional(Time) }),
  /** Also the Will Message, so it has no time of its own. */
  z.object({ schema: z.literal(1), state: z.literal('offline'), instance }),
])

/** A line of the timeline. (epoch, number) is its identity: numbers count up by one within an epoch. */
export const Event = z.object({
  schema: z.literal(1),
  epoch: z.string(),
  number: z.int().check(z.minimum(1)),
  at: Time,
  event: z.string(),
  network: z.optional(z.string()),
  interface: z.optional(z.string()),
  severity: z.enum(['debug', 'info', 'warning', 'error']),
  text: z.string(),
  data: z.optional(z.record(z.string(), z.unknown())),
  /** Numbers before this one that were dropped for want of space while there was no broker. */
  dropped: z.optional(z.object({ from: z.int(), to: z.int() })),
})

const command = <Name extends string>(name: Name) => ({
  schema: z.optional(z.literal(1)),
  /** Chosen by the operator; a command is executed at most once per id. */
  id: Id,
  command: z.literal(name),
  /** Not executed after this time, where the sensor knows the time. */
  expires: z.optional(Time),
})
const network = Id

export const Command = z.discriminatedUnion('command', [
  /** Enrols afresh, also where a certificate is in force or was removed. */
  z.strictObject({ ...command('request-certificate'), network }),
  /** Deletes the certificate and its key; not enrolled again until asked. */
  z.strictObject({ ...command('remove-certificate'), network }),
  /** Renews without waiting for its time. */
  z.strictObject({ ...command('renew'), network }),
  /** Tests now; without a network, all. */
  z.strictObject({ ...command('test'), network: z.optional(network) }),
  /** Looks at everything an enrolment needs without requesting a certificate. */
  z.strictObject({ ...command('preflight'), network: z.optional(network) }),
  /** Answers with a support bundle that holds nothing secret. */
  z.strictObject(command('diagnostics')),
  /** Forgets a network that is no longer listed: key, certificate, blocks. */
  z.strictObject({ ...command('forget-network'), network }),
  z.strictObject(command('restart-agent')),
])

export const commandNames = [
  'request-certificate',
  'remove-certificate',
  'renew',
  'test',
  'preflight',
  'diagnostics',
  'forget-network',
  'restart-agent',
] as const satisfies readonly Command['command'][]

export const Reply = z.object({
  schema: z.literal(1),
  /** The command's id; '' where it had none that can be read. */
  id: z.string(),
  command: z.optional(z.string()),
  at: Time,
  /** `interrupted`: begun, and the agent ended before the outcome was known. */
  outcome: z.enum(['done', 'failed', 'refused', 'interrupted']),
  /** One sentence. */
  text: z.string(),
  /** `outcome` failed: why. */
  problem: z.optional(Finding),
  /** `outcome` refused for its content: what is wrong with it. */
  problems: z.optional(
    z.array(z.object({ path: z.string(), message: z.string(), hint: z.optional(z.string()) })),
  ),
  data: z.optional(z.record(z.string(), z.unknown())),
  /** The stored reply to an id that was seen before. */
  repeated: z.optional(z.literal(true)),
})

/** Bytes; a larger command is refused unread. */
export const commandLimit = 16 * 1024

export type Presence = z.infer<typeof Presence>
export type Event = z.infer<typeof Event>
export type Command = z.infer<typeof Command>
export type Reply = z.infer<typeof Reply>
