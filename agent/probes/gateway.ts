import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { checkpoint } from '../checkpoint.ts'
import { hasGateway, hasOutsideGateway, PathError, type Path } from '../path/index.ts'
import type { Probe } from './probe.ts'

const run = promisify(execFile)

/** One ICMP echo, over the interface (the `oif` rule makes ping -I work off-link too). Resolves with what was seen. */
export async function ping(path: Path, address: string, signal: AbortSignal): Promise<string> {
  await path.verify(address)
  checkpoint(`ping ${address}`)
  const options = ['-n', '-c', '1', '-W', '2', '-I', path.interface, address]
  const { stdout } = await run('ping', options, { signal }).catch((error: unknown) => {
    if (error instanceof Error && 'stdout' in error) throw new Error(`${address} does not answer`)
    throw error
  })
  return /time=[\d.]+ ms/.exec(stdout)?.[0] ?? 'answered'
}

/** Firewalls that are a gateway often answer no ping: that they have its address is seen by ARP, and what is behind by the other probes. */
export const gateway: Probe = {
  probe: 'gateway',
  run: async (path, signal) => {
    const address = path.gateway
    if (address === undefined) return 'the lease names no gateway'
    return ping(path, address, signal).catch(async (error: unknown) => {
      if (error instanceof PathError) throw error
      if (!signal.aborted && (await hasGateway(path, signal)))
        return `${address} is there and answers no ping`
      const subnet = `${path.address}/${String(path.prefix)}`
      throw error instanceof Error && hasOutsideGateway(path.lease)
        ? new Error(`${error.message}, and is outside of the subnet of ${subnet}`)
        : error
    })
  },
}
