/** The steps of `npm test`: what is run, in which order, and for how long at most. */
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'

const bin = name => [`node_modules/.bin/${name}`]

const testFiles = folder =>
  readdirSync(folder)
    .filter(name => name.endsWith('.test.ts'))
    .sort()
    .map(name => `${folder}/${name}`)

/** The test of the pure core: run once more by itself to hold every line and branch of the core. */
export const coreTest = 'test/unit/core.test.ts'

/** Seconds of processor time, where it is more than one: so that the batches end at about the same time. */
const weights = { scep: 5, core: 2.5, mqtt: 2, desired: 1.5, operations: 1.5 }

const weight = file => weights[/(\w+)\.test\.ts$/.exec(file)?.[1]] ?? 1

/** The unit tests but for `without`, a batch for each processor. */
export const unitBatches = without => {
  const batches = Array.from({ length: availableParallelism() }, () => ({ files: [], weight: 0 }))
  const files = testFiles('test/unit').filter(file => file !== without)
  for (const file of files.sort((a, b) => weight(b) - weight(a))) {
    const [lightest] = batches.sort((a, b) => a.weight - b.weight)
    lightest.files.push(file)
    lightest.weight += weight(file)
  }
  return batches
    .filter(({ files }) => files.length > 0)
    .map(({ files }) => ({ files, batch: files.map(file => file.slice(10, -8)).join(', '), minutes: 6 }))
}

/** The same arguments as `npm run test:core`. */
export const coreCoverage = [
  '--no-disable-coverage',
  '--no-allow-incomplete-coverage',
  '--coverage-map=test/setup/core-coverage.mjs',
  '--coverage-report=text',
]

/**
 * A step is either a `command` that counts as one assertion, or `files` for tap, as one `batch` or each for itself. Steps of one group run side by
 * side. `seed` chooses the tenth of test/long that is run.
 */
export const groups = seed => [
  {
    name: 'check',
    steps: [
      { name: 'eslint', command: [...bin('eslint'), '.'] },
      { name: 'prettier', command: [...bin('prettier'), '--check', '--log-level=warn', '.'] },
      { name: 'tsc', command: [...bin('tsc'), '--noEmit'] },
      { name: 'build', command: ['test/setup/build.mjs'] },
    ],
  },
  {
    name: 'unit',
    steps: unitBatches(coreTest),
  },
  {
    name: 'core, every line and branch',
    steps: [{ files: [coreTest], args: coreCoverage, depth: 0, minutes: 6 }],
  },
  {
    // Two laboratories mostly wait, each for its own daemons; two virtual machines take all there is.
    name: `lab, beside a tenth of long (--seed ${seed})`,
    steps: [
      { files: testFiles('test/lab'), args: ['--jobs=1', '--timeout=600'], minutes: 25 },
      {
        files: testFiles('test/long'),
        args: ['--jobs=1', '--timeout=900'],
        env: { SONDE_TENTH: String(seed) },
        minutes: 25,
      },
    ],
  },
  {
    name: 'wifi',
    steps: [{ files: testFiles('test/wifi'), args: ['--jobs=2', '--timeout=400'], minutes: 20 }],
  },
]
