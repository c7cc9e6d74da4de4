import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { checkout } from '../../lab/pki.ts'

/** EX_UNAVAILABLE of sysexits.h: what test/setup/wifi.mjs ends with on a machine that cannot. */
const unavailable = 69

/** The folder with kernel and initramfs, made by test/setup/wifi.mjs where it is not there yet; or why there is none. */
export async function prepared(): Promise<{ folder: string } | { reason: string }> {
  const cache = join(checkout(), 'node_modules/.cache/sonde-wifi')
  await mkdir(cache, { recursive: true })
  // One at a time: test files run side by side, and only one may install packages.
  const command = [join(cache, 'lock'), process.execPath, join(checkout(), 'test/setup/wifi.mjs')]
  const child = spawn('flock', command, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  const [said, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ])
  if (code === 0) return { folder: said.trim() }
  if (code === unavailable) return { reason: said.trim() }
  throw new Error(`test/setup/wifi.mjs ended with ${String(code)}\n${said}${errors}`)
}
