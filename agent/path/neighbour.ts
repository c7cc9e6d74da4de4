import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { tryIp } from './ip.ts'
import type { Path } from './path.ts'

const run = promisify(execFile)

/**
 * Whether the gateway of the path is on the segment that the interface is connected to: asked by ARP anew, so that a gateway
 * that answers no ping counts too. True where the lease names none. Takes 1 s where it is not.
 */
export async function hasGateway(path: Path, signal: AbortSignal): Promise<boolean> {
  const { gateway, interface: device } = path
  if (gateway === undefined) return true
  await tryIp(`neighbour flush to ${gateway} dev ${device}`)
  await run('ping', ['-n', '-q', '-c', '1', '-W', '1', '-I', device, gateway], { signal }).catch(
    () => undefined, // what counts is whether its address is known now
  )
  signal.throwIfAborted()
  const rows = await tryIp(`neighbour show to ${gateway} dev ${device}`)
  const states = rows.ok ? (rows.value as { state?: string[] }[]).flatMap(({ state = [] }) => state) : []
  return states.some(state => ['REACHABLE', 'DELAY', 'PROBE', 'STALE', 'PERMANENT'].includes(state))
}
