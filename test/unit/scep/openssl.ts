/** openssl as the second opinion. */
import { spawnSync } from 'node:child_process'

/** Runs `openssl` with these arguments; its output, or an error with its words. */
export function openssl(args: readonly string[], input?: Uint8Array): Buffer {
  const { status, stdout, stderr } = spawnSync('openssl', args, { input, maxBuffer: 16_777_216 })
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr.toString()}`)
  return stdout
}
