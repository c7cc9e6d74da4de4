/**
 * `npm test`: installs what is missing, then runs everything but the long sweeps, of which it runs a tenth.
 * The last line is `N passed, N failed, N skipped`: assertions as tap counts them, and one for each check that is no
 * tap test. `npm test -- --seed N` repeats a choice from test/long.
 */
import { parseArgs } from 'node:util'
import { passSignals } from './children.mjs'
import { explain, prepare } from './prepare.mjs'
import { groups } from './steps.mjs'
import { tests } from './tests.mjs'

const sum = { passed: 0, failed: 0, skipped: 0 }
const say = line => process.stdout.write(`${line}\n`)

const close = () => say(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)

const since = start => `(${((performance.now() - start) / 1000).toFixed(1)} s)`

const main = async () => {
  const { values } = parseArgs({ options: { seed: { type: 'string' } } })
  const seed = values.seed ?? String(Math.floor(Math.random() * 1e6))
  const start = performance.now()
  await prepare(say)
  const each = tests({ say, sum })
  for (const group of groups(seed)) {
    say(group.name)
    await Promise.all(group.steps.map(each))
  }
  say(`\nall of it ${since(start)}; the log of each file is under .tap/test-results`)
  close()
  return sum.failed === 0 && sum.passed > 0 ? 0 : 1
}

passSignals(signal => {
  say(`\ninterrupted by ${signal}`)
  sum.failed += 1
  close()
  process.exit(130)
})
process.exitCode = await main().catch(explain)
