import { X509Certificate } from 'node:crypto'
import type { Attempt, Medium, Offer } from './attempt.ts'
import { wentOn } from './deadlines.ts'
import type { JoinFailure, Retry } from './errors.ts'
import { describe } from './evidence.ts'
import { FINDINGS, type FindingCode, type FindingText, type Side } from './findings.ts'

/** What we know of our own credential and clock, as plain data; everything may be left out. */
export interface CredentialFacts {
  /** Milliseconds since the epoch by the sensor's clock. */
  now?: number
  /** Whether that clock was set by anybody; undefined counts as trusted. */
  clockTrusted?: boolean
  /** The EAP method the block asks for: TLS, PEAP, TTLS. */
  method?: string
  identity?: string
  certificate?: {
    notBefore: number
    notAfter: number
    /** Subject of the issuer, and of the issuers above it as far as known, in any of the usual notations. */
    issuers: string[]
  }
  /** What a pre-flight of key, certificate and CA found wrong, in words. */
  problems?: string[]
  /** The name the server's certificate has to carry. */
  serverName?: string
}

/** What went wrong, whose side it is on, and what to do: a text for a person and a code for a program. */
export interface Finding {
  code: FindingCode
  title: string
  /** What was seen, in the supplicant's words where there are any. */
  detail: string
  side: Side
  hint: string
  retry: Retry
  /** Where the server gave no reason: what it may have been, most likely first. */
  likely: string[]
  /** The supplicant's signals in order, one a line, with milliseconds since SelectNetwork. */
  evidence: string[]
}

/** Names the fault of a failed attempt; undefined while it runs and when it succeeded. Pure. */
export function triage(attempt: Attempt, facts: CredentialFacts = {}): Finding | undefined {
  if (attempt.outcome?.kind !== 'failed') return undefined
  const verdict = judge(attempt, attempt.outcome.code, facts)
  const text = textOf(verdict.code, attempt.medium)
  return {
    code: verdict.code,
    title: text.title,
    detail: verdict.detail ?? text.detail,
    side: verdict.side ?? text.side,
    hint: verdict.hint === undefined ? text.hint : `${text.hint} ${verdict.hint}`,
    retry: text.retry,
    likely: verdict.likely ?? [],
    evidence: attempt.evidence.flatMap(describe),
  }
}

/** In the words of what the network is joined over. */
const textOf = (code: FindingCode, medium: Medium): FindingText => {
  const text: FindingText = FINDINGS[code]
  return medium === 'wireless' ? { ...text, ...text.onTheAir } : text
}

interface Verdict {
  code: FindingCode
  detail?: string
  side?: Side
  /** What is known beyond the hint of the code. */
  hint?: string
  likely?: string[]
}

function judge(attempt: Attempt, code: JoinFailure, facts: CredentialFacts): Verdict {
  // On a wire there is nobody to associate with.
  if (attempt.medium === 'wired' && (code === 'not-found' || code === 'association-rejected'))
    return { code: 'no-carrier', detail: 'the supplicant did not take up the link' }
  switch (code) {
    case 'rejected':
      return rejection(attempt, facts)
    case 'parameter-needed':
      return parameter(attempt, facts)
    case 'radius-silent':
      return unfinished(attempt)
    case 'association-rejected':
      return attempt.assocStatus === undefined
        ? { code: 'access-point-lost', detail: 'the access point does not answer' }
        : { code, detail: `the access point answered with status ${attempt.assocStatus}` }
    case 'access-point-lost':
      // Negative reasons are our own: we missed it.
      return (attempt.disconnectReason ?? 0) <= 0
        ? { code }
        : { code, detail: `the access point disconnected with reason ${attempt.disconnectReason}` }
    case 'handshake-timeout':
      if (!attempt.eap) return { code }
      return { code: attempt.method === undefined ? 'bare-success' : 'port-not-open' }
    case 'not-found':
      return attempt.offers === undefined || attempt.offers.length === 0
        ? { code }
        : { code: 'does-not-fit', detail: attempt.offers.map(offered).join('; ') }
    case 'wrong-passphrase':
      return attempt.assocStatus === undefined
        ? { code }
        : { code, detail: `the access point refused SAE with status ${attempt.assocStatus}` }
    case 'no-authenticator':
    case 'no-carrier':
    case 'interface-disabled':
      return { code }
  }
}

