/** Installing, joining, leasing and leaving: what happens at the port. */
import { X509Certificate } from 'node:crypto'
import type { StepOf } from '../core/step.ts'
import { datesBy, findNetwork } from '../core/want.ts'
import { AgentError } from '../errors.ts'
import type { Network } from '../types.ts'
import { authority } from './authorities.ts'
import type { Context } from './context.ts'
import { asAgentError } from './findings.ts'
import { membership, type Membership } from './membership.ts'
import type { Port } from './port.ts'
import { afterSilence } from './silence.ts'
import type { ServerCertificate } from '../../supplicant/index.ts'

export async function install(step: StepOf<'install'>, context: Context): Promise<void> {
  const { port, network } = at(step, context)
  const whole = await membership(network, step.revision, context)
  const { block, blobs, warnings } = whole
  for (const text of warnings)
    context.say({ event: 'network-warning', severity: 'warning', ...where(step), text })
  await port.install(block, blobs)
  installed.set(port, { revision: step.revision, whole, at: performance.now() })
  const text = `network block ${block.id_str} installed`
  const data = { block: block.id_str, blobs: blobs.map(blob => blob.name) }
  context.say({ event: 'installed', severity: 'info', ...where(step), text, data })
}

/** What was just installed, by port: the join that follows at once need not read and judge it all again. */
const installed = new WeakMap<Port, { revision: string; whole: Membership; at: number }>()
/** Milliseconds for which it holds. */
const justNow = 1_000

function toJoin(
  port: Port,
  network: Network,
  revision: string,
  context: Context,
): Membership | Promise<Membership> {
  const last = installed.get(port)
  installed.delete(port)
  const holds = last?.revision === revision && performance.now() - last.at < justNow
  return holds ? last.whole : membership(network, revision, context)
}

export async function uninstall(step: StepOf<'uninstall'>, context: Context): Promise<void> {
  const port = context.ports.get(step.interface)
  if (!port) return
  const { blocks } = await port.state()
  const gone = blocks.filter(block => block.network === step.network && block.revision === step.revision)
  await port.uninstall(gone, step)
}

export async function join(step: StepOf<'join'>, signal: AbortSignal, context: Context): Promise<void> {
  const { ms, stages, text, server } = await authenticate(step, signal, context)
  const data = { ms, stages, ...(server !== undefined && { server }) }
  context.say({ event: 'joined', severity: 'info', ...where(step), text, data })
}

/**
 * A login with the candidate. SCEP has no issue confirmation (RFC 8894 section 7.4), so this is the proof: a new block with a
 * new certificate resumes no session, the authentication is a full one. Only its success moves `current`.
 */
export async function prove(step: StepOf<'prove'>, signal: AbortSignal, context: Context): Promise<void> {
  const { ms, stages } = await authenticate(step, signal, context)
  await context.credentials.of(step.network).promote(step.generation)
  context.memory.proved(step.network)
  const { network, generation, interface: name } = step
  context.news.tell(network, { kind: 'in-use', generation }, { interface: name, data: { ms, stages } })
}

interface Authenticated {
  ms: number
  stages: Record<string, number>
  text: string
  server: string | undefined
}

async function authenticate(
  step: StepOf<'join'> | StepOf<'prove'>,
  signal: AbortSignal,
  context: Context,
): Promise<Authenticated> {
  const { port, network } = at(step, context)
  const { block, blobs, facts } = await toJoin(port, network, step.revision, context)
  try {
    const target = { network: step.network, revision: step.revision }
    const { attempt, ms } = await port.join(target, block, blobs, signal)
    if (datesBy(network, context.clock.reading) === 'agent') {
      const problem = dateProblem(attempt.serverCertificates, context)
      if (problem) await port.leave()
      if (problem) throw problem
    }
    const rounded = Object.entries(attempt.times).map(([stage, time]) => [stage, Math.round(time)])
    const stages = Object.fromEntries(rounded) as Record<string, number>
    context.memory.joined(step.network, { at: context.now(), ms: Math.round(ms), stages })
    const method = attempt.method === undefined ? '' : ` by ${attempt.method}`
    const own = attempt.serverCertificates.find(certificate => certificate.depth === 0)
    if (own?.der) context.memory.met(step.network, authority(new X509Certificate(own.der), 'server'))
    const server = own?.subject
    return { ms: Math.round(ms), stages, text: `joined ${step.network}${method}`, server }
  } catch (error) {
    const mapped = asAgentError(error, facts)
    // The supplicant has judged by a system clock that nobody vouches for: the agent does from now on (docs/decisions.md).
    if (mapped instanceof AgentError && datesOfServer.has(mapped.finding.code)) context.clock.doubt()
    throw mapped
  }
}

