/** The CA between two renewals, which may be half a year apart: its certificates, and the one that takes over (RFC 8894 section 4.7). */
import { findNetwork } from '../core/want.ts'
import * as scep from '../scep/index.ts'
import type { Path } from '../path/index.ts'
import { scepOverPath } from '../scep-over-path.ts'
import type { Notice } from '../types.ts'
import { authoritiesOf, establish, lookAhead } from './authorities.ts'
import type { Context } from './context.ts'
import { asAgentError } from './findings.ts'
import { AgentError } from '../errors.ts'

/**
 * Looks at what the SCEP server shows now, over the tested network. Resolves with what is wrong there: a CA that changed or has
 * expired would stop the next renewal. A server that cannot be reached now is none the worse for it.
 */
export async function lookAtCa(
  id: string,
  path: Path,
  signal: AbortSignal,
  context: Context,
): Promise<Notice[]> {
  const network = findNetwork(context.desired(), id)
  const settings = network?.profile.scep
  if (!network || !settings) return []
  using transport = scepOverPath(settings, path)
  try {
    const caps = await scep.getCaCaps(transport, signal)
    const trust = await establish(transport, network, settings, context, signal)
    context.memory.sawAuthorities(id, { at: context.now(), authorities: authoritiesOf(trust) })
    await lookAhead({ transport, caps, trust }, { network, interface: path.interface }, signal, context)
    return []
  } catch (error) {
    signal.throwIfAborted()
    const mapped = asAgentError(error)
    if (!(mapped instanceof AgentError)) throw error
    const { code, title, detail, hint, side } = mapped.finding
    if (side === 'network') return []
    return [{ code, severity: 'warning', text: `the next renewal would fail: ${title}: ${detail}. ${hint}` }]
  }
}
