/** What a test of a network runs: one file a probe, one result type. */
import type { Path } from '../path/index.ts'
import type { TestResult } from '../types.ts'
import { within } from '../within.ts'

export type ProbeResult = TestResult['probes'][number]

export interface Probe {
  /** Stable id, e.g. `gateway`, `scep-reachable`. */
  probe: string
  /** Resolves with what was seen, one line; rejects with why not. */
  run: (path: Path, signal: AbortSignal) => Promise<string>
}

/** Runs one probe; its failure is a result, the caller's abort is not. */
export async function runProbe({ probe, run }: Probe, path: Path, signal: AbortSignal): Promise<ProbeResult> {
  const began = performance.now()
  const took = (): number => Math.round(performance.now() - began)
  using late = within(deadline, signal, path.lost)
  try {
    const detail = await run(path, late.signal)
    return { probe, passed: true, ms: took(), detail }
  } catch (error) {
    signal.throwIfAborted()
    const timedOut = error instanceof Error && error.name === 'TimeoutError'
    const why = timedOut ? `no answer within ${String(deadline / 1000)} s` : messageOf(error)
    return { probe, passed: false, ms: took(), detail: why }
  }
}

/** Milliseconds for one probe. */
const deadline = 10_000

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
