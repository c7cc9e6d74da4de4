import { readFile } from 'node:fs/promises'
import { advance, type Attempt, beginAttempt } from '../../../supplicant/attempt.ts'
import { nextDeadline } from '../../../supplicant/deadlines.ts'
import { eventsOf } from '../../../supplicant/signals.ts'
import type { CredentialFacts } from '../../../supplicant/triage.ts'

const FOLDER = new URL('../../fixtures/supplicant-signals/', import.meta.url)

export interface Expectation {
  name: string
  facts: CredentialFacts
  finding: string | null
  side?: string
  title?: string
  detail?: string
}

const NOW = Date.UTC(2026, 9, 1)
const ISSUER = 'CN=Wired Test Root CA, O=Wired Test'
const certificate = (from: string, to: string, issuer = ISSUER) => ({
  notBefore: Date.parse(from),
  notAfter: Date.parse(to),
  issuers: [issuer],
})
const tls = { now: NOW, method: 'TLS', identity: 'sensor1' }

/** The credentials behind the recordings, as their makers issued them. */
const CREDENTIALS: Record<string, CredentialFacts> = {
  good: { ...tls, certificate: certificate('2026-01-01', '2035-12-31') },
  expired: { ...tls, certificate: certificate('2025-01-01', '2025-12-31') },
  future: { ...tls, certificate: certificate('2030-01-01', '2035-12-31') },
  rogue: { ...tls, certificate: certificate('2026-01-01', '2035-12-31', 'O=Rogue\nCN=Rogue CA') },
  peap: { now: NOW, method: 'PEAP', identity: 'peapuser' },
}

/** What is expected of every recording, with the credential facts written beside them. */
export async function expectations(): Promise<Expectation[]> {
  const all = JSON.parse(await readFile(new URL('facts.json', FOLDER), 'utf8')) as Record<
    string,
    Omit<Expectation, 'name' | 'facts'> & { facts: string | CredentialFacts }
  >
  return Object.entries(all).map(([name, { facts, ...expected }]) => ({
    name,
    ...expected,
    facts: typeof facts === 'string' ? (CREDENTIALS[facts] ?? {}) : facts,
  }))
}

/** A recorded attempt, run through the fold with the ticks a clock would have given it. */
export async function replay(name: string): Promise<Attempt> {
  const lines = (await readFile(new URL(`${name}.jsonl`, FOLDER), 'utf8')).trim().split('\n')
  let attempt = beginAttempt(true)
  for (const line of lines) {
    const signal = JSON.parse(line) as { ms: number; interface?: string; member?: string; body?: unknown[] }
    for (
      let due = nextDeadline(attempt);
      due !== undefined && due.ms <= signal.ms;
      due = nextDeadline(attempt)
    )
      attempt = advance(attempt, { kind: 'tick', ms: due.ms })
    const { interface: path = '', member = '', body = [] } = signal
    for (const event of eventsOf({ interface: path, member, body }))
      attempt = advance(attempt, { ...event, ms: signal.ms })
  }
  return attempt
}
