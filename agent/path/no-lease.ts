import { PathError } from './errors.ts'

/** What was seen until the deadline for a lease had passed. */
export interface Silence {
  interface: string
  deadlineMs: number
  /** How often DISCOVER was sent. */
  discovers: number
  /** The client's line about the offer it took last, when it still awaits the acknowledgement. */
  unacknowledged: string | undefined
  /** What the server's DHCPNAK said. */
  refused: string | undefined
  /** Frames received meanwhile, without multicast. */
  received: number
}

/** Which side of DHCP is to blame for a missing lease. */
export function noLease(silence: Silence): PathError {
  const { discovers, received, refused, unacknowledged } = silence
  const facts = { received, discovers }
  const where = `on ${silence.interface} within ${silence.deadlineMs} ms`
  if (refused !== undefined)
    return new PathError('dhcp-no-ack', `the server refused the address ${where}: ${refused}`, { facts })
  if (unacknowledged !== undefined)
    return new PathError('dhcp-no-ack', `no acknowledgement ${where} after ${unacknowledged}`, { facts })
  const heard = received === 0 ? 'nothing at all was received' : `${received} frames were received`
  return new PathError('dhcp-no-offer', `no offer ${where}, DISCOVER sent ${discovers} times, ${heard}`, {
    facts,
  })
}
