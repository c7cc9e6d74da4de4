/** Reads the TAP of one tap run: a line for every file and scenario, everything about what failed, and the counts. */

const result = /^( *)(not )?ok \d+(?: - (.*?))?(?: # (SKIP|TODO)(?: (.*?))?)?(?: # time=(\S+?))?( \{)?$/
const totals = /^# \{ total: (\d+), pass: (\d+)(?:, fail: (\d+))?(?:, skip: (\d+))?(?:, todo: (\d+))? \}$/

const seconds = time => {
  const [, number, unit] = /^([\d.]+)(ms|s|m)$/.exec(time ?? '') ?? []
  return number === undefined ? undefined : Number(number) * { ms: 0.001, s: 1, m: 60 }[unit]
}

/**
 * `feed(line)` takes the lines of a run, `counts()` gives `{ passed, failed, skipped }` in assertions once it has
 * ended, or undefined when the run broke off before its totals; `failures()` gives `{ name, lines }` of each, once. Results nested deeper than `depth` are
 * shown only when they failed; depth 0 is a file, 1 a scenario in it. A file's lines come together, at its end, because
 * another run may write beside this one.
 */
export const progress = ({ say: write, depth = 1 }) => {
  let held = []
  const say = line => held.push(line)
  /** A file has ended; its diagnostics may follow. */
  let ended = false
  const release = () => {
    for (const line of held) write(line)
    held = []
    ended = false
  }
  let counts
  const failures = []
  let file = []
  /** The diagnostics that may follow a result: how their lines begin, and whether they are shown. */
  let yaml
  /** Names of the open subtests, outermost first. */
  const open = []
  /** Depth of the last failure: the failures of what encloses it repeat it. */
  let failedAt = -1

  const show = ([, indent, failed, name = '', directive, reason, time]) => {
    const level = indent.length / 4
    const took = seconds(time)
    const duration = took === undefined || took < 0.1 ? '' : ` (${took.toFixed(1)} s)`
    const bad = failed !== undefined && directive === undefined
    const repeats = bad && failedAt > level
    if (bad && !repeats) failures.push({ name: [...open.slice(0, level), name].join(' › '), lines: [] })
    if (bad) failedAt = level
    if (directive === 'SKIP') say(`${indent}  - ${name}: skipped: ${reason || 'no reason given'}`)
    else if (bad) say(`${indent}  ✗ ${[...open.slice(0, level), name].join(' › ')}${duration}`)
    else if (level <= depth) say(`${indent}  ✓ ${name}${duration}`)
    yaml = { indent: `${indent}  `, shown: bad && !repeats, begun: false }
    if (level > 0) return
    if (bad) for (const line of file.slice(-200)) say(`      ${line}`)
    file = []
    failedAt = -1
    ended = true
  }

  /** True when the line belongs to the diagnostics of the result before it. */
  const diagnostic = line => {
    if (yaml === undefined) return false
    const { indent, shown, begun } = yaml
    if (!begun && line !== `${indent}---`) {
      yaml = undefined
      return false
    }
    const bounds = line === `${indent}---` || line === `${indent}...`
    if (shown && !bounds) {
      say(`    ${line}`)
      failures.at(-1).lines.push(line.trim())
    }
    yaml = line === `${indent}...` ? undefined : { ...yaml, begun: true }
    return true
  }

  const feed = line => {
    if (diagnostic(line)) return
    if (ended) release()
    const sum = totals.exec(line)
    if (sum) {
      const [passed, failed, skipped, todo] = sum
        .slice(2)
        .map(Number)
        .map(number => number || 0)
      counts = { passed, failed, skipped: skipped + todo }
      return
    }
    const found = result.exec(line)
    if (found) return show(found)
    const subtest = /^( *)# Subtest(?:: (.*))?$/.exec(line)
    if (subtest) {
      open.length = subtest[1].length / 4
      open.push(subtest[2] ?? '')
    } else if (
      /\S/.test(line) &&
      !/^ *(TAP version \d+|1\.\.\d+.*|# time=.*|# No coverage generated|\})$/.test(line)
    )
      file.push(line)
  }

  /** What a run wrote outside any file: the coverage table, complaints of tap itself. Nothing is held back any more. */
  const rest = () => {
    release()
    return file
  }
  return { feed, counts: () => counts, failures: () => failures, rest }
}
