/** Runs test files, shows what they say as `progress` does, and adds up their assertions. */
import { run } from './children.mjs'
import { progress } from './progress.mjs'

const seconds = start => `(${((performance.now() - start) / 1000).toFixed(1)} s)`

/**
 * What suits a process that lives for seconds, and has no processor to itself: garbage is collected in the thread that makes it, and less
 * often; functions are optimized when they have run fifteen times as long as V8 waits for. A quarter of the processor's time goes without.
 */
const shortLived = [
  '--single-threaded-gc',
  ...['--min-semi-space-size=32', '--max-semi-space-size=32'],
  '--interrupt-budget=1000000',
]

const runner = ({ files, args = [], batch }) =>
  batch === undefined
    ? ['node_modules/.bin/tap', '--reporter=tap', ...args, ...files]
    : [...shortLived, '--import', './test/setup/typescript.mjs', 'test/setup/batch.mjs', ...files]

/** What failed is said once more at the end, where it is looked for: this many lines of each. */
const longest = 20

/**
 * `say` writes a line. `step` runs one of steps.mjs, `fail` counts what is none. `close` repeats what failed, writes the counts (assertions
 * as tap counts them, and one for each check that is no tap test) and gives the exit code.
 */
export const tests = say => {
  const sum = { passed: 0, failed: 0, skipped: 0 }
  /** `{ name, lines }` of progress.mjs. */
  const failures = []

  const fail = (name, lines = []) => {
    say(`  ✗ ${name}`)
    for (const line of lines) say(`    ${line}`)
    failures.push({ name, lines })
    sum.failed += 1
  }

  /** A step of steps.mjs with `files`: by tap, each in a process of its own, or as one `batch`, of which only failures are shown. */
  const ofTap = async (tested, again = true) => {
    const { files, args, batch, env, depth, minutes } = tested
    if (files.length === 0) return fail('there are no test files')
    const start = performance.now()
    const reader = progress({ say, depth: batch === undefined ? depth : -1 })
    const command = runner({ files, args, batch })
    let begun = false
    const onLine = line => {
      begun ||= !line.startsWith('TAP version')
      reader.feed(line)
    }
    const { code, stragglers } = await run(process.execPath, command, { onLine, env, minutes })
    const counts = reader.counts()
    const rest = reader.rest()
    // tap empties a folder of its own before it begins, and ends where another run of tap writes there in that moment: nothing was tested.
    if (again && batch === undefined && code === 1 && !begun && !stragglers) return ofTap(tested, false)
    failures.push(...reader.failures())
    if (counts) for (const key of Object.keys(sum)) sum[key] += counts[key]
    if (code === 0 && counts?.failed === 0 && !stragglers) {
      if (batch !== undefined) say(`  ✓ ${batch} ${seconds(start)}`)
      return
    }
    for (const line of rest) say(`    ${line}`)
    if (!counts) fail(`tap ended without its totals, ${code === null ? 'killed' : `exit code ${code}`}`)
    else if (code !== 0 && counts.failed === 0) fail(`tap ended with exit code ${code}`)
    if (stragglers) fail('processes were left behind, and have been ended')
  }

  /** A check that is no tap test counts as one assertion: its output is shown only when it failed. */
  const check = async ({ name, command, accept = [0], niceness = 0 }) => {
    const start = performance.now()
    const args = ['-n', String(niceness), process.execPath, ...command]
    const { code, output } = await run('nice', args, { capture: true, minutes: 15 })
    if (accept.includes(code)) {
      say(`  ✓ ${name} ${seconds(start)}`)
      sum.passed += 1
    } else fail(`${name} ${seconds(start)}`, output)
  }

  const inRow = async steps => {
    for (const each of steps) await step(each)
  }

  const step = each => ('files' in each ? ofTap(each) : 'row' in each ? inRow(each.row) : check(each))

  const close = () => {
    if (failures.length > 0) say('\nwhat failed')
    for (const { name, lines } of failures) {
      say(`  ✗ ${name}`)
      for (const line of lines.slice(0, longest)) say(`      ${line}`)
      if (lines.length > longest) say(`      … ${lines.length - longest} more lines above`)
    }
    say(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
    return sum.failed === 0 && sum.passed > 0 ? 0 : 1
  }
  return { step, fail, close }
}
