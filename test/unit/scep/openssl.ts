/** openssl as the second opinion. */
import { spawnSync } from 'node:child_process'

/** Runs `openssl` with these arguments; its output, or an error with its words. */
export function openssl(args: readonly string[], input?: Uint8Array): Buffer {
  const { status, stdout, stderr } = spawnSync('openssl', args, { input, maxBuffer: 16_777_216 })
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr.toString()}`)
  return stdout
}

/**
 * Runs one `openssl` after the other in `folder`, with arguments that hold neither spaces nor quotes; what they say on standard error.
 * `xargs` starts them: to start a process takes ten milliseconds where as much memory is in use as in a batch of tests.
 */
export function opensslEach(folder: string, commands: readonly string[]): string {
  const input = commands.map(command => `${command.trim()}\n`).join('')
  const { status, stderr } = spawnSync('xargs', ['-L', '1', 'openssl'], { cwd: folder, input })
  if (status !== 0) throw new Error(`one of these failed:\n${input}${stderr.toString()}`)
  return stderr.toString()
}
