import { isIP } from 'node:net'
import { PathError } from './errors.ts'
import { tryIp } from './ip.ts'
import type { Lease } from './lease.ts'
import { inspect } from './standing.ts'

interface RouteRow {
  dev?: string
  table?: string
  type?: string
}

/**
 * Asks the kernel where a packet from `address` to `destination` would go right now, and rejects with `path-broken` when that
 * is not `device` by way of its own table. Without this a rule deleted by somebody else would let requests leave on the
 * management interface, where they are even answered. About 0.4 ms. A name instead of an address passes: its lookup checks.
 */
export async function verifyRoute(
  device: string,
  table: number,
  lease: Lease,
  destination: string,
): Promise<void> {
  const family = isIP(destination)
  if (family === 0) return
  if (family === 6) throw new PathError('ipv6-unsupported', `${destination} is an IPv6 address`)
  const { address } = lease
  const result = await tryIp(`route get ${destination} from ${address}`)
  if (!result.ok) {
    const { missing } = await inspect(device, table, lease)
    if (missing.length > 0)
      throw new PathError('path-broken', `somebody removed ${missing.join(', ')} of ${address} on ${device}`)
    throw new PathError('no-route', `from ${address} on ${device} to ${destination}: ${result.text}`)
  }
  const [route] = result.value as RouteRow[]
  if (route?.dev === device && route.table === String(table)) return
  if (route?.dev === 'lo')
    throw new PathError(
      'own-address',
      `${destination} leads from ${address} on ${device} to the sensor itself`,
    )
  throw new PathError(
    'path-broken',
    `packets from ${address} to ${destination} would leave on ${route?.dev ?? 'no interface'} by table ${route?.table ?? 'main'}, not on ${device} by table ${table}`,
  )
}
