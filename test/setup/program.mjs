/** Prepares the machine like `npm test`, then runs `run(words, signal)` of a TypeScript program in this process. */
import { existsSync } from 'node:fs'
import { passSignals } from './children.mjs'
import { SetupError, explain, prepare } from './prepare.mjs'

/**
 * `path` is relative to the top of the tree. Its `run` returns the exit code or a promise of it (nothing is 0).
 * The signal aborts at the first SIGINT, SIGTERM or SIGHUP; what `run` has opened it closes itself.
 */
export const program = async (path, words, say) => {
  const top = new URL('../../', import.meta.url)
  try {
    if (!existsSync(new URL(path, top))) throw new SetupError(`there is no ${path}`)
    const letGo = passSignals(() => process.exit(130))
    await prepare(say)
    letGo()
    await import('./typescript.mjs')
    const { run } = await import(new URL(path, top).href)
    const stop = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
      process.on(signal, () => stop.abort(new Error(signal)))
    process.exitCode = (await run(words, stop.signal)) ?? 0
  } catch (error) {
    process.exitCode = explain(error)
  }
}
