/**
 * Obtains a certificate by SCEP over the joined enrollment network (S2-07, RFC 8894 section 3.3).
 * What may be lost with the power is on disk before the request leaves; what is on disk is finished before anything new is asked.
 */
import type { KeyObject } from 'node:crypto'
import { checkpoint } from '../checkpoint.ts'
import { digest12 } from '../core/hash.ts'
import type { StepOf } from '../core/step.ts'
import { findNetwork } from '../core/want.ts'
import type { OpenRequest } from '../credentials.ts'
import type { Scep } from '../desired/profile.ts'
import { substitute, variablesFor } from '../desired/variables.ts'
import { AgentError } from '../errors.ts'
import * as scep from '../scep/index.ts'
import type { Network } from '../types.ts'
import type { Context } from './context.ts'
import { keyOf } from './key.ts'

/** A reply that is on its way is waited for this long after an interruption: it may hold the certificate. */
const grace = 3_000

export async function enroll(step: StepOf<'enroll'>, signal: AbortSignal, context: Context): Promise<void> {
  const network = findNetwork(context.desired(), step.network)
  const path = context.ports.get(step.interface)?.path
  if (!network?.profile.scep || !path) throw new DOMException('the network was left', 'AbortError')
  const settings = network.profile.scep
  const wire = path.wire(settings.url.startsWith('https:') ? 'https:' : 'http:')
  const whole = AbortSignal.any([signal, path.lost])
  using transport = scep.openTransport({ url: settings.url, caIdentifier: settings.caIdentifier }, wire, {
    onStep: exchange => {
      sayExchange(exchange, step, context)
    },
  })
  await context.credentials.begin(network.id, network.assignment)
  const [caps, trust, { key, request, resumed }] = await Promise.all([
    scep.getCaCaps(transport, whole),
    trustOf(transport, network, settings, context, whole),
    openRequest(network, settings, context),
  ])
  for (const { code, text } of trust.warnings) sayWarning(code, text, step, context)
  const exchange = { transport, caps, trust, key, request, resumed }
  const outcome = await ask(exchange, settings, network, context, patient(whole))
  if (outcome.status === 'pending') {
    await context.credentials.saveRequest(network.id, { ...request, pending: true })
    throw pending()
  }
  for (const { code, text } of outcome.warnings) sayWarning(code, text, step, context)
  await store(network, outcome, trust, step, context)
}

interface Exchange {
  transport: scep.Transport
  caps: scep.Capabilities
  trust: scep.Trust
  key: KeyObject
  request: OpenRequest<scep.Enrolment>
  /** The request was on disk already: it may have left before. */
  resumed: boolean
}

/** The CA's certificates, verified before the password is sent (RFC 8894 section 2.2). */
async function trustOf(
  transport: scep.Transport,
  network: Network,
  settings: Scep,
  context: Context,
  signal: AbortSignal,
): Promise<scep.Trust> {
  const pinned = await context.credentials.pin(network.id)
  const reply = await scep.getCaCertificates(transport, signal)
  const trust = scep.establishTrust(
    reply,
    {
      roots: settings.caCertificates,
      fingerprint: settings.rootFingerprint,
      ...(pinned !== undefined && { pinned }),
    },
    new Date(context.now()),
  )
  if (trust.pin !== null && trust.pin !== pinned) await context.credentials.savePin(network.id, trust.pin)
  return trust
}

/** The request on disk where it still is what the profile asks for; a new one otherwise. */
async function openRequest(
  network: Network,
  settings: Scep,
  context: Context,
): Promise<Pick<Exchange, 'key' | 'request' | 'resumed'>> {
  const content = contentOf(network, settings, context)
  const basis = digest12([network.assignment, settings.key, settings.signature, settings.url, content])
  const there = await context.credentials.request<scep.Enrolment>(network.id)
  if (there && there.basis !== basis) await context.credentials.dropRequest(network.id, true)
  const key = await keyOf(network.id, settings.key, context)
  if (there?.basis === basis) return { key, request: there, resumed: true }
  const enrolment = await scep.prepareEnrolment({
    key,
    ...content,
    signature: settings.signature,
    validFrom: new Date(context.now()),
  })
  const request = {
    transactionId: enrolment.transactionId,
    preparedAt: context.now(),
    pending: false,
    basis,
    enrolment,
  }
  await context.credentials.saveRequest(network.id, request)
  return { key, request, resumed: false }
}

