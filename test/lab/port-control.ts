import type { Segment } from './topology.ts'

/** Who hostapd has authenticated on a port, and how. */
export type Session = { identity: string; method: string }

/** What became of a port; `at` is performance.now() when that was heard, `ms` what opening took since hostapd's word. */
export type PortEvent = { at: number; port: string } & (
  { state: 'open'; segment: Segment; session: Session; ms: number } | { state: 'closed' }
)

/** The segment of an EAP method: clients with a certificate belong to the tested network, users of a password to the enrollment network. */
export type Assignment = Readonly<Record<string, Segment>>
export const byMethod: Assignment = { TLS: 'tested', PEAP: 'enroll', TTLS: 'enroll' }

const opened = /^port (\S+) open (enroll|tested) (\S*) (\d+) (.*)$/
const locked = /^port (\S+) locked$/

/** Reads a line of port-control.sh; undefined for hostapd's own. */
export function readPortEvent(line: string): PortEvent | undefined {
  const at = performance.now()
  const shut = locked.exec(line)?.[1]
  if (shut !== undefined) return { at, port: shut, state: 'closed' }
  const match = opened.exec(line)
  if (match === null) return undefined
  const [, port = '', segment, method = '', microseconds, identity = ''] = match
  return {
    ...{ at, port, state: 'open', ms: Number(microseconds) / 1000 },
    segment: segment === 'tested' ? 'tested' : 'enroll',
    session: { identity, method },
  }
}
