/**
 * The sensor document: `<prefix>/sensors/<sensor>/desired`, the only authority for which networks a
 * sensor tests (docs/mqtt.md). One source for type, validation and config/schema/sensor.json.
 */
import * as z from 'zod/mini'
import { Id, text } from './profile.ts'

/** S2-75: networks tested by one sensor, over all its interfaces. Networks that only serve enrolment do not count (S2-76). */
export const mostTestedNetworks = 4

/** S2-67..70: the id is made when the network is added, so that adding it again is a different assignment. */
export const Assignment = z.strictObject({ network: Id, assignment: Id })

const port = z.int().check(z.minimum(1), z.maximum(65535))

/** What a test of a network tries to reach over it, beside the gateway and the SCEP server. */
export const Target = z.discriminatedUnion('probe', [
  z.strictObject({ probe: z.literal('ping'), host: text(255) }),
  z.strictObject({ probe: z.literal('dns'), name: text(255) }),
  z.strictObject({ probe: z.literal('tcp'), host: text(255), port }),
  z.strictObject({
    probe: z.literal('http'),
    url: z.url({ protocol: /^https?$/ }).check(
      z.maxLength(2048),
      z.refine(
        url => !/^[^/]*\/\/[^/?#]*@/.test(url),
        'holds a user or a password, which every report would show',
      ),
    ),
  }),
])

export const SensorDocument = z.strictObject({
  schema: z.literal(1),
  /** Counts up within an epoch; a lower one is refused. */
  version: z.int().check(z.minimum(1)),
  /** A higher epoch starts the counting of versions anew. */
  epoch: z._default(z.int().check(z.minimum(0)), 0),
  /** S2-26: the display name, `{name}` in profiles. */
  name: z.optional(text(64)),
  networks: z.array(Assignment).check(z.maxLength(mostTestedNetworks)),
  /** Seconds between two tests of a network. */
  testEvery: z._default(z.int().check(z.minimum(10), z.maximum(86400)), 300),
  targets: z._default(z.array(Target).check(z.maxLength(16)), []),
})

export type SensorDocument = z.infer<typeof SensorDocument>
export type Target = z.infer<typeof Target>
export type Assignment = z.infer<typeof Assignment>
