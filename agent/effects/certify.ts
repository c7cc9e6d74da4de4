/**
 * One SCEP transaction, for an enrolment or a renewal: caps and CA while the key is made, the request on disk before it
 * leaves, the reply on disk before anything else happens. What is on disk is finished before anything new is asked.
 */
import type { KeyObject } from 'node:crypto'
import { certificateFacts } from '../certificate.ts'
import { checkpoint } from '../checkpoint.ts'
import type { CredentialFolder } from '../credential-folder.ts'
import type { OpenRequest, Role } from '../credential-record.ts'
import { dueAt } from '../core/renewal.ts'
import { datesBy, findNetwork } from '../core/want.ts'
import type { Scep } from '../desired/profile.ts'
import type { Path } from '../path/index.ts'
import * as scep from '../scep/index.ts'
import { scepOverPath } from '../scep-over-path.ts'
import type { CertificateFacts, Network, Notice } from '../types.ts'
import { either } from '../within.ts'
import { authoritiesOf, establish, lookAhead } from './authorities.ts'
import type { Context } from './context.ts'
import { keyOf } from './key.ts'
import { sayExchange, sayIssued, sayWarnings, shorter } from './scep-news.ts'
import { issuedButLost, pending } from './undecided.ts'

/** What differs between an enrolment and a renewal. */
export interface Purpose {
  network: Network
  settings: Scep
  interface: string
  role: Role
  /** What goes into the request: another value means another request. */
  basis: string
  prepare: (key: KeyObject, caps: scep.Capabilities) => Promise<scep.Enrolment>
  /** The key that signs the message and opens the reply: the new one, or at renewal that of the certificate in force. */
  signer: (key: KeyObject, enrolment: scep.Enrolment) => KeyObject
  /** The certificate in force, where there is one. */
  replaces?: CertificateFacts
  /** What is to be reported beside what the transaction shows. */
  notices?: Notice[]
}

/** A reply that is on its way is waited for this long after an interruption: it may hold the certificate. */
const grace = 3_000

/**
 * Leaves the issued certificate as `role`. Throws ScepError, PathError, or AgentError `scep-pending`, `scep-gave-up`, `issued-but-lost`;
 * an AbortError where a person has removed the certificate meanwhile, and then nothing is left (S1-15).
 */
export async function certify(
  purpose: Purpose,
  path: Path,
  signal: AbortSignal,
  context: Context,
): Promise<void> {
  const folder = context.credentials.of(purpose.network.id)
  const [result] = await Promise.allSettled([transact(purpose, path, signal, context)])
  if (await folder.isRemoved()) {
    await folder.empty()
    throw removedMeanwhile(purpose)
  }
  if (result.status === 'rejected') throw result.reason
}

const removedMeanwhile = ({ network }: Purpose): DOMException =>
  new DOMException(`the certificate of ${network.id} was removed`, 'AbortError')

async function transact(purpose: Purpose, path: Path, signal: AbortSignal, context: Context): Promise<void> {
  const { network, settings } = purpose
  using joint = either(signal, path.lost)
  const whole = joint.signal
  const folder = context.credentials.of(network.id)
  using transport = scepOverPath(settings, path, {
    onStep: exchange => {
      sayExchange(exchange, purpose, context)
    },
  })
  await Promise.all([folder.begin(network.assignment), timeBefore(purpose, whole, context)])
  const caps = scep.getCaCaps(transport, whole)
  const opening = openRequest(purpose, caps, context)
  const [capabilities, trust, opened] = await Promise.all([
    caps,
    establish(transport, network, settings, context, whole),
    opening,
  ]).catch(async (error: unknown) => {
    await withdraw(opening, folder)
    throw error
  })
  const watched = watchCaps(capabilities, purpose, context)
  sayWarnings(trust.warnings, purpose, context)
  const exchange = { transport, caps: capabilities, trust, ...opened }
  // While the request is signed and the server works on it: a join with what it brings comes next.
  setImmediate(() => context.ports.get(purpose.interface)?.standby.prepare())
  const [outcome] = await Promise.all([ask(exchange, purpose, context, patient(whole)), watched])
  if (outcome.status === 'pending')
    throw await pending(opened.request, purpose.settings.polling, folder, context.now())
  const warnings = [...trust.warnings, ...outcome.warnings]
  sayWarnings(outcome.warnings, purpose, context)
  const { certificate } = outcome
  const chain = [...outcome.chain, ...outcome.above]
  const anchors = trust.chain.map(each => each.toString())
  const authorities = authoritiesOf(trust)
  if (await folder.isRemoved()) throw removedMeanwhile(purpose)
  await folder.complete({ certificate, chain, anchors, authorities }, purpose.role)
  context.memory.sawAuthorities(network.id, { at: context.now(), authorities })
  const facts = certificateFacts(certificate)
  context.clock.witness(facts, dueAt(facts, settings.renewal))
  const notices = [...noticesOf(warnings), ...shorter(facts, purpose.replaces), ...(purpose.notices ?? [])]
  context.memory.noticed(network.id, 'scep', notices)
  await sayIssued(outcome, purpose, context)
  await lookAhead(exchange, purpose, whole, context)
}

const noticesOf = (warnings: scep.Warning[]): Notice[] =>
  warnings.map(({ code, text }) => ({ code, severity: 'warning', text }))

/** GetCACaps is not protected: what it advertised before and does not now is said (RFC 8894 section 7.5, B-32). */
async function watchCaps(caps: scep.Capabilities, purpose: Purpose, context: Context): Promise<void> {
  const before = await context.servers.advertised(purpose.settings.url, caps.keywords)
  sayWarnings(scep.capsWeakened(before, caps), purpose, context)
}

