import { PathError } from './errors.ts'

/** What was seen until the deadline for a lease had passed. */
export interface Silence {
  interface: string
  deadlineMs: number
  /** How often DISCOVER was sent. */
  discovers: number
  /** The client's line about the offer it took last, */
  taken: string | undefined
  /** whose acknowledgement it still awaits. */
  awaiting: boolean
  /** What the server's DHCPNAK said. */
  refused: string | undefined
  /** Frames received meanwhile, without multicast. */
  received: number
}

/** Which side of DHCP is to blame for a missing lease. */
export function noLease(silence: Silence): PathError {
  const { discovers, received, refused, taken, awaiting } = silence
  const facts = { received, discovers }
  const where = `on ${silence.interface} within ${silence.deadlineMs} ms`
  const after = taken === undefined ? '' : `, after ${taken}`
  if (refused !== undefined)
    return new PathError('dhcp-no-ack', `the server refused the address ${where}: ${refused}${after}`, {
      facts,
    })
  if (awaiting) return new PathError('dhcp-no-ack', `no acknowledgement ${where}${after}`, { facts })
  const heard = received === 0 ? 'nothing at all was received' : `${received} frames were received`
  return new PathError('dhcp-no-offer', `no offer ${where}, DISCOVER sent ${discovers} times, ${heard}`, {
    facts,
  })
}
