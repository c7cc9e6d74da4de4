import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'

type Child = ChildProcessByStdio<null, Readable, null>

/**
 * One `ip monitor` for all paths: tells when something that a path stands on may have been taken away.
 * The kernel does not announce the routes that a link going down takes with it, so every line about a link counts.
 */
const listeners = new Set<() => void>()
let child: Child | undefined
/** Milliseconds between two that end at once. */
const pause = 1_000

const concerns = (line: string): boolean => line.startsWith('Deleted ') || /^\d+: \S+: </.test(line)

function start(): Child {
  const monitor = spawn(
    'setpriv',
    [...['--pdeathsig', 'TERM'], ...['ip', '-oneline', '-4', 'monitor', 'link', 'address', 'route', 'rule']],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  )
  let rest = ''
  monitor.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    if (lines.some(concerns)) for (const listener of listeners) listener()
  })
  monitor.on('error', () => undefined)
  const since = performance.now()
  const again = (): void => {
    if (child !== monitor) return
    child = start()
    for (const listener of listeners) listener()
  }
  // It was killed by somebody: what happened meanwhile is unknown, so everybody looks for himself. Where it ends as it begins
  // (no program, no room for a process), that would take the whole processor.
  monitor.once('close', () => {
    if (performance.now() - since > pause) again()
    else setTimeout(again, pause).unref()
  })
  monitor.unref()
  for (const stream of [monitor.stdin, monitor.stdout, monitor.stderr])
    if (stream instanceof Socket) stream.unref()
  return monitor
}

/** Calls `listener` after every change of links, addresses, routes or rules until the returned function is called. */
export function onNetworkChange(listener: () => void): () => void {
  listeners.add(listener)
  child ??= start()
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    const monitor = child
    child = undefined
    monitor?.kill()
  }
}
