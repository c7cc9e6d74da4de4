/** `npm run test:unit`: the unit tests, without root and without a laboratory, one process for each processor and one more. */
import { fileURLToPath } from 'node:url'
import { passSignals } from './children.mjs'
import { unitBatches } from './steps.mjs'
import { tests } from './tests.mjs'

process.chdir(fileURLToPath(new URL('../..', import.meta.url)))
passSignals(signal => process.kill(process.pid, signal))

const say = line => process.stdout.write(`${line}\n`)
const { step, close } = tests(say)
await Promise.all(unitBatches().map(step))
process.exitCode = close()
