/** The steps of `npm test`: what is run, in which order, and for how long at most. */
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'

const bin = name => [`node_modules/.bin/${name}`]

const testFiles = folder =>
  readdirSync(folder)
    .filter(name => name.endsWith('.test.ts'))
    .sort()
    .map(name => `${folder}/${name}`)

/** Its part in `npm test` is one stroke, in the machine of test/wifi/agent.test.ts: another machine would take as long as that one. */
const wholeAir = 'test/long/air.test.ts'

/** Waits more than it works: first of all, while the other rows have the processors. */
const waiting = 'test/long/supplicant.test.ts'

/** What goes with it, and with the longest of all the others, so that the three rows take about the same time. */
const besideWaiting = ['lifecycle', 'path', 'commands', 'demo', 'mqtt', 'scep'].map(
  name => `test/lab/${name}.test.ts`,
)
const besideLongest = [
  'test/long/lifecycle.test.ts',
  'test/long/scep-fuzz.test.ts',
  ...['supplicant', 'power-cut', 'lab'].map(name => `test/lab/${name}.test.ts`),
]

const oneByOne = (files, seed) => ({
  files,
  args: ['--jobs=1', '--timeout=900'],
  // The first group has built what they run.
  env: { SONDE_TENTH: String(seed), SONDE_BUILT: 'yes' },
  minutes: 25,
})

/** Three rows of laboratories: one of them waits for its daemons while the others work. */
const laboratories = seed => {
  const elsewhere = [wholeAir, waiting, ...besideWaiting, ...besideLongest]
  const others = [...testFiles('test/lab'), ...testFiles('test/long')].filter(
    file => !elsewhere.includes(file),
  )
  return [
    { row: [oneByOne([waiting], seed), oneByOne(besideWaiting, seed)] },
    oneByOne(besideLongest, seed),
    oneByOne(others, seed),
  ]
}

/** What only needs the processor has it when nobody else wants it, one after the other. */
const meanwhile = {
  row: [
    { name: 'eslint', command: [...bin('eslint'), '.'], niceness: 19 },
    { name: 'tsc', command: [...bin('tsc'), '--noEmit'], niceness: 19 },
    {
      name: 'prettier',
      command: [...bin('prettier'), '--check', '--log-level=warn', '.'],
      niceness: 19,
    },
  ],
}

/** Ends with 69 where this machine cannot: the tests themselves say so then. */
const machineOfWifi = {
  name: 'the virtual machine of wifi, made ready',
  command: ['test/setup/wifi.mjs'],
  accept: [0, 69],
  niceness: 19,
}

/** The test of the pure core: run once more by itself to hold every line and branch of the core. */
export const coreTest = 'test/unit/core.test.ts'

/** Seconds of processor time beside those of a start, where it is more than half a one: so that the batches end at about the same time. */
const weights = {
  ...{ scep: 3, 'scep-replies': 3.8, store: 3.5, mqtt: 2.9, 'scep-command': 1.4, core: 1.4, desired: 0.8 },
  ...{ supplicant: 0.6, start: 0.5, operations: 0.4, structure: 0.4 },
}

/** These load the compiler, which takes a second: in one batch it does so once. */
const compiling = ['mqtt', 'operations', 'structure']

const nameOf = file => /([\w-]+)\.test\.ts$/.exec(file)?.[1]
const weightOf = files => files.reduce((sum, file) => sum + (weights[nameOf(file)] ?? 0.2), 0)

/** The unit tests but for `without`: a batch for each processor, and one for when the others wait. */
export const unitBatches = without => {
  const batches = Array.from({ length: availableParallelism() + 1 }, () => [])
  const all = testFiles('test/unit').filter(file => file !== without)
  const together = all.filter(file => compiling.includes(nameOf(file)))
  const groups = [together, ...all.filter(file => !together.includes(file)).map(file => [file])]
  for (const files of groups.sort((a, b) => weightOf(b) - weightOf(a)))
    batches.sort((a, b) => weightOf(a) - weightOf(b))[0].push(...files)
  // The light ones first: they start other programs, which takes longer the more memory is in use.
  return batches
    .map(files => files.reverse())
    .filter(files => files.length > 0)
    .map(files => ({ files, batch: files.map(nameOf).join(', '), minutes: 6 }))
}

/** The same arguments as `npm run test:core`. */
export const coreCoverage = [
  '--no-disable-coverage',
  '--no-allow-incomplete-coverage',
  '--coverage-map=test/setup/core-coverage.mjs',
  '--coverage-report=text',
]

/**
 * A step is either a `command` that counts as one assertion and may leave the processor to others (`niceness`), or `files` for tap, as
 * one `batch` or each for itself, or a `row` of steps that follow each other. Steps of one group run side by side. `seed` chooses the tenth of
 * test/long that is run.
 */
export const groups = seed => [
  {
    name: 'build',
    steps: [
      { name: 'build', command: ['test/setup/build.mjs'] },
      // Before many laboratories ask for them at once.
      {
        name: 'certificates of the laboratories',
        command: ['--import', './test/setup/typescript.mjs', 'test/lab/make-pki.ts'],
      },
    ],
  },
  {
    name: 'unit, and every line and branch of the core',
    steps: [...unitBatches(coreTest), { files: [coreTest], args: coreCoverage, depth: 0, minutes: 6 }],
  },
  { name: `lab, a tenth of long (--seed ${seed})`, steps: [...laboratories(seed), machineOfWifi] },
  {
    // Emulated, and nothing beside them but what steps back: laboratories would take the time that they count on.
    name: 'wifi, and format, lint and types',
    steps: [
      {
        files: testFiles('test/wifi'),
        args: ['--jobs=2', '--timeout=400'],
        env: { SONDE_TENTH: String(seed) },
        minutes: 20,
      },
      meanwhile,
    ],
  },
]
