/**
 * `npm test`: installs what is missing, then runs everything but the long sweeps, of which it runs a tenth.
 * The last line is `N passed, N failed, N skipped`: assertions as tap counts them, and one for each check that is no
 * tap test. `npm test -- --seed N` repeats a choice from test/long.
 */
import { parseArgs } from 'node:util'
import { passSignals, run } from './children.mjs'
import { explain, prepare } from './prepare.mjs'
import { progress } from './progress.mjs'
import { groups } from './steps.mjs'

const sum = { passed: 0, failed: 0, skipped: 0 }
const say = line => process.stdout.write(`${line}\n`)

const add = counts => {
  for (const key of Object.keys(sum)) sum[key] += counts[key]
}

const fail = text => {
  say(`  ✗ ${text}`)
  sum.failed += 1
}

const close = () => say(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)

const since = start => `(${((performance.now() - start) / 1000).toFixed(1)} s)`

/** A check that is no tap test: its output is shown only when it failed. */
const check = async ({ name, command }) => {
  const start = performance.now()
  const { code, output } = await run(process.execPath, command, { capture: true, minutes: 10 })
  if (code === 0) {
    say(`  ✓ ${name} ${since(start)}`)
    sum.passed += 1
  } else {
    fail(`${name} ${since(start)}`)
    for (const line of output) say(`    ${line}`)
  }
}

const tap = async ({ files, args = [], env, depth, minutes }) => {
  if (files.length === 0) return fail('there are no test files')
  const reader = progress({ say, depth })
  const command = ['node_modules/.bin/tap', '--reporter=tap', ...args, ...files]
  const { code, stragglers } = await run(process.execPath, command, { onLine: reader.feed, env, minutes })
  const counts = reader.counts()
  if (counts) add(counts)
  if (code === 0 && counts && !stragglers) return
  for (const line of reader.rest()) say(`    ${line}`)
  if (!counts) fail(`tap ended without its totals, ${code === null ? 'killed' : `exit code ${code}`}`)
  else if (code !== 0 && counts.failed === 0) fail(`tap ended with exit code ${code}`)
  if (stragglers) fail('processes were left behind, and have been ended')
}

const main = async () => {
  const { values } = parseArgs({ options: { seed: { type: 'string' } } })
  const seed = values.seed ?? String(Math.floor(Math.random() * 1e6))
  const start = performance.now()
  await prepare(say)
  for (const group of groups(seed)) {
    say(group.name)
    await Promise.all(group.steps.map(step => ('files' in step ? tap(step) : check(step))))
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
