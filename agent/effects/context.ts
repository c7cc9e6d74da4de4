/** What the effects work with: made once by main.ts. */
import type { Clock } from '../clock.ts'
import type { CredentialNews } from '../credential-news.ts'
import type { Credentials } from '../credentials.ts'
import type { Log } from '../log.ts'
import type { Memory } from '../memory.ts'
import type { RenewalQueueFile } from '../renewal-queue.ts'
import type { ServerMemory } from '../server-memory.ts'
import type { Desired, Identity, TimelineEvent } from '../types.ts'
import type { Port } from './port.ts'
import type { TrustFiles } from './trust-files.ts'

export interface Context {
  ports: ReadonlyMap<string, Port>
  credentials: Credentials
  /** Says what happens to a credential: at least once, whenever the power is cut. */
  news: CredentialNews
  trust: TrustFiles
  clock: Clock
  renewals: RenewalQueueFile
  servers: ServerMemory
  /** Resolves when the time is known or cannot be known, after 30 s at the latest. */
  whenTimeIsKnown: (signal: AbortSignal) => Promise<void>
  memory: Memory
  identity: Identity
  log: Log
  desired: () => Desired
  say: (event: Omit<TimelineEvent, 'at'>) => void
  /** Resolves when every event said so far is on disk; false when the disk does not take them. */
  saved: () => Promise<boolean>
  now: () => number
}
