/** What the report and the timeline have of an open path. */
import type { Path, PathEvent } from '../path/index.ts'
import type { InterfaceState } from '../types.ts'

export const leaseFacts = (path: Path): NonNullable<InterfaceState['lease']> => ({
  address: path.address,
  prefix: path.prefix,
  ...(path.gateway !== undefined && { gateway: path.gateway }),
  dns: [...path.dns],
  obtainedAt: path.lease.obtainedAt.getTime(),
})

/** Somebody else on the sensor who takes our rules away will do so again: that it was mended is not enough. */
export const saysRepairs =
  (say: (event: string, severity: 'warning', text: string) => void) =>
  (event: PathEvent): void => {
    if (event.kind === 'repaired')
      say(
        'path-repaired',
        'warning',
        `somebody removed ${event.missing}; it was put back, and what was under way was broken off`,
      )
  }
