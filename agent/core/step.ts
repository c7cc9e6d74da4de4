/**
 * What the agent can do next. One effect per action (effects/), one action at a time per interface.
 * A step says what to do and why; what it needs beyond that, its effect reads from the desired and actual state.
 */
export type Step =
  /** Take a block of ours out of the supplicant; logs off at once where it is in use (S1-16), unless the port is authenticated `anew`. */
  | { action: 'uninstall'; interface: string; network: string; revision: string; why: string; anew?: true }
  /** Put blobs and the network block into the supplicant. */
  | { action: 'install'; interface: string; network: string; revision: string }
  /** Select the block and authenticate. */
  | { action: 'join'; interface: string; network: string; revision: string; why: string }
  /** DHCP, routes and resolver for the joined network. */
  | { action: 'lease'; interface: string; network: string }
  /** Obtain a certificate for `network` by SCEP over the joined enrollment network `over` (S2-07). */
  | { action: 'enroll'; interface: string; network: string; over: string }
  /** Ask for a new certificate for `network`, over itself (S2-51) unless the ladder says otherwise; the answer is a candidate. */
  | { action: 'renew'; interface: string; network: string; over: string; overtakes?: string }
  /** Log in with the candidate: only that puts it in force. */
  | { action: 'prove'; interface: string; network: string; generation: string; revision: string }
  /** Run the probes over the joined network. */
  | { action: 'test'; interface: string; network: string }
  /** Ask the CRL distribution points over the joined network whether our certificate was revoked. */
  | { action: 'inspect'; interface: string; network: string; fingerprint: string }
  /** Say that a certificate is near its end; belongs to no interface. */
  | { action: 'warn'; interface: ''; network: string; days: number; fingerprint: string }
  /** Delete the credential of a network that is no longer listed (S2-70); belongs to no interface. */
  | { action: 'forget'; interface: ''; network: string }

export type Action = Step['action']
export type StepOf<A extends Action> = Extract<Step, { action: A }>

/** A mapped record: a new action does not compile until it has an effect. */
export type Effects = { [A in Action]: (step: StepOf<A>, signal: AbortSignal) => Promise<void> }
