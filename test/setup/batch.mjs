/**
 * `node --import ./test/setup/typescript.mjs test/setup/batch.mjs FILE…` runs test files one after the other in one process, as
 * one run of tap: to start a process for each costs more than most of them. They must leave the process as they found it.
 */
import { register } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const files = process.argv.splice(2).map(file => resolve(file))
// tap names the folders of its fixtures after what node was started with.
process.argv[1] = files[0]
// Seconds for all of them, on a machine that is busy with other things.
process.env.TAP_TIMEOUT ??= '300'

register('./domain.mjs', import.meta.url)
const { t } = await import('tap')

const innermost = test => {
  const inner = [...test.activeSubtests].at(-1)
  return inner === undefined ? test : innermost(inner)
}
/** An error that reached nobody fails the test that is running, or the run where none is. */
const uncaught = error => {
  process.exitCode = 1
  innermost(t).threw(typeof error === 'object' && error !== null ? error : { error })
}
process.on('uncaughtException', uncaught)
process.on('unhandledRejection', uncaught)

for (const file of files) await import(pathToFileURL(file).href)
