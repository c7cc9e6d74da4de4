/**
 * A new certificate for a network that has one, over that network itself (S2-51, RFC 8894 section 2.4).
 * Make before break: the answer is a candidate, and the certificate in force is not touched.
 */
import type { KeyObject } from 'node:crypto'
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { digest12 } from '../core/hash.ts'
import type { StepOf } from '../core/step.ts'
import { findNetwork } from '../core/want.ts'
import type { Scep } from '../desired/profile.ts'
import { AgentError } from '../errors.ts'
import { readKey } from '../keys.ts'
import * as scep from '../scep/index.ts'
import type { RenewalMethod } from '../server-memory.ts'
import type { Network, Notice } from '../types.ts'
import { certify, type Purpose } from './certify.ts'
import type { Context } from './context.ts'
import { enrolmentBasis } from './enroll.ts'
import { asAgentError } from './findings.ts'

export async function renew(step: StepOf<'renew'>, signal: AbortSignal, context: Context): Promise<void> {
  const network = findNetwork(context.desired(), step.network)
  const path = context.ports.get(step.interface)?.path
  const current = (await context.credentials.of(step.network).read()).current
  if (!network?.profile.scep || !path || !current)
    throw new DOMException('the network was left', 'AbortError')
  const settings = network.profile.scep
  await context.renewals.began(context.now())
  const old = await inForce(network, current.generation, context)
  const password = passwordFor(settings)
  const asked = await askedFor(network, settings, context)
  /** How the request on its way renews; undefined when it was made for something else. */
  let method: RenewalMethod | undefined
  const purpose: Purpose = {
    ...{ network, settings, interface: step.interface, role: 'candidate' },
    basis: asked ?? renewalBasis(current.certificate.fingerprint, settings),
    prepare: (key, caps) =>
      scep.prepareRenewal({
        ...{ key, signature: settings.signature, currentCertificate: old.certificate },
        method: methodFor(settings, caps, context),
        ...(password !== undefined && { challengePassword: password }),
        ...(settings.template !== undefined && { template: settings.template }),
        validFrom: new Date(context.now()),
      }),
    signer: (key, enrolment) => {
      method = methodOf(enrolment, old.key)
      return method === undefined || method === 're-enrol' ? key : old.key
    },
    replaces: current.certificate,
    notices: asked !== undefined || password === undefined ? [] : [passwordSent],
  }
  try {
    await certify(purpose, path, signal, context)
    if (method) await context.servers.worked(settings.url, method)
    context.memory.renewed(network.id)
  } catch (error) {
    const proven = method !== undefined && context.servers.proven(settings.url, method)
    const over = await isOver(network.id, error, proven, context)
    if (over && method) await context.servers.refused(settings.url, method, profileBasis(settings))
    throw tooEarly(error, current.certificate.notAfter - context.now())
  }
}

const passwordFor = (settings: Scep): string | undefined =>
  settings.challengeOnRenewal ? settings.challengePassword : undefined

/**
 * What goes into the renewal of this certificate, as far as the profile says it. Not the method that `auto` takes: a server whose
 * GetCACaps goes unanswered once must not cost the key of a request that it may have answered.
 */
export const renewalBasis = (fingerprint: string, settings: Scep): string =>
  digest12(['renewal', fingerprint, ...saidOf(settings)])

/** The same for whatever certificate: what a server that refuses may object to. */
const profileBasis = (settings: Scep): string => digest12(saidOf(settings))

function saidOf(settings: Scep): unknown[] {
  const { url, renewalMethod, key, signature, template } = settings
  return [url, renewalMethod, key, signature, template, passwordFor(settings)]
}

/** The basis of a request that a person asked for and that has not ended: it is finished here, and brings a candidate as well. */
async function askedFor(network: Network, settings: Scep, context: Context): Promise<string | undefined> {
  const open = await context.credentials.of(network.id).request()
  const basis = open && enrolmentBasis(network, settings, context)
  return open?.basis === basis ? basis : undefined
}

/**
 * As it was made, perhaps before the last power cut. An EC certificate can only be enrolled again, which says nothing of the server.
 */
function methodOf(
  { renewal, messageType, signerCertificate }: scep.Enrolment,
  old: KeyObject,
): RenewalMethod | undefined {
  if (!renewal || old.asymmetricKeyType !== 'rsa') return undefined
  return new X509Certificate(signerCertificate).checkPrivateKey(old) ? messageType : 're-enrol'
}

/** Attempts after which a request that the server answers, and never with a certificate, is over. */
const mostFailures = 3

/**
 * Whether this way of renewing was refused for good: by the server, or because the same request has come to nothing again and again
 * at a server that answers. Some cannot say no to a RenewalReq and fail instead; and a request that is taken for one that was
 * answered before would else be sent again unchanged until the certificate has expired.
 */
async function isOver(network: string, error: unknown, proven: boolean, context: Context): Promise<boolean> {
  if (error instanceof scep.ScepError && error.kind === 'rejected' && scep.endsTransaction(error)) return true
  const folder = context.credentials.of(network)
  const open = await folder.request()
  const isLost = error instanceof AgentError && error.finding.code === 'issued-but-lost'
  const isFault =
    error instanceof scep.ScepError && (error.kind === 'server-fault' || error.code === 'http-status')
  if (!open || !(isLost || (isFault && !proven))) return false
  const failures = (open.failures ?? 0) + 1
  if (failures < mostFailures) await folder.saveRequest({ ...open, failures })
  else await folder.dropRequest()
  return failures >= mostFailures
}

/** B-71: RFC 8894 section 2.4 would leave it out, but servers that check it are many. */
const passwordSent: Notice = {
  code: 'challenge-on-renewal',
  severity: 'info',
  text: 'the challenge password was sent with the renewal: set scep.challengeOnRenewal to false where the server does not ask for it (RFC 8894 section 2.4)',
}

/** B-74: the CA's own window has not opened; asked again when a quarter of what is left has passed. */
function tooEarly(error: unknown, left: number): unknown {
  if (!(error instanceof scep.ScepError) || error.kind !== 'too-early') return error
  const mapped = asAgentError(error)
  if (!(mapped instanceof AgentError)) return error
  return new AgentError({ ...mapped.finding, retryAfter: Math.round(left / 4000) }, { cause: error })
}

const methodFor = (settings: Scep, caps: scep.Capabilities, context: Context): RenewalMethod =>
  settings.renewalMethod === 'auto'
    ? context.servers.method(settings.url, scep.advertises(caps, 'Renewal'), profileBasis(settings))
    : settings.renewalMethod

async function inForce(
  network: Network,
  generation: string,
  context: Context,
): Promise<{ certificate: string; key: KeyObject }> {
  const files = context.credentials.of(network.id).files(generation)
  const [certificate, key] = await Promise.all([
    readFile(files.certificate, 'utf8'),
    readFile(files.key, 'utf8'),
  ])
  return { certificate, key: readKey(key) }
}
