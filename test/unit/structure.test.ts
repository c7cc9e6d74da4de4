/** The shape of the tree, held by a test: import directions, sizes, and what no file may say. */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { imported, wrongImports, type Source } from './structure/imports.ts'
import { ceiling, lockHosts, machinePlaces, silentSkips, tooLong } from './structure/texts.ts'

const top = join(dirname(fileURLToPath(import.meta.url)), '../..')

/** Tracked files and those about to be. The tree may belong to somebody else than root. */
const sources = (): Source[] =>
  execFileSync(
    'git',
    ['-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    {
      cwd: top,
      encoding: 'utf8',
    },
  )
    .split('\0')
    .filter(path => path !== '' && existsSync(join(top, path)))
    .map(path => ({ path, text: readFileSync(join(top, path), 'utf8') }))
    .filter(({ text }) => !text.includes('\0'))

const all = sources()
const code = all.filter(({ path }) => path.endsWith('.ts'))
/** This test and its own rules plant what they look for. */
const notOurs = ({ path }: Source) => !path.startsWith('test/unit/structure')

t.test('imports go in the directions of the house', async t => {
  t.same(code.flatMap(wrongImports), [])
  t.ok(code.length > 20, 'there is something to judge')
})

t.test(
  'nothing leaves anything behind on a signal, and every deadline comes: see agent/within.ts',
  async t => {
    const own = code.filter(({ path }) => /^(agent|supplicant)\//.test(path) && path !== 'agent/within.ts')
    const any = own.filter(({ text }) => text.includes('AbortSignal.any('))
    // The SCEP client imports nothing of the agent; it holds on to its timeout, and its signal is of one step.
    t.same(
      any.map(({ path }) => path),
      ['agent/scep/transport.ts'],
    )
  },
)

t.test('an import in the wrong direction is found', async t => {
  const cases: [path: string, text: string, found: RegExp | undefined][] = [
    [
      'supplicant/x.ts',
      "import { y } from '../agent/errors.ts'",
      /supplicant\/x.ts imports agent\/errors.ts/,
    ],
    ['supplicant/x.ts', "import type { y } from '../agent/types.ts'", /usable on its own/],
    ['supplicant/x.ts', "import dbus from 'dbus-next'", /belongs to .*bus/],
    ['supplicant/bus.ts', "import dbus from 'dbus-next'", undefined],
    ['agent/scep/x.ts', "import { y } from '../keys.ts'", /lifted out/],
    ['agent/scep/x.ts', "import forge from 'node-forge'", /by submodule/],
    ['agent/scep/x.ts', "import asn1 from 'node-forge/lib/asn1.js'", undefined],
    ['agent/path/x.ts', "import asn1 from 'node-forge/lib/asn1.js'", /belongs to/],
    ['agent/core/x.ts', "import { readFile } from 'node:fs/promises'", /the core is pure/],
    ['agent/core/x.ts', "const fs = await import('node:fs')", /the core is pure/],
    ['agent/core/x.ts', "export { connect } from 'node:net'", /the core is pure/],
    ['agent/core/x.ts', "import { log } from '../log.ts'", /the core is pure/],
    ['agent/core/x.ts', "import { hash } from 'node:crypto'", undefined],
    ['agent/core/x.ts', "import { randomBytes } from 'node:crypto'", /more of node:crypto/],
    ['agent/core/x.ts', "import type { Step } from '../types.ts'", undefined],
    ['agent/effects/x.ts', "import { publish } from '../mqtt.ts'", /not who calls them/],
    ['agent/effects/x.ts', "import { join } from '../../supplicant/join.ts'", undefined],
    ['agent/loop.ts', "import { enroll } from './effects/enroll.ts'", /main.ts alone/],
    ['agent/main.ts', "import { enroll } from './effects/enroll.ts'", undefined],
    ['agent/cli.ts', "import { main } from './main.ts'", /composition root/],
    ['agent/store.ts', "import { pino } from 'pino'", /belongs to .*log/],
    ['agent/store.ts', "import lodash from 'lodash'", /does not use/],
    ['agent/store.ts', "import { lab } from '../test/lab/lab.ts'", /does not know its tests/],
    ['console/x.ts', "import { store } from '../agent/store.ts'", /operator's side/],
    ['console/x.ts', "import { profile } from '../agent/desired/profile.ts'", undefined],
    ['test/lab/x.ts', "import { connect } from 'mqtt'", undefined],
  ]
  for (const [path, text, found] of cases) {
    const sentences = wrongImports({ path, text }).join('\n')
    if (found === undefined) t.equal(sentences, '', `${path} may say ${text}`)
    else t.match(sentences, found, `${path} may not say ${text}`)
  }
})

/** Files that run before anything is installed import node:* and each other; what they import later, by `import()`, may need more. */
const startsBare = (texts: ReadonlyMap<string, string>): string[] => {
  const seen = new Set<string>()
  const visit = (path: string): string[] => {
    if (seen.has(path)) return []
    seen.add(path)
    const names = (texts.get(path) ?? '').matchAll(
      /^(?:(?:import|export)\b[^'"=]*? from|import) ['"]([^'"]+)['"]$/gm,
    )
    return [...names].flatMap(([, name = '']) => {
      if (name.startsWith('node:')) return []
      const found = name.startsWith('./') ? join(dirname(path), name) : name
      return /^test\/setup\/\w+\.mjs$/.test(found) ? visit(found) : [`${path} imports ${name}`]
    })
  }
  return ['demo', 'test', 'bench', 'extra'].flatMap(name => visit(`test/setup/${name}.mjs`))
}

t.test('what starts in a fresh clone imports node:* only, since nothing is installed yet', async t => {
  const texts = new Map(all.map(({ path, text }) => [path, text]))
  t.same(startsBare(texts), [])
  const { scripts } = JSON.parse(texts.get('package.json') ?? '') as { scripts: Record<string, string> }
  for (const name of ['demo', 'test', 'bench'])
    t.equal(scripts[name], `node test/setup/${name}.mjs`, 'and is plain JavaScript')
  const planted = ["import { build } from 'esbuild'", "import '../lab/lab.ts'"].map(line =>
    startsBare(new Map([...texts, ['test/setup/packages.mjs', line]])),
  )
  for (const found of planted) t.match(found, [/^test\/setup\/packages\.mjs imports /])
})

t.test('a clone may lie in a folder of any name', async t => {
  const clone = join(t.testdir({}), 'Prüfung 1 %20#')
  cpSync(join(top, 'test/setup'), join(clone, 'test/setup'), { recursive: true })
  // Where it is has been looked at by then, and nothing installed.
  writeFileSync(join(clone, 'package.json'), JSON.stringify({ engines: { node: '>=99.0' } }))
  const { status, stderr } = spawnSync(process.execPath, [join(clone, 'test/setup/test.mjs')], {
    encoding: 'utf8',
  })
  t.match({ status, stderr }, { status: 1, stderr: /^\nNode 99\.0 or later is needed/ })
})

t.test('every file of the core is reached from its test, or its coverage would count nothing', async t => {
  const texts = new Map(code.map(source => [source.path, source]))
  const reached = new Set<string>()
  const visit = (path: string) => {
    const source = texts.get(path)
    if (source === undefined || reached.has(path)) return
    reached.add(path)
    for (const name of imported(source)) visit(name)
  }
  visit('test/unit/core.test.ts')
  t.same(
    [...texts.keys()].filter(path => path.startsWith('agent/core/') && !reached.has(path)),
    [],
  )
})

t.test('no file is longer than the ceiling', async t => {
  t.same(all.flatMap(tooLong), [])
  t.match(tooLong({ path: 'agent/x.ts', text: '\n'.repeat(ceiling + 1) }), [/has 301 lines/])
  t.same(tooLong({ path: 'agent/x.ts', text: '\n'.repeat(ceiling) }), [])
})

t.test('no file names a path of one machine or a registry', async t => {
  t.same(all.filter(notOurs).flatMap(machinePlaces), [])
  const planted = [
    '/work' + '/main/agent',
    "'/ro" + "ot/.ssh'",
    '/ho' + 'me/ann/x',
    'https://registry.np' + 'mjs.org/',
  ]
  for (const text of planted) t.equal(machinePlaces({ path: 'docs/x.md', text }).length, 1, `finds ${text}`)
  for (const text of ['../network/home', 'https://host/work/x', '/var/lib/sonde', '`${base}/work/`'])
    t.same(machinePlaces({ path: 'docs/x.md', text }), [], `allows ${text}`)
})

t.test('the lock file says what, not where from', async t => {
  t.same(lockHosts(readFileSync(join(top, 'package-lock.json'), 'utf8')), [])
  const entry = { resolved: 'https://registry.example.org/x.tgz' }
  t.match(lockHosts(JSON.stringify({ packages: { 'node_modules/x': entry } })), [/registry\.example/])
})

t.test('a skipped test says why, and no test is run alone', async t => {
  t.same(code.filter(notOurs).flatMap(silentSkips), [])
  for (const text of [
    't.test("x", { skip: true }, async () => {})',
    't.skip()',
    't.skip("x", async t => {})',
    't.only("x")',
    't.test("x", { todo: true })',
  ])
    t.equal(silentSkips({ path: 'test/unit/x.test.ts', text }).length, 1, `finds ${text}`)
  t.same(silentSkips({ path: 'test/unit/x.test.ts', text: "t.test('x', { skip: 'needs a radio' }, f)" }), [])
})
