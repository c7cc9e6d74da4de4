import type { Finding } from '../errors.ts'
import type { NetworkHistory, Setback } from '../types.ts'

/** Seconds between tries of the same thing: 5, 10, 20, 40, then 60 for ever. */
const delays = [5, 10, 20, 40]
const longest = 60
const hour = 3_600_000

/**
 * What the sensor lost of its own in the middle of a step. Nothing is planned on an interface before the supplicant is there again, and
 * the DHCP client is started by us: there is nothing to wait for, and the network was not even tried. One that is lost again is.
 */
const ownParts: ReadonlySet<string> = new Set(['supplicant-absent', 'bus-closed', 'dhcp-client-failed'])

/**
 * The setback after one more failure. `random` in [0, 1) spreads the wait by ± 20 %, so that a fleet
 * that failed together does not return together. A finding that only a change can mend is still
 * tried again every hour: the change may have been made on the other side.
 */
export function setback(
  previous: Setback | undefined,
  failure: { action: string; finding: Finding; basis: string },
  now: number,
  random: number,
): Setback {
  const { action, finding, basis } = failure
  const repeated = previous?.action === action && previous.basis === basis
  const count = repeated ? previous.count + 1 : 1
  const same = repeated && previous.finding.code === finding.code
  const lostBefore = previous?.basis === basis && ownParts.has(previous.finding.code)
  const atOnce = ownParts.has(finding.code) && !lostBefore
  return {
    action,
    finding,
    basis,
    count,
    since: same ? previous.since : now,
    last: now,
    until: atOnce ? now : nextTry(finding, count, now, random),
  }
}

function nextTry(finding: Finding, count: number, now: number, random: number): number | undefined {
  const spread = 0.8 + 0.4 * random
  if (finding.retryAfter !== undefined) return now + finding.retryAfter * 1000
  switch (finding.retry) {
    case 'never':
      return undefined
    case 'change':
      return now + hour * spread
    case 'backoff':
      return now + (delays[count - 1] ?? longest) * 1000 * spread
  }
}

/** Whether a network is left alone now. A changed basis (document, credential) ends every wait, and so does a clock set back. */
export const isHeldBack = (held: Setback | undefined, basis: string, now: number): boolean =>
  held?.basis === basis && (held.until === undefined || (now < held.until && now >= held.last))

/** Milliseconds. */
const [patience, morePatience] = [15_000, 30_000]
const slowLogins: ReadonlySet<string | undefined> = new Set(['eap-slow', 'eap-stalled'])

/**
 * For how long a login may take whose RADIUS server is not silent for 15 s. With these alone each time a slow one would never be done: so
 * the try after one that had to be given up half-way has 30, and so have all after a login that needed most of the time.
 */
export function radiusPatience({ setback: held, failedProof, lastJoin }: NetworkHistory): number {
  const slow = slowLogins.has(held?.finding.code) || slowLogins.has(failedProof?.finding.code)
  // One that was begun once more took its time for another reason.
  const took = lastJoin === undefined ? 0 : lastJoin.ms - (lastJoin.stages['selecting'] ?? 0)
  return slow || took > (patience * 2) / 3 ? morePatience : patience
}
