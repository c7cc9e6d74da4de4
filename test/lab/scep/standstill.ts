/** How long the event loop stands still because of us, and not because the machine is busy with others. */
import { readFileSync } from 'node:fs'

/** Nanoseconds this process's main thread has been on a processor (proc(5), schedstat). */
const onProcessor = (): number =>
  Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[0])

/**
 * Runs `body` and returns the longest turn of the event loop meanwhile, in milliseconds of the main thread's own processor time,
 * exact to a tick of the kernel (4 ms). Waking up late on a busy machine does not count.
 */
export async function longestTurn(body: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let last = onProcessor()
  let running = true
  const look = (): void => {
    const now = onProcessor()
    longest = Math.max(longest, now - last)
    last = now
    if (running) setImmediate(look)
  }
  setImmediate(look)
  await body()
  running = false
  look()
  return longest / 1e6
}
