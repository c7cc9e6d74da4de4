/** A port that 802.1X has opened, and over which nothing came back: which side that is. */
import { AgentError } from '../errors.ts'
import { isAnswered, looksLocked, PathError } from '../path/index.ts'
import type { Network } from '../types.ts'
import type { Context } from './context.ts'
import { asAgentError } from './findings.ts'

/**
 * What to say of a lease that failed. When nothing at all came back: where the gateway that this network had before answers,
 * the port is open and the DHCP server alone is silent. Where nobody was ever heard the two look alike, and it is the port.
 */
export async function afterSilence(
  network: Network,
  error: unknown,
  signal: AbortSignal,
  context: Context,
): Promise<unknown> {
  if (!(error instanceof PathError) || !looksLocked(error)) return asAgentError(error)
  const { gateway } = context.memory.of(network.id)
  if (gateway === undefined) return locked(network, error)
  if (!(await isAnswered(network.interface, gateway, signal))) return locked(network, error)
  const detail = `${error.detail}; but ${gateway}, the gateway of the last lease, answers`
  return asAgentError(new PathError('dhcp-no-offer', detail, { cause: error, facts: error.facts }))
}

const lockedOnTheAir = {
  title: 'Nothing comes through after 802.1X succeeded',
  hint:
    'look at the access point or its controller: the VLAN that RADIUS assigns must exist there and behind it; ' +
    'if it does, this network has no DHCP server and nobody else who is heard',
}

const locked = (network: Network, cause: unknown): AgentError =>
  new AgentError(
    {
      code: 'port-stays-locked',
      title: 'The port stays locked after 802.1X succeeded',
      detail: `${network.interface} was authenticated for ${network.id}, but not one frame has come back since`,
      hint:
        'look at the switch: the port must be authorised for this MAC, and the VLAN that RADIUS assigns must exist on it; ' +
        'if the switch shows both, this network has no DHCP server and nobody else who is heard',
      side: 'network',
      retry: 'backoff',
      ...(network.profile.wireless && lockedOnTheAir),
    },
    { cause },
  )
