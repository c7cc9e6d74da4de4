/** What of the steps that follow can begin now, so that they find it done. */
import { credentialStatus } from '../core/credential.ts'
import type { Step } from '../core/step.ts'
import { findNetwork } from '../core/want.ts'
import type { Context } from './context.ts'
import { sayDamage } from './damage.ts'
import { isPrepared, prepareAhead } from './enroll.ts'
import { keyOf } from './key.ts'

/**
 * `steps` are those after the one that is being started. The key of an enrolment is made while the enrollment network is joined, because
 * it takes longer than everything else together. What is quickly done waits until an address is awaited, when there is nothing else to do:
 * it would stand in the way of the join. A failure shows again when the step needs the key.
 */
export async function ahead(steps: Step[], context: Context): Promise<void> {
  const [first] = steps
  const standby = first && context.ports.get(first.interface)?.standby
  if (first?.action === 'join') standby?.arm()
  const step = steps.find(candidate => candidate.action === 'enroll')
  const network = step && findNetwork(context.desired(), step.network)
  if (!step || !network?.profile.scep) return
  const { key } = network.profile.scep
  const isNext = first === step
  // A join with what the enrolment brings comes after it.
  if (isNext) standby?.prepare()
  else if (await context.credentials.spare?.has(key)) return
  const folder = context.credentials.of(network.id)
  const state = await folder.read()
  if (credentialStatus(network, state, context.now()).kind !== 'absent') return
  sayDamage({ network: network.id, interface: step.interface }, state, context)
  if (isPrepared(network, network.profile.scep, context)) return
  const [, made] = await Promise.all([folder.begin(network.assignment), keyOf(network.id, key, context)])
  if (isNext) await prepareAhead(network, network.profile.scep, made, context)
}
