/** `npm run test:unit`: the unit tests, without root and without a laboratory, one process for each processor. */
import { fileURLToPath } from 'node:url'
import { passSignals } from './children.mjs'
import { unitBatches } from './steps.mjs'
import { tests } from './tests.mjs'

process.chdir(fileURLToPath(new URL('../..', import.meta.url)))
passSignals(signal => process.kill(process.pid, signal))

const sum = { passed: 0, failed: 0, skipped: 0 }
const say = line => process.stdout.write(`${line}\n`)
await Promise.all(unitBatches().map(tests({ say, sum })))
say(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0
