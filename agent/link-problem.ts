/**
 * What is wrong between the sensor and a broker that it reaches, as `reported.link` has it: it is seen again while it lasts.
 * Why none is reached has a reader on the device alone.
 */
import type { Finding } from './errors.ts'
import type { LinkStatus } from './mqtt/link.ts'

/** Milliseconds after which it is over: two sensors with one id push each other off the broker every minute or two. */
const lasts = 600_000

interface Seen {
  finding: Finding
  since: number
  last: number
  count: number
}

export interface ReportedLink {
  link?: { problem: Finding & { since: string; last: string; count: number } }
}

export class LinkProblem {
  #seen: Seen | undefined
  /** Of this absence. */
  #unreached: Seen | undefined

  /** Seen at `now`, ms since the epoch. */
  saw(finding: Finding, now: number): void {
    const before = this.#current(now)
    const same = before?.finding.code === finding.code ? before : undefined
    this.#seen = { finding, since: same?.since ?? now, last: now, count: (same?.count ?? 0) + 1 }
  }

  /** A broker that is not reached gets no reports either: what counts there is what a connected one refuses. */
  look({ state, problem }: Pick<LinkStatus, 'state' | 'problem'>, now: number): void {
    if (state !== 'connecting') this.#unreached = undefined
    if (state === 'connected' && problem !== undefined) this.saw(problem, now)
    if (state === 'connecting' && problem !== undefined && problem !== this.#unreached?.finding) {
      const { since = now, count = 0 } = this.#unreached ?? {}
      this.#unreached = { finding: problem, since, last: now, count: count + 1 }
    }
  }

  reported(now: number): ReportedLink {
    return said(this.#current(now))
  }

  /** Why the broker is not reached, in the same form: for `sonde status`. */
  unreached(): ReportedLink {
    return said(this.#unreached)
  }

  /** A clock that was put right may have gone back. */
  #current(now: number): Seen | undefined {
    return this.#seen && Math.abs(now - this.#seen.last) < lasts ? this.#seen : undefined
  }
}

function said(seen: Seen | undefined): ReportedLink {
  if (seen === undefined) return {}
  const { finding, since, last, count } = seen
  const [first, again] = [since, last].map(time => new Date(time).toISOString())
  return { link: { problem: { ...finding, since: first ?? '', last: again ?? '', count } } }
}
