/** What the effects work with: made once by main.ts. */
import type { Credentials } from '../credentials.ts'
import type { Log } from '../log.ts'
import type { Memory } from '../memory.ts'
import type { Desired, Identity, TimelineEvent } from '../types.ts'
import type { Port } from './port.ts'
import type { TrustFiles } from './trust-files.ts'

export interface Context {
  ports: ReadonlyMap<string, Port>
  credentials: Credentials
  trust: TrustFiles
  memory: Memory
  identity: Identity
  log: Log
  desired: () => Desired
  say: (event: Omit<TimelineEvent, 'at'>) => void
  now: () => number
}
