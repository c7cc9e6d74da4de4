/**
 * Preloaded into the agent (NODE_OPTIONS): at SIGUSR2 it says on standard output what the process holds, after a garbage
 * collection. The agent itself is the one that is installed.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

process.on('SIGUSR2', () => {
  collect()
  const held = {}
  for (const name of process.getActiveResourcesInfo()) held[name] = (held[name] ?? 0) + 1
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
  const heap = process.memoryUsage().heapUsed / 1_048_576
  process.stdout.write(`inner ${JSON.stringify({ held, listeners, heap })}\n`)
})
