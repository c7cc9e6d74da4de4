import { ip } from './ip.ts'
import { leftoverAddress, leftoverRules, leftoverSources, protocol } from './routing.ts'

/**
 * Removes the rules, routes and addresses that a killed agent left, known by our protocol number; iproute2 6.1
 * cannot mark addresses, so they are those that our rules and routes name. To be run before the first path is opened.
 */
export async function sweepLeftovers(): Promise<void> {
  const [rules, routes] = await ip('rule show', `route show table all proto ${protocol}`)
  const { commands, addresses } = leftoverRules(rules)
  const ours = [...new Set([...addresses, ...leftoverSources(routes)])]
  const standing = await ip(...ours.map(address => `address show to ${address}`))
  // Addresses first: a packet with one of them must never meet a system without its rule.
  const removed = ours.flatMap((address, index) => leftoverAddress(address, standing[index]))
  await ip(...removed, ...commands, `-route flush table all proto ${protocol}`)
}