/** Dates are judged by a trusted clock only; without one the enrolment goes on and says so (S1-27). */
async function timeBefore(purpose: Purpose, signal: AbortSignal, context: Context): Promise<void> {
  if (context.clock.trustedDate()) return
  const joined = context.ports.get(purpose.interface)?.joined?.network
  const over = joined === undefined ? undefined : findNetwork(context.desired(), joined)
  const before = over && datesBy(over, context.clock.reading)
  await context.whenTimeIsKnown(signal)
  // No password leaves over a network whose server nobody has looked at, now that somebody can.
  if (over && before === 'nobody' && datesBy(over, context.clock.reading) !== before)
    throw new DOMException(`the time is known: ${over.id} is joined again`, 'AbortError')
  if (context.clock.trustedDate()) return
  const text = 'the time is not known: the dates of certificates cannot be checked'
  sayWarnings([{ code: 'clock-untrusted', text }], purpose, context)
}

interface Opened {
  key: KeyObject
  request: OpenRequest<scep.Enrolment>
  /** The request was on disk already. */
  resumed: boolean
  /** The CA may have seen it before. */
  mayBeTaken: boolean
}

interface Exchange extends Opened {
  transport: scep.Transport
  caps: scep.Capabilities
  trust: scep.Trust
}

/** The request on disk where it still is what the profile asks for; a new one with a new key otherwise. */
async function openRequest(
  purpose: Purpose,
  capabilities: Promise<scep.Capabilities>,
  context: Context,
): Promise<Opened> {
  const { network, settings } = purpose
  const folder = context.credentials.of(network.id)
  const there = await folder.request<scep.Enrolment>()
  // Without a request on disk the key can be made while the server is asked what it can do.
  const early = there ? undefined : keyOf(network.id, settings.key, context)
  early?.catch(() => undefined)
  const caps = await capabilities
  const { basis } = purpose
  if (there?.basis === basis) {
    const key = await keyOf(network.id, settings.key, context)
    // Another one where a worn card has damaged it: what is issued for the request would be of no use.
    const { untaken, ...request } = there
    if (scep.transactionIdOf(key) === there.transactionId)
      return { key, request, resumed: true, mayBeTaken: untaken !== true }
  }
  if (there) await folder.dropRequest()
  const key = await (early ?? keyOf(network.id, settings.key, context))
  const enrolment = await purpose.prepare(key, caps)
  const { transactionId } = enrolment
  const request = { transactionId, preparedAt: context.now(), pending: false, basis, enrolment }
  await folder.saveRequest(request)
  return { key, request, resumed: false, mayBeTaken: false }
}

/**
 * A request made for this try has not left when the server could not be asked for its certificates: it must not be taken
 * later for one that may have been answered. The key stays.
 */
async function withdraw(opening: Promise<Opened>, folder: CredentialFolder): Promise<void> {
  const opened = await opening.catch(() => undefined)
  if (opened?.resumed === false) await folder.withdrawRequest()
}

/**
 * Sends the request. One that may have left before is polled for first; where the server cannot poll,
 * the same CSR with the same key is sent again, so that at worst one more certificate exists for the same key.
 */
async function ask(
  exchange: Exchange,
  purpose: Purpose,
  context: Context,
  signal: AbortSignal,
): Promise<scep.Outcome> {
  const { transport, caps, trust, key, request, resumed, mayBeTaken } = exchange
  const folder = context.credentials.of(purpose.network.id)
  const { encryption, digest, signature, keyTransport } = purpose.settings
  const how = { encryption, signature, keyTransport, ...(digest !== undefined && { digest }) }
  const signer = purpose.signer(key, request.enrolment)
  const sent = [transport, caps, trust, request.enrolment, signer, how, signal] as const
  if (resumed) {
    const polled = await polledFor(() => scep.pollCertificate(...sent), request.pending).catch(
      async (error: unknown) => {
        // Refused by whoever had to approve it: asking again under this transactionID can bring nothing any more.
        if (request.pending && error instanceof scep.ScepError && scep.endsTransaction(error))
          await folder.dropRequest()
        throw error
      },
    )
    if (polled) return polled
    if (!mayBeTaken) await folder.saveRequest(request)
  }
  try {
    checkpoint(`scep ${request.enrolment.messageType}`)
    const outcome = await scep.requestCertificate(...sent)
    checkpoint('scep reply')
    return outcome
  } catch (error) {
    if (!(error instanceof scep.ScepError)) throw error
    if (!mayBeTaken && scep.wasNotTaken(error)) await folder.saveRequest({ ...request, untaken: true })
    if (!scep.endsTransaction(error)) throw error
    if (mayBeTaken && error.kind === 'rejected') throw issuedButLost(error)
    await folder.dropRequest()
    throw error
  }
}

/** What the poll brought; undefined when the server does not know the transaction or cannot poll at all. */
async function polledFor(
  poll: () => Promise<scep.Outcome>,
  pending: boolean,
): Promise<scep.Outcome | undefined> {
  try {
    return await poll()
  } catch (error) {
    const silent = error instanceof scep.ScepError && error.kind !== 'unreachable' && error.kind !== 'pending'
    if (!silent || (pending && error.kind === 'rejected')) throw error
    return undefined
  }
}

/** Aborts `grace` after `signal` does. */
function patient(signal: AbortSignal): AbortSignal {
  const late = new AbortController()
  const later = (): void => {
    setTimeout(() => {
      late.abort(signal.reason)
    }, grace).unref()
  }
  if (signal.aborted) later()
  else signal.addEventListener('abort', later, { once: true })
  return late.signal
}
