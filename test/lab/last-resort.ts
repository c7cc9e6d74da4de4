const acts = new Set<() => void>()
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

function runAll(): void {
  for (const act of [...acts].reverse()) {
    acts.delete(act)
    try {
      act()
    } catch (error) {
      process.stderr.write(`lab: ${String(error)}\n`)
    }
  }
}

/** Cleans up, steps aside and sends the signal again, so that the process ends as if nobody had listened. */
function onSignal(signal: NodeJS.Signals): void {
  runAll()
  for (const one of signals) process.removeListener(one, onSignal)
  process.kill(process.pid, signal)
}

let exiting = false
let listening = false

/** From now on SIGINT, SIGTERM and SIGHUP clean up, too, and then end the process. Not for a program that ends by itself on a signal. */
export function listenToSignals(): void {
  if (listening) return
  listening = true
  for (const signal of signals) process.on(signal, onSignal)
}

/**
 * Has `act` run synchronously when this process ends by exit or an uncaught exception, and by a signal (see above), before
 * the returned disposal. (Against SIGKILL the kernel ends the daemons and the next lab sweeps the names, see namespace.ts.)
 */
export function atDeath(act: () => void): Disposable {
  if (!exiting) process.on('exit', runAll)
  exiting = true
  acts.add(act)
  return { [Symbol.dispose]: () => void acts.delete(act) }
}