const datesOfServer: ReadonlySet<string> = new Set([
  'server-certificate-expired',
  'server-certificate-not-yet-valid',
])

/** The system clock is wrong, so wpa_supplicant was told not to look at dates: they are judged here. A lower bound cannot say `not yet`. */
function dateProblem(chain: readonly ServerCertificate[], { clock }: Context): AgentError | undefined {
  const now = clock.now()
  const wrong = chain.flatMap(({ der, subject }) => {
    const { notBefore, notAfter } = der ? authority(new X509Certificate(der), 'server') : noDates
    const early = clock.reading.trusted && now < notBefore
    return now > notAfter || early ? [{ subject, expired: now > notAfter }] : []
  })
  const [first] = wrong
  if (!first) return undefined
  const { subject, expired } = first
  return new AgentError({
    code: expired ? 'server-certificate-expired' : 'server-certificate-not-yet-valid',
    title: `802.1X failed: the certificate of the RADIUS server ${expired ? 'has expired' : 'is not valid yet'}`,
    detail: `"${subject}", judged by the time of ${new Date(now).toISOString()}, because the system clock is wrong`,
    hint: 'renew the certificate of the RADIUS server; if it is in date, look at the time server of the network',
    side: 'server',
    retry: 'backoff',
  })
}

/** A certificate that was not shown cannot be judged: as if it had none. */
const noDates = { notBefore: Infinity, notAfter: -Infinity }

export async function lease(step: StepOf<'lease'>, signal: AbortSignal, context: Context): Promise<void> {
  const { port, network } = at(step, context)
  try {
    const path = await port.lease(signal)
    if (path.gateway !== undefined) context.memory.sawGateway(step.network, path.gateway)
    const text = `${path.address}/${String(path.prefix)} on ${step.interface}`
    const data = {
      address: path.address,
      gateway: path.gateway,
      dns: path.dns,
      server: path.lease.server,
      gapMs: port.gap,
    }
    context.say({ event: 'leased', severity: 'info', ...where(step), text, data })
  } catch (error) {
    throw network.profile.eap ? await afterSilence(network, error, signal, context) : asAgentError(error)
  }
}

export async function forget(step: StepOf<'forget'>, context: Context): Promise<void> {
  const { current } = await context.credentials.of(step.network).read()
  const folder = context.credentials.of(step.network)
  await folder.empty()
  context.memory.forget(step.network)
  const text = `the credential of ${step.network} was deleted`
  const data = current && { fingerprint: current.certificate.fingerprint }
  context.say({ event: 'forgotten', severity: 'info', network: step.network, text, ...(data && { data }) })
  // The folder is what the step is done again for after a power cut, so it goes when that is said for certain.
  await context.saved()
  const { held } = context.desired()
  const listedAgain =
    findNetwork(context.desired(), step.network) ?? held.find(({ id }) => id === step.network)
  if (!listedAgain) await folder.forget()
}

/** Whoever planned the step saw both; a change since then means that the step is pointless. */
function at(
  step: { interface: string; network: string },
  context: Context,
): { port: Port; network: Network } {
  const port = context.ports.get(step.interface)
  const network = findNetwork(context.desired(), step.network)
  if (!port || !network) throw new DOMException('the network is gone', 'AbortError')
  return { port, network }
}

const where = (step: { interface: string; network: string }): { interface: string; network: string } => ({
  interface: step.interface,
  network: step.network,
})

/** The step was done with an address of another segment: it means nothing, and is done again. */
export const strayed = (): DOMException =>
  new DOMException('the address was one of another segment', 'AbortError')

/** What was asked over a path that is gone meanwhile says nothing of the network, and is asked again. */
export const lostMeanwhile = (): DOMException =>
  new DOMException('the network was lost meanwhile', 'AbortError')
