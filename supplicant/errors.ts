import type { Attempt, Stage } from './attempt.ts'

/** Every code a `SupplicantError` can carry. Stable: never renamed, never reused. */
export type SupplicantErrorCode =
  // the bus
  | 'bus-unreachable'
  | 'bus-closed'
  | 'call-timeout'
  // the supplicant and its objects
  | 'supplicant-absent'
  | 'access-denied'
  | 'interface-unknown'
  | 'interface-gone'
  | 'network-unknown'
  | 'blob-exists'
  | 'blob-unknown'
  | 'invalid-block'
  | 'invalid-argument'
  | 'refused'
  // a joining attempt
  | JoinFailure

/** How a joining attempt can end badly; `triage` says why and whose fault it is. */
export type JoinFailure =
  | 'rejected'
  | 'radius-silent'
  | 'no-authenticator'
  | 'parameter-needed'
  | 'no-carrier'
  | 'interface-disabled'
  | 'not-found'
  | 'association-rejected'
  | 'access-point-lost'
  | 'wrong-passphrase'
  | 'handshake-timeout'

/** What ends the wait before another try: time passing, a changed setting, or nothing. */
export type Retry = 'backoff' | 'change' | 'never'

const RETRY: Record<SupplicantErrorCode, Retry> = {
  'bus-unreachable': 'backoff',
  'bus-closed': 'backoff',
  'call-timeout': 'backoff',
  'supplicant-absent': 'backoff',
  'access-denied': 'change',
  'interface-unknown': 'backoff',
  'interface-gone': 'backoff',
  'network-unknown': 'backoff',
  'blob-exists': 'never',
  'blob-unknown': 'backoff',
  'invalid-block': 'change',
  'invalid-argument': 'change',
  refused: 'backoff',
  rejected: 'backoff',
  'radius-silent': 'backoff',
  'no-authenticator': 'backoff',
  'parameter-needed': 'change',
  'no-carrier': 'backoff',
  'interface-disabled': 'backoff',
  'not-found': 'backoff',
  'association-rejected': 'backoff',
  'access-point-lost': 'backoff',
  'wrong-passphrase': 'change',
  'handshake-timeout': 'backoff',
}

/**
 * The one error type of this folder. `dbus` is the D-Bus error name where one was received; `stage` and
 * `attempt` (with its evidence) are there when a joining attempt failed. Texts never hold a secret.
 */
export class SupplicantError extends Error {
  readonly code: SupplicantErrorCode
  readonly retry: Retry
  readonly dbus?: string
  readonly stage?: Stage
  readonly attempt?: Attempt
  constructor(
    code: SupplicantErrorCode,
    message: string,
    more: { cause?: unknown; dbus?: string; attempt?: Attempt } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause })
    this.name = 'SupplicantError'
    this.code = code
    this.retry = RETRY[code]
    if (more.dbus !== undefined) this.dbus = more.dbus
    if (more.attempt !== undefined) {
      this.attempt = more.attempt
      this.stage = more.attempt.stage
    }
  }
}

export const isSupplicantError = (
  error: unknown,
  ...codes: SupplicantErrorCode[]
): error is SupplicantError =>
  error instanceof SupplicantError && (codes.length === 0 || codes.includes(error.code))

const SENTENCES: Record<JoinFailure, string> = {
  rejected: 'the server rejected the authentication',
  'radius-silent': 'EAP started but was never answered to the end',
  'no-authenticator': 'nobody answered with EAP',
  'parameter-needed': 'the supplicant asked for a secret or could not read a key, certificate or CA',
  'no-carrier': 'the link has no carrier',
  'interface-disabled': 'the interface is down, or its radio is blocked',
  'not-found': 'the network was not found',
  'association-rejected': 'the access point refused the association',
  'access-point-lost': 'the access point was lost on the way',
  'wrong-passphrase': 'the access point did not accept the passphrase',
  'handshake-timeout': 'the port did not open',
}

export const joinError = (name: string, code: JoinFailure, attempt: Attempt): SupplicantError =>
  new SupplicantError(code, `${name}: ${SENTENCES[code]}`, { attempt })
