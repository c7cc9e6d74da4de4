import { inspect, isDeepStrictEqual } from 'node:util'
import type { Telling } from '../telling.ts'

/** Milliseconds after which a scenario has failed; an emulated processor takes its time. */
const patience = 120_000

const tell = (telling: Telling): void => {
  process.stdout.write(`${JSON.stringify(telling)}\n`)
}

/** The assertions of one scenario. Each is told at once; a failed one does not end the scenario. */
export class Scene {
  failed = false

  ok(condition: unknown, sentence: string, details: Record<string, unknown> = {}): void {
    const ok = Boolean(condition)
    this.failed ||= !ok
    tell({ kind: 'check', ok, sentence, ...(ok ? {} : { details }) })
  }

  is(found: unknown, wanted: unknown, sentence: string): void {
    this.ok(isDeepStrictEqual(found, wanted), sentence, { found, wanted })
  }

  match(found: string, wanted: RegExp, sentence: string): void {
    this.ok(wanted.test(found), sentence, { found, wanted: String(wanted) })
  }

  comment(text: string): void {
    tell({ kind: 'comment', text })
  }
}

/** Part of the name of the scenarios that are wanted, while one is being worked on. */
const only = process.argv[2] ?? ''

let told = 0

/**
 * One scenario, which becomes a subtest outside. `logs` gives the ends of the daemons' logs, told when it has failed.
 * An error, or a deadline that passes, fails it and lets the next one begin. Resolves with whether it went well.
 */
export async function scenario(
  name: string,
  logs: () => string,
  act: (scene: Scene, signal: AbortSignal) => Promise<void>,
): Promise<boolean> {
  if (!name.includes(only)) return true
  told += 1
  tell({ kind: 'scenario', name })
  const scene = new Scene()
  const start = performance.now()
  const late = AbortSignal.timeout(patience)
  const overdue = new Promise<never>((_, reject) => {
    late.addEventListener('abort', () => {
      reject(new Error(`not over within ${patience} ms`))
    })
  })
  try {
    await Promise.race([act(scene, late), overdue])
  } catch (error) {
    const { message } = error as Error
    scene.ok(false, message.split('\n')[0] ?? '', { error: inspect(error, { depth: 6 }) })
  }
  if (scene.failed) scene.comment(logs())
  tell({ kind: 'over', ms: Math.round(performance.now() - start) })
  return !scene.failed
}

/** A word beside the figures. */
export const comment = (text: string): void => {
  tell({ kind: 'comment', text })
}

/** What was measured. */
export const figures = (measured: Record<string, number[]>): void => {
  tell({ kind: 'figures', figures: measured })
}

/** The whole of a program: its scenarios, and the word that there are no more, so that one that never ran is missed. */
export function program(act: () => Promise<void>): void {
  act().then(
    () => {
      tell({ kind: 'end', scenarios: told })
    },
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
      process.exitCode = 1
    },
  )
}
