/**
 * `npm run test:unit`: every unit test file as a process of its own, as many at once as there are processors, without tap's
 * runner, which takes as long again to start each of them. What a file prints is shown when it failed.
 */
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { passSignals, run } from './children.mjs'

const top = fileURLToPath(new URL('../..', import.meta.url))
process.chdir(top)
passSignals(signal => process.kill(process.pid, signal))

const files = readdirSync('test/unit').filter(name => name.endsWith('.test.ts'))
// The longest first, so that none runs alone at the end.
const waiting = ['scep.test.ts', ...files.filter(name => name !== 'scep.test.ts')]
const loader = ['--import', './test/setup/typescript.mjs']
const total = { pass: 0, fail: 0 }

const one = async name => {
  const { code, output } = await run(process.execPath, [...loader, `test/unit/${name}`], {
    capture: true,
    minutes: 3,
  })
  const closing = /^# \{ total: \d+(?:, pass: (\d+))?(?:, fail: (\d+))?/
  const counted = output.map(line => closing.exec(line)).find(found => found !== null)
  const failed = Number(counted?.[2] ?? 0)
  total.pass += Number(counted?.[1] ?? 0)
  total.fail += code === 0 && counted ? failed : Math.max(1, failed)
  if (code !== 0 || !counted) process.stdout.write(`${output.join('\n')}\n`)
  process.stdout.write(`${code === 0 && counted ? '✓' : '✗'} test/unit/${name}\n`)
}

const worker = async () => {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await one(name)
}

await Promise.all(Array.from({ length: availableParallelism() }, worker))
process.stdout.write(`${total.pass} passed, ${total.fail} failed\n`)
process.exitCode = total.fail > 0 ? 1 : 0
