/** agent/start.ts, bundled as the build does it, with a small program in place of the agent. */
import { execFileSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import t, { type Test } from 'tap'

interface Installed {
  cache: string
  program: (text: string) => void
  start: (...words: string[]) => string
}

const bundle = build({
  entryPoints: ['agent/start.ts'],
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  write: false,
})

async function installed(t: Test): Promise<Installed> {
  const { outputFiles } = await bundle
  const folder = t.testdir({ cache: {}, 'sonde.cjs': outputFiles[0]?.text ?? '' })
  const cache = join(folder, 'cache')
  return {
    cache: join(cache, 'code-cache'),
    program: text => {
      writeFileSync(join(folder, 'agent.cjs'), text)
    },
    start: (...words) =>
      execFileSync(process.execPath, [join(folder, 'sonde.cjs'), ...words], {
        encoding: 'utf8',
        env: { CACHE_DIRECTORY: cache },
      }),
  }
}

const says = (text: string): string => `console.log(process.argv.slice(2).join(' '), ${JSON.stringify(text)})`

t.test('a run leaves a code cache, which the next run takes and leaves as it is', async t => {
  const { cache, program, start } = await installed(t)
  program(says('one'))
  t.equal(start('run', 'settings'), 'run settings one\n')
  t.equal(statSync(cache).mode & 0o777, 0o600)
  const { ino } = statSync(cache)
  t.equal(start('run'), 'run one\n')
  t.equal(statSync(cache).ino, ino)
})

const spoiled: readonly (readonly [string, (content: Buffer) => Buffer])[] = [
  ['empty', () => Buffer.alloc(0)],
  ['cut off', content => content.subarray(0, 200)],
  [
    'changed in one bit',
    content => {
      const place = content.length - 9
      content.writeUInt8(content.readUInt8(place) ^ 1, place)
      return content
    },
  ],
]
for (const [what, spoil] of spoiled)
  t.test(`a cache that is ${what} is not used, and made again`, async t => {
    const { cache, program, start } = await installed(t)
    program(says('one'))
    start('run')
    const content = readFileSync(cache)
    writeFileSync(cache, spoil(Buffer.from(content)))
    t.equal(start('run'), 'run one\n')
    t.equal(readFileSync(cache).length, content.length)
  })

t.test('a bundle of the same length that was changed does not run from the cache of the old one', async t => {
  const { program, start } = await installed(t)
  program(says('one'))
  start('run')
  program(says('two'))
  t.equal(start('run'), 'run two\n')
})

t.test('a run that failed, and a command that is no run, leave none', async t => {
  const { cache, program, start } = await installed(t)
  program('process.exitCode = 78')
  t.throws(() => start('run'), /Command failed/)
  program(says('one'))
  t.equal(start('status'), 'status one\n')
  t.throws(() => statSync(cache), { code: 'ENOENT' })
})