function unfinished(attempt: Attempt): Verdict {
  const { method, stage, outcome } = attempt
  if (method === undefined) return { code: 'radius-silent' }
  return wentOn(attempt)
    ? {
        code: 'eap-slow',
        detail: `EAP had come to stage ${stage} after ${Math.round((outcome?.ms ?? 0) / 1000)} s`,
      }
    : { code: 'eap-stalled', detail: `nothing came after EAP stage ${stage}` }
}

const offered = ({ bssid, frequency, signal, security, pmf }: Offer): string => {
  return `${bssid} (${frequency} MHz, ${signal} dBm) offers ${security.join(' ')}, management frame protection: ${pmf}`
}

function parameter({ needed }: Attempt, facts: CredentialFacts): Verdict {
  const field = needed?.field ?? 'something'
  switch (field) {
    case 'PASSPHRASE':
      return unreadable(facts)
    case 'PASSWORD':
    case 'NEW_PASSWORD':
      return { code: 'password-missing' }
    case 'IDENTITY':
      return { code: 'identity-missing' }
    default:
      return { code: 'parameter-missing', detail: `the supplicant asked for ${field}` }
  }
}

function rejection(attempt: Attempt, facts: CredentialFacts): Verdict {
  const { localAlert, remoteAlert, verification, method, refusedMethods } = attempt
  if (localAlert !== undefined) return localRefusal(attempt, localAlert, facts)
  if (remoteAlert !== undefined) return remoteRefusal(attempt, remoteAlert, facts)
  if (attempt.evidence.some(event => event.kind === 'eap' && event.status.includes('renegotiation')))
    return { code: 'unsafe-renegotiation' }
  if (method === undefined && refusedMethods.length > 0) {
    const refused = refusedMethods.join(', ')
    if (facts.method !== undefined && refusedMethods.includes(facts.method))
      return { ...unreadable(facts), detail: `the supplicant could not start EAP-${facts.method}` }
    return {
      code: 'method-not-offered',
      detail: `the server proposed ${refused}, which is not configured here`,
    }
  }
  if (method === undefined) return { code: 'rejected-identity', likely: [identityUnknown(facts)] }
  // A key with a passphrase that the supplicant cannot read ends in the same silence as a server that wants another TLS.
  if (verification === undefined)
    return facts.problems?.length === 0 ? { code: 'rejected-before-certificate' } : unreadable(facts)
  if (method !== 'TLS') return { code: 'rejected-password' }
  return silentRejection(attempt, facts)
}

/** The supplicant refused the server's certificate and said why. */
function localRefusal(attempt: Attempt, alert: string, facts: CredentialFacts): Verdict {
  const detail = `local TLS alert: ${capitalised(alert)}`
  const reason = attempt.verification ?? ''
  if (reason === 'Server certificate mismatch') return { code: 'server-pin-mismatch', detail: reason }
  if (/mismatch$/i.test(reason)) {
    const names = attempt.serverCertificates.find(({ depth }) => depth === 0)
    const shown = names === undefined ? 'unknown' : [names.subject, ...names.altSubjects].join(', ')
    const wanted = facts.serverName === undefined ? '' : `, wanted ${facts.serverName}`
    return { code: 'server-name-mismatch', detail: `${reason}: the server is ${shown}${wanted}` }
  }
  const clock = facts.clockTrusted === false ? { side: 'clock' as const } : {}
  if (/expired/i.test(alert) || /expired/i.test(reason))
    return { code: 'server-certificate-expired', detail, ...clock }
  if (/not yet valid/i.test(reason)) return { code: 'server-certificate-not-yet-valid', detail: reason }
  if (/unknown CA/i.test(alert)) return { code: 'server-untrusted', detail, ...missingCa(attempt, reason) }
  const common = commonGround(alert)
  if (common !== undefined) return { code: common, detail }
  // The certificate was verified, or has not been seen yet.
  if (reason === '' || reason === 'success') return { code: 'tls-failed', detail }
  return { code: 'server-certificate-refused', detail: `${detail} (${reason})` }
}

/** Which CA is missing above the highest certificate that the server sent or the network was given (S2-82). */
function missingCa({ serverCertificates }: Attempt, reason: string): Pick<Verdict, 'hint'> {
  const [top] = serverCertificates.toSorted((one, other) => other.depth - one.depth)
  if (top?.der === undefined || !/^unable to get (local )?issuer/.test(reason)) return {}
  const { subject, issuer } = new X509Certificate(top.der)
  const [above, below] = [issuer, subject].map(text => text.replaceAll('\n', ', '))
  return { hint: `Neither did the server send "${above}", which issued "${below}", nor was it given.` }
}

