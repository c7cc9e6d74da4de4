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

/**
 * Whether somebody has this address on the segment, asked without one of our own: an ARP probe, whose sender is 0.0.0.0
 * (RFC 5227 section 2.1.1), so that nobody's memory of neighbours is touched. Takes 1 s where nobody answers; false also where busybox,
 * of which udhcpc is a part, has no arping.
 */
export async function isAnswered(device: string, address: string, signal: AbortSignal): Promise<boolean> {
  const probe = ['arping', '-D', '-f', '-q', '-c', '2', '-w', '1', '-I', device, address]
  const answered = await run('busybox', probe, { signal, timeout: 1_000 }).then(
    () => false,
    // It looks for duplicates: exit code 1 is the answer, unless it comes with a complaint, e.g. of a missing right.
    (error: unknown) => {
      const { code, stderr } = error as { code?: unknown; stderr?: unknown }
      return code === 1 && stderr === ''
    },
  )
  signal.throwIfAborted()
  return answered
}
