import type { Attempt } from './attempt.ts'
import type { JoinFailure } from './errors.ts'

/** Milliseconds from SelectNetwork after which an attempt counts as failed, because the supplicant never says so. */
export interface Deadlines {
  /** No association: the network is not there. */
  association: number
  /** Associated, but not one EAP signal. */
  noAuthenticator: number
  /** EAP started, but neither success nor failure; at least 10 s from its start. */
  radiusSilent: number
  /** EAP goes on, each time before `radiusSilent` is over; what is less than that has no effect. */
  radiusSlow: number
  /** The supplicant asked for a passphrase or password, which nobody will give. */
  parameterNeeded: number
  /** EAP succeeded or was not needed, but the port did not open; counted from that moment. */
  handshake: number
  /** On the wire: for EAP to end by itself once the join is aborted; counted from that moment. */
  abandoned: number
}

export const DEADLINES: Deadlines = {
  association: 20_000,
  noAuthenticator: 10_000,
  radiusSilent: 15_000,
  radiusSlow: 15_000,
  parameterNeeded: 0,
  handshake: 10_000,
  abandoned: 1_000,
}

/** When the attempt is to be told the time next, and what it will have failed with by then. */
export function nextDeadline(attempt: Attempt): { ms: number; code: JoinFailure } | undefined {
  if (attempt.outcome !== undefined) return undefined
  const { deadlines, times, needed } = attempt
  if (attempt.down === true || attempt.disabled === true)
    return { ms: deadlines.noAuthenticator, code: 'interface-disabled' }
  if (attempt.carrier === false) return { ms: deadlines.noAuthenticator, code: 'no-carrier' }
  if (needed !== undefined)
    return { ms: Math.max(needed.ms, deadlines.parameterNeeded), code: 'parameter-needed' }
  if (attempt.lost !== undefined)
    return { ms: Math.max(deadlines.association, attempt.lost + 5_000), code: 'access-point-lost' }
  const authenticated = times.authenticated ?? (attempt.eap ? undefined : times.associated)
  if (authenticated !== undefined)
    return { ms: authenticated + deadlines.handshake, code: 'handshake-timeout' }
  if (attempt.restarted !== undefined)
    return { ms: attempt.restarted + lastChance(deadlines), code: 'radius-silent' }
  const started = times['eap-started']
  if (started !== undefined) return { ms: patience(attempt, started), code: 'radius-silent' }
  if (attempt.linked !== undefined) {
    // A radio may have needed most of the time for its scan, and may have to leave the access point once.
    const least = attempt.medium === 'wired' ? 5_000 : SILENCE.leave + 5_000
    return { ms: Math.max(deadlines.noAuthenticator, attempt.linked + least), code: 'no-authenticator' }
  }
  const met = times.associating !== undefined || attempt.assocStatus !== undefined
  return { ms: deadlines.association, code: met ? 'association-rejected' : 'not-found' }
}

/** Milliseconds for an EAPOL-Start to be answered. */
const answering = 200

/**
 * When a join on the wire that was aborted then ends. An authenticator counts logins that are begun and not finished, and hostapd
 * forgets who begins a third in the middle of it: what ends by itself, in some 20 ms, is no such login.
 */
export function endOf({ carrier, times, deadlines, asked }: Attempt, aborted: number): number {
  if (carrier === false) return aborted
  if (times['eap-started'] !== undefined) return aborted + deadlines.abandoned
  return asked === undefined ? aborted : Math.min(asked + answering, aborted + deadlines.abandoned)
}

/** However late EAP started, the server has 10 s; and where it may be slow, as long as it is not silent. */
const patience = ({ times, deadlines: { radiusSilent, radiusSlow } }: Attempt, started: number): number =>
  Math.max(
    radiusSilent,
    started + radiusSilent - 5_000,
    Math.min(radiusSlow, (lastHeard(times) ?? started) + radiusSilent),
  )

/** When EAP was last seen to go on. Of its rounds the supplicant tells those alone with which something is known. */
const lastHeard = (times: Attempt['times']): number | undefined =>
  times.verified ?? times['server-certificate'] ?? times.method ?? times['eap-started']

/** Whether EAP still went on when the time ran out. Of a last chance what follows the beginning at once says nothing. */
export function wentOn({ deadlines: { radiusSilent, radiusSlow }, times, outcome }: Attempt): boolean {
  const quiet = (outcome?.ms ?? Infinity) - (lastHeard(times) ?? 0)
  return quiet < 0.8 * lastChance({ radiusSilent: Math.max(radiusSilent, radiusSlow) })
}

/** Of the time for EAP, what is kept for beginning once more. */
const lastChance = ({ radiusSilent }: Pick<Deadlines, 'radiusSilent'>): number => radiusSilent / 3

/** Milliseconds after the association. */
const SILENCE = { start: 500, stale: 1_500, leave: 4_000 }

export interface NextAct {
  ms: number
  act: 'logon' | 'reselect' | 'restart'
}

/** What is to be done when nothing is heard, and when; a wire's lost EAPOL-Starts aside. */
export function nextAct(attempt: Attempt): NextAct | undefined {
  const { eap, times, outcome, lost, needed } = attempt
  if (!eap || outcome !== undefined || lost !== undefined || needed !== undefined) return undefined
  if (times.associated === undefined || times.authenticated !== undefined) return undefined
  const started = times['eap-started']
  if (started !== undefined) return lastAct(attempt, started)
  return attempt.medium === 'wired' ? undefined : actOnTheAir(attempt, times.associated)
}

/**
 * An authenticator that begins anew once a method was agreed on is not heard by the supplicant (RFC 4137 figure 3), which then
 * waits for the end of a session that nobody has any more. A server that is merely slow looks the same from here, so it has most
 * of the time first, and all of it where something of it was heard in the last 5 s. Before there is a method, whoever begins anew is answered, and a silent server is just silent.
 */
function lastAct(attempt: Attempt, started: number): NextAct | undefined {
  const { deadlines, method, restarted, carrier, down, disabled, times } = attempt
  if (method === undefined || restarted !== undefined) return undefined
  if (carrier === false || down === true || disabled === true) return undefined
  const ms = patience(attempt, started) - lastChance(deadlines)
  return ms - (lastHeard(times) ?? started) < lastChance(deadlines) ? undefined : { ms, act: 'restart' }
}

/**
 * An access point asks for the identity as soon as it has a station, however slow its RADIUS server is. One that still has
 * a session of ours that broke off goes on with that: an EAPOL-Start has it begin anew. But one of its old requests may
 * come first (then there is a method, and nobody has asked who we are), after which the supplicant sends no Start any
 * more; leaving the access point makes both forget.
 */
function actOnTheAir({ times, method, asked }: Attempt, associated: number): NextAct {
  // It may also be the start of the method that is asked again: that session can be gone on with.
  const shown = times.verified ?? times['server-certificate'] ?? associated
  if (method !== undefined) return { ms: shown + SILENCE.stale, act: 'reselect' }
  return asked === undefined
    ? { ms: associated + SILENCE.start, act: 'logon' }
    : { ms: associated + SILENCE.leave, act: 'reselect' }
}
