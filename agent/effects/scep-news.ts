/** What the timeline hears of a SCEP transaction. */
import { checkpoint } from '../checkpoint.ts'
import { minute } from '../core/validity.ts'
import type * as scep from '../scep/index.ts'
import type { CertificateFacts, Network, Notice } from '../types.ts'
import type { Context } from './context.ts'

interface About {
  network: Network
  interface: string
}

const where = (about: About): { network: string; interface: string } => ({
  network: about.network.id,
  interface: about.interface,
})

export function sayExchange(exchange: scep.Step, about: About, context: Context): void {
  const { name, url, milliseconds, outcome } = exchange
  checkpoint(`${outcome} ${name}`)
  context.say({
    event: 'scep-exchange',
    severity: outcome === 'answered' ? 'info' : 'warning',
    ...where(about),
    text: `${name} ${outcome}`,
    data: { operation: name, url, ms: Math.round(milliseconds) },
  })
}

/** Those of the client, and what else was noticed of the server. */
export function sayWarnings(
  warnings: readonly { code: string; text: string }[],
  about: About,
  context: Context,
): void {
  for (const { code, text } of warnings)
    context.say({ event: 'scep-warning', severity: 'warning', ...where(about), text, data: { code } })
}

export async function sayIssued(
  outcome: Extract<scep.Outcome, { status: 'issued' }>,
  about: About & { role: 'current' | 'candidate' },
  context: Context,
): Promise<void> {
  const { network, role } = about
  const made = (await context.credentials.of(network.id).read())[role]
  const more = { interface: about.interface, data: { reply: outcome.replyAlgorithms } }
  // A person may have removed it meanwhile.
  if (made) context.news.tell(network.id, { kind: 'issued', ...made, role }, more)
}

/** It is used all the same: the CA may have revoked the other on issue. */
export const shorter = (made: CertificateFacts, replaced: CertificateFacts | undefined): Notice[] => {
  if (!replaced || made.notAfter >= replaced.notAfter) return []
  const [end, other] = [minute(made.notAfter), minute(replaced.notAfter)]
  const text = `the new certificate ends on ${end}, before the one it replaces, which ends on ${other}: look at the validity that the CA gives`
  return [{ code: 'certificate-shorter', severity: 'warning', text }]
}