/** S2-24..33: subject, names and password, with the sensor's own values in place of variables. */
function contentOf(
  network: Network,
  settings: Scep,
  context: Context,
): Pick<scep.EnrolmentRequest, 'subject' | 'names' | 'challengePassword'> {
  const values = variablesFor(context.identity, context.desired().name, network.interface)
  const commonName = substitute(settings.subject.commonName, values, 'scep.subject.commonName')
  const names = settings.alternativeNames.map((text, index) => {
    const where = `scep.alternativeNames[${String(index)}]`
    return scep.alternativeName(substitute(text === 'mac' ? 'mac:{mac}' : text, values, where))
  })
  const { challengePassword } = settings
  return { subject: { commonName }, names, ...(challengePassword !== undefined && { challengePassword }) }
}

/**
 * Sends the request. One that may have left before is polled for first; where the server cannot poll,
 * the same CSR with the same key is sent again, so that at worst one more certificate exists for the same key.
 */
async function ask(
  exchange: Exchange,
  settings: Scep,
  network: Network,
  context: Context,
  signal: AbortSignal,
): Promise<scep.Outcome> {
  const { transport, caps, trust, key, request, resumed } = exchange
  const { encryption, digest, signature, keyTransport } = settings
  const how = { encryption, signature, keyTransport, ...(digest !== undefined && { digest }) }
  const sent = [transport, caps, trust, request.enrolment, key, how, signal] as const
  if (resumed) {
    const polled = await polledFor(() => scep.pollCertificate(...sent), request.pending)
    if (polled) return polled
  }
  try {
    checkpoint('scep PKCSReq')
    const outcome = await scep.requestCertificate(...sent)
    checkpoint('scep reply')
    return outcome
  } catch (error) {
    if (!(error instanceof scep.ScepError) || error.kind !== 'rejected') throw error
    if (resumed) throw issuedButLost(error)
    await context.credentials.dropRequest(network.id, true)
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

async function store(
  network: Network,
  outcome: Extract<scep.Outcome, { status: 'issued' }>,
  trust: scep.Trust,
  step: StepOf<'enroll'>,
  context: Context,
): Promise<void> {
  await context.credentials.complete(network.id, {
    certificate: outcome.certificate,
    chain: outcome.chain,
    anchors: trust.chain.map(certificate => certificate.toString()),
  })
  const { current } = await context.credentials.read(network.id)
  context.say({
    event: 'certificate-issued',
    severity: 'info',
    network: network.id,
    interface: step.interface,
    text: `certificate issued: ${current?.certificate.subject ?? ''}`,
    data: { certificate: current?.certificate, reply: outcome.replyAlgorithms },
  })
}

function sayExchange(exchange: scep.Step, step: StepOf<'enroll'>, context: Context): void {
  const { name, url, milliseconds, outcome } = exchange
  context.say({
    event: 'scep-exchange',
    severity: outcome === 'answered' ? 'info' : 'warning',
    network: step.network,
    interface: step.interface,
    text: `${name} ${outcome}`,
    data: { operation: name, url, ms: Math.round(milliseconds) },
  })
}

function sayWarning(code: string, text: string, step: StepOf<'enroll'>, context: Context): void {
  const { network } = step
  context.say({ event: 'scep-warning', severity: 'warning', network, text, data: { code } })
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

const pending = (): AgentError =>
  new AgentError({
    code: 'scep-pending',
    title: 'The CA has not decided on the request yet',
    detail: 'pkiStatus PENDING; the same request is asked for again',
    hint: 'approve the request at the CA, or let the CA issue without approval (S2-12)',
    side: 'server',
    retry: 'backoff',
  })

const issuedButLost = (cause: scep.ScepError): AgentError =>
  new AgentError(
    {
      code: 'issued-but-lost',
      title: 'A certificate was probably issued, but its reply was lost',
      detail: `a request that had left before was sent again and refused: ${cause.problem.detail}`,
      hint:
        'let the SCEP server answer the same request again (scepserver: -allowrenew 0) or revoke the certificate it issued; ' +
        'the sensor keeps the key and tries again. If the challenge password is one-time, publish a new one to start afresh',
      side: 'server',
      retry: 'change',
    },
    { cause },
  )
