/** Whom a SCEP transaction believes, what is kept of it, and the CA of tomorrow (RFC 8894 sections 2.2, 4.7). */
import type { X509Certificate } from 'node:crypto'
import { certificateFacts } from '../certificate.ts'
import type { Scep } from '../desired/profile.ts'
import { AgentError } from '../errors.ts'
import * as scep from '../scep/index.ts'
import type { Authority, Network } from '../types.ts'
import type { Context } from './context.ts'
import { asAgentError } from './findings.ts'
import { sayWarnings } from './scep-news.ts'

/** The CA's certificates, verified before the password is sent. */
export async function establish(
  transport: scep.Transport,
  network: Network,
  settings: Scep,
  context: Context,
  signal: AbortSignal,
): Promise<scep.Trust> {
  const folder = context.credentials.of(network.id)
  const [pinned, next] = await Promise.all([folder.notes.pin(), folder.notes.nextAuthorities()])
  const reply = await scep.getCaCertificates(transport, signal)
  if (reply.date) context.clock.claim(reply.date.getTime())
  const { caCertificates: roots, rootFingerprint: fingerprint } = settings
  const how = trustSettings({ roots, fingerprint }, pinned, next)
  const trust = scep.establishTrust(reply, how, context.clock.trustedDate())
  if (trust.pin !== null && trust.pin !== pinned) await folder.notes.savePin(trust.pin)
  return trust
}

/** What the profile trusts, and what was recorded: the CA of the first use, and the one that was announced. */
export const trustSettings = (
  given: Pick<scep.TrustSettings, 'roots' | 'fingerprint'>,
  pinned: string | undefined,
  next: string,
): scep.TrustSettings => ({
  ...given,
  ...(pinned !== undefined && { pinned }),
  ...(next !== '' && { next: [next] }),
})

/** The certificates whose expiry is watched from now on. */
export const authoritiesOf = ({ chain, certificates }: scep.Trust): Authority[] =>
  certificates.map(certificate => authority(certificate, roleOf(certificate, chain)))

export function authority(certificate: X509Certificate, role: Authority['role']): Authority {
  const { fingerprint, subject, notBefore, notAfter } = certificateFacts(certificate.toString())
  return { role, fingerprint, subject, notBefore, notAfter }
}

function roleOf(certificate: X509Certificate, chain: readonly X509Certificate[]): Authority['role'] {
  if (!chain.some(each => each.fingerprint256 === certificate.fingerprint256)) return 'ra'
  return certificate.subject === certificate.issuer ? 'root' : 'ca'
}

/**
 * Where the server offers it, asks for the CA that takes over: it is trusted beside the present one from now on, so that the
 * switch-over is no event. What goes wrong here is said and costs nothing else.
 */
export async function lookAhead(
  { transport, caps, trust }: { transport: scep.Transport; caps: scep.Capabilities; trust: scep.Trust },
  about: { network: Network; interface: string },
  signal: AbortSignal,
  context: Context,
): Promise<void> {
  if (!scep.advertises(caps, 'GetNextCACert')) return
  const { id } = about.network
  const folder = context.credentials.of(id)
  try {
    const next = await scep.getNextCaCertificates(transport, trust, signal)
    const pem = next.map(each => each.toString()).join('')
    if (pem === (await folder.notes.nextAuthorities())) return
    const names = next.map(each => each.subject.replaceAll('\n', ', ')).join('; ')
    const text = `the CA of ${id} will be replaced by ${names}: both are trusted from now on`
    context.say({ event: 'next-ca', severity: 'info', network: id, interface: about.interface, text })
    // Said before it is kept, or a power cut between the two would keep it from being said.
    await context.saved()
    await folder.notes.saveNextAuthorities(pem)
  } catch (error) {
    signal.throwIfAborted()
    const mapped = asAgentError(error)
    if (!(mapped instanceof AgentError)) throw error
    // Many servers advertise it and have none until a rollover is near.
    if (!(error instanceof scep.ScepError && error.code === 'next-ca-untrusted')) return
    const { code, title, detail } = mapped.finding
    sayWarnings([{ code, text: `${title}: ${detail}` }], about, context)
  }
}
