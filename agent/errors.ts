/**
 * What went wrong, in a form that a loop can act on and a person can understand.
 *
 * `code` is stable and never reused. `side` is who has to act. `retry` decides what ends the wait:
 * `backoff` the passing of time, `change` a changed document (or the hourly try), `never` nothing.
 * Texts never hold a secret: they are published over MQTT and shown on screens.
 */
export type Side = 'sensor' | 'server' | 'network' | 'clock' | 'configuration'
export type Retry = 'backoff' | 'change' | 'never'

export interface Finding {
  /** Stable, e.g. `scep-rejected`, `radius-silent`, `dhcp-no-offer`. */
  code: string
  /** One line, no period, e.g. `802.1X failed with unknown CA`. */
  title: string
  /** What was seen, in the other side's own words where there are any. */
  detail: string
  /** What to do, addressed to the operator. */
  hint: string
  side: Side
  retry: Retry
  /** Seconds until the next try where the other side or a setting says so; otherwise the usual waits apply. */
  retryAfter?: number
  /** What was seen, in order: the supplicant's signals, pkiStatus and failInfo, the server's own words. */
  evidence?: string[]
}

/** An error that carries its finding. Everything an effect throws is one of these or becomes `internal`. */
export class AgentError extends Error {
  readonly finding: Finding
  constructor(finding: Finding, options?: { cause?: unknown }) {
    super(`${finding.code}: ${finding.title}: ${finding.detail}`, options)
    this.name = 'AgentError'
    this.finding = finding
  }
}

export const isAbortError = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'AbortError' || ('code' in error && error.code === 'ABORT_ERR'))
