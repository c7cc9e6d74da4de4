import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { checkpoint } from '../checkpoint.ts'
import type { Probe } from './probe.ts'

const run = promisify(execFile)

/** One ICMP echo to the gateway, over the interface (the `oif` rule makes ping -I work off-link too). */
export const gateway: Probe = {
  probe: 'gateway',
  run: async (path, signal) => {
    if (path.gateway === undefined) return 'the lease names no gateway'
    await path.verify(path.gateway)
    checkpoint(`ping ${path.gateway}`)
    const options = ['-n', '-c', '1', '-W', '2', '-I', path.interface, path.gateway]
    const { stdout } = await run('ping', options, { signal }).catch((error: unknown) => {
      if (error instanceof Error && 'stdout' in error)
        throw new Error(`${path.gateway ?? ''} does not answer`)
      throw error
    })
    return /time=[\d.]+ ms/.exec(stdout)?.[0] ?? 'answered'
  },
}
