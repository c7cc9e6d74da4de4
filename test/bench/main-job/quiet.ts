/** Measurements want the machine for themselves: others that work at the same time are waited for, within reason. */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

/** Ticks since the start of the machine, proc(5). */
async function ticks(): Promise<{ idle: number; all: number }> {
  const [, ...values] = ((await readFile('/proc/stat', 'utf8')).split('\n', 1)[0] ?? '').split(/ +/)
  const numbers = values.map(Number)
  return { idle: (numbers[3] ?? 0) + (numbers[4] ?? 0), all: numbers.reduce((sum, one) => sum + one, 0) }
}

/**
 * Resolves once the processors were 85 % idle for 300 ms, with true; or with false after `most` milliseconds, when
 * what is measured next counts others' work too.
 */
export async function quiet(most: number, signal: AbortSignal): Promise<boolean> {
  const end = performance.now() + most
  do {
    const before = await ticks()
    await delay(300, undefined, { signal })
    const after = await ticks()
    if (after.idle - before.idle >= 0.85 * (after.all - before.all)) return true
  } while (performance.now() < end)
  return false
}
