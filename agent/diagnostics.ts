/** The support bundle: everything a person asks for first, and nothing secret (docs/operations.md). */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Settings } from './config.ts'
import { version } from './version.ts'

const run = promisify(execFile)

/** Keys whose values never leave the sensor, wherever they stand. */
const secret = /password|passphrase|psk|secret|^key$|privatekey/i

/** The same value with every secret replaced. */
export function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key,
      secret.test(key) && typeof member === 'string' ? '(secret)' : withoutSecrets(member),
    ]),
  )
}

/** What the kernel says of rules, routes, addresses and links; a command that fails says why in its place. */
async function kernel(): Promise<Record<string, unknown>> {
  const questions = { rules: ['rule'], routes: ['route', 'show', 'table', 'all'], addresses: ['address'] }
  const answers = Object.entries(questions).map(async ([name, words]): Promise<[string, unknown]> => {
    const answer = run('ip', ['-j', ...words], { timeout: 5000 }).then(
      ({ stdout }) => JSON.parse(stdout) as unknown,
    )
    return [name, await answer.catch((error: unknown) => String(error))]
  })
  return Object.fromEntries(await Promise.all(answers))
}

export async function diagnostics(
  settings: Settings,
  facts: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const { rss, heapUsed } = process.memoryUsage()
  return {
    version,
    node: process.version,
    uptime: Math.round(process.uptime()),
    memory: { rss, heapUsed },
    settings: withoutSecrets({ ...settings, bootstrap: settings.bootstrap && '(left out)' }),
    kernel: await kernel(),
    ...facts,
  }
}
