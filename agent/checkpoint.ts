/**
 * Named points between two effects on the world, so that a test can cut the power exactly there.
 * In production nothing listens and a checkpoint costs one comparison.
 */
type Listener = (name: string) => void

let listener: Listener | undefined

/** Says that the point `name` is reached, e.g. `write key.pem.new`, `scep PKCSReq`, `step join`. */
export const checkpoint = (name: string): void => listener?.(name)

/** Told of every point until it is disposed of; there is one listener at a time. */
export function onCheckpoint(tell: Listener): Disposable {
  listener = tell
  return {
    [Symbol.dispose]: () => {
      listener = undefined
    },
  }
}

/**
 * `SONDE_KILL_AT="text"` kills the process (SIGKILL, as a power cut does) at the first point whose name begins with the text, or
 * with `SONDE_KILL_NTH=n` at the nth;
 * `SONDE_CHECKPOINTS=1` writes every point to standard error.
 */
export function listenToCheckpoints(environment: NodeJS.ProcessEnv): void {
  const killAt = environment['SONDE_KILL_AT']
  const print = environment['SONDE_CHECKPOINTS'] === '1'
  let toPass = Number(environment['SONDE_KILL_NTH'] ?? 1)
  if (!killAt && !print) return
  listener = name => {
    if (print) process.stderr.write(`checkpoint ${name}\n`)
    if (killAt && name.startsWith(killAt) && --toPass === 0) process.kill(process.pid, 'SIGKILL')
  }
}