/** Alerts of either side that say that the two have nothing in common. */
function commonGround(alert: string): FindingCode | undefined {
  switch (alert.toLowerCase()) {
    case 'protocol version':
      return 'tls-version'
    case 'handshake failure':
    case 'insufficient security':
      return 'tls-no-common-cipher'
    default:
      return undefined
  }
}

/** The server refused us and its alert came through. */
function remoteRefusal(attempt: Attempt, alert: string, facts: CredentialFacts): Verdict {
  const detail = `remote TLS alert: ${capitalised(alert)}`
  const common = commonGround(alert)
  if (common !== undefined) return { code: common, detail }
  // Ours is shown only after the server's.
  if (attempt.verification === undefined) return { code: 'tls-failed', detail }
  switch (alert.toLowerCase()) {
    case 'unknown ca':
      return { code: 'client-untrusted', detail }
    case 'certificate expired':
      return {
        code: 'client-certificate-expired',
        detail,
        ...(isExpired(facts) ? {} : { side: 'clock' as const }),
      }
    case 'certificate revoked':
      return { code: 'client-certificate-revoked', detail }
    default:
      if (isNotYetValid(facts)) return { code: 'client-certificate-not-yet-valid', detail }
      if (isExpired(facts)) return { code: 'client-certificate-expired', detail }
      return { code: 'client-certificate-refused', detail }
  }
}

/** Neither side sent an alert: most servers end EAP-TLS so, and only their log has the reason. */
function silentRejection(attempt: Attempt, facts: CredentialFacts): Verdict {
  const causes: { code: FindingCode; text: string }[] = []
  if (isExpired(facts))
    causes.push({ code: 'rejected-expired', text: `the client certificate expired ${until(facts)}` })
  if (isNotYetValid(facts))
    causes.push({
      code: 'rejected-not-yet-valid',
      text: 'by this clock the client certificate is not valid yet',
    })
  const strangers = strangeIssuer(attempt, facts)
  if (strangers !== undefined)
    causes.push({
      code: 'rejected-untrusted-issuer',
      text: `the server may not trust the issuer ${strangers.replaceAll('\n', ', ')}`,
    })
  if (facts.identity !== undefined) causes.push({ code: 'rejected-identity', text: identityUnknown(facts) })
  const [first] = causes
  if (first === undefined) return { code: 'rejected-cause-unknown' }
  return {
    code: first.code,
    detail: `the server rejected without a reason; most likely ${first.text}`,
    likely: causes.map(cause => cause.text),
  }
}

const isExpired = ({ certificate, now }: CredentialFacts): boolean =>
  certificate !== undefined && now !== undefined && certificate.notAfter < now

// A clock that nobody has set is behind as a rule.
const isNotYetValid = ({ certificate, now, clockTrusted }: CredentialFacts): boolean =>
  clockTrusted !== false && certificate !== undefined && now !== undefined && certificate.notBefore > now

const until = ({ certificate }: CredentialFacts): string =>
  certificate === undefined ? '' : new Date(certificate.notAfter).toISOString()

const identityUnknown = ({ identity }: CredentialFacts): string =>
  `the server may not know the identity ${identity ?? 'sent'}, or a policy refuses it`

/** Our issuer, when none of our issuers appears in the server's own chain: two PKIs, of which one may be unknown. */
function strangeIssuer(attempt: Attempt, { certificate }: CredentialFacts): string | undefined {
  const theirs = new Set(
    attempt.serverCertificates.filter(({ depth }) => depth > 0).map(({ subject }) => dn(subject)),
  )
  if (certificate === undefined || theirs.size === 0) return undefined
  return certificate.issuers.some(issuer => theirs.has(dn(issuer))) ? undefined : certificate.issuers[0]
}

// "/O=Lab/CN=Root", "O=Lab\nCN=Root" and "CN=Root, O=Lab" are one name.
const dn = (name: string): string =>
  name
    .split(/\n|\/(?=[A-Za-z.0-9]+=)|,\s*(?=[A-Za-z.0-9]+=)/)
    .filter(part => part !== '')
    .sort()
    .join('\n')

const unreadable = ({ problems = [] }: CredentialFacts): Verdict =>
  problems.length === 0
    ? { code: 'credential-unreadable' }
    : { code: 'credential-unreadable', detail: problems.join('; ') }

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
