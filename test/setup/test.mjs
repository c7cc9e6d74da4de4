/**
 * `npm test`: installs what is missing, then runs everything but the long sweeps, of which it runs a tenth.
 * The last line is `N passed, N failed, N skipped`, before it what failed is said once more. `npm test -- --seed N` repeats a choice
 * from test/long.
 */
import { parseArgs } from 'node:util'
import { passSignals } from './children.mjs'
import { explain, prepare } from './prepare.mjs'
import { groups } from './steps.mjs'
import { tests } from './tests.mjs'

const say = line => process.stdout.write(`${line}\n`)
const { step, fail, close } = tests(say)

const since = start => `(${((performance.now() - start) / 1000).toFixed(1)} s)`

const main = async () => {
  const { values } = parseArgs({ options: { seed: { type: 'string' } } })
  const seed = values.seed ?? String(Math.floor(Math.random() * 1e6))
  const start = performance.now()
  await prepare(say)
  for (const group of groups(seed)) {
    say(group.name)
    await Promise.all(group.steps.map(step))
  }
  say(`\nall of it ${since(start)}; the log of each file is under .tap/test-results`)
  return close()
}

passSignals(signal => {
  fail(`interrupted by ${signal}`)
  close()
  process.exit(130)
})
process.exitCode = await main().catch(explain)
