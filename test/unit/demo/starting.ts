/** What is said before anything is installed: to questions, to words that are not known, and where the machine is not fit. */
import { execFile } from 'node:child_process'
import { cpSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { breakages } from '../../demo/breakages.ts'
import { chosen } from '../../demo/options.ts'
import { isLeftover } from '../../lab/namespace.ts'

const top = join(import.meta.dirname, '../../..')

/** The demonstration of a fresh clone, on a machine that has nothing but Node. */
async function said(clone: string, ...words: string[]) {
  const demo = join(clone, 'test/setup/demo.mjs')
  const run = promisify(execFile)(process.execPath, [demo, ...words], { env: {} })
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: unknown) => error as { code: number; stdout: string; stderr: string },
  )
}

t.test('questions and unknown words are answered at once: nothing is installed for them', async t => {
  const clone = t.testdir({})
  cpSync(join(top, 'test/setup'), join(clone, 'test/setup'), { recursive: true })
  const [help, short, unknown, nothing] = await Promise.all([
    said(clone, '--stay', '--help'),
    said(clone, '-h'),
    said(clone, '--bogus'),
    said(clone, '--break'),
  ])
  t.match(help, { code: 0, stdout: /^npm run demo -- \[--stay\]/, stderr: '' })
  t.same(
    [...help.stdout.matchAll(/^ {19}(\S+) +\w/gm)].map(([, name]) => name),
    Object.keys(breakages),
    'all that can be broken is listed',
  )
  t.same(short, help)
  t.match(unknown, { code: 2, stdout: '', stderr: /^there is no option "--bogus"\n\nnpm run demo --/ })
  t.match(nothing, { code: 2, stdout: '', stderr: /^--break knows password, .*, not ""\n/ })
})

t.test('what is to be broken is known by its name', async t => {
  t.same(chosen({ stay: true, json: false, broken: undefined }), {
    stay: true,
    json: false,
    broken: undefined,
  })
  t.equal(chosen({ stay: false, json: true, broken: 'dhcp' }).broken, breakages['dhcp'])
})

/** Plain JavaScript, which has no types. */
const surroundings = (await import(new URL('../../setup/surroundings.mjs', import.meta.url).href)) as {
  searchPath: (path?: string) => string
  temporaryFolder: (wanted?: string) => string
  forbidden: (status: string, sysctl: string) => string | undefined
}

t.test('a folder for temporary files in which daemons cannot live is passed over', async t => {
  const { temporaryFolder } = surroundings
  const folder = await mkdtemp('/tmp/sonde-')
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const there = async (name: string): Promise<string> => {
    await mkdir(join(folder, name))
    return join(folder, name)
  }
  t.equal(temporaryFolder(folder), folder)
  t.equal(temporaryFolder(relative('.', folder)), folder, 'settings and units take absolute paths alone')
  t.equal(temporaryFolder(await there('x'.repeat(80))), '/tmp', "hostapd's socket would have too long a name")
  t.equal(temporaryFolder(await there('a b')), '/tmp', 'FreeRADIUS could not read its configuration')
  t.equal(temporaryFolder(join(folder, 'nowhere')), '/tmp')
})

t.test('programs are found without a search path of the caller, and never in the present folder', async t => {
  const all = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  t.equal(surroundings.searchPath(), all)
  t.equal(
    surroundings.searchPath(':/opt/bin::/usr/bin'),
    '/opt/bin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin',
  )
})

t.test('a container without the rights that namespaces take is told apart', async t => {
  const status = (mask: string): string => `Name:\tnode\nCapPrm:\t${mask}\nCapEff:\t${mask}\n`
  const writable = join(t.testdir({ sysctl: '0' }), 'sysctl')
  t.equal(surroundings.forbidden(status('000001ffffffffff'), writable), undefined)
  t.equal(
    surroundings.forbidden(status('00000000a80425fb'), writable),
    'root has no CAP_NET_ADMIN and no CAP_SYS_ADMIN',
    'as docker run starts one',
  )
  t.match(
    surroundings.forbidden(status('000001ffffffffff'), '/nowhere'),
    /may not write to \/proc\/sys \(ENOENT\)/,
  )
})

t.test('all packages are installed, also where the environment is that of production', async t => {
  const url = new URL('../../setup/prepare.mjs', import.meta.url).href
  const { npmWords } = (await import(url)) as { npmWords: string[] }
  const env = { PATH: process.env['PATH'], NODE_ENV: 'production', npm_config_omit: 'dev' }
  const asked = await promisify(execFile)('npm', ['config', 'get', 'omit', ...npmWords.slice(1)], { env })
  t.equal(asked.stdout, '\n', 'npm leaves out nothing')
})

t.test(
  'what a dead laboratory has left is known by the number of its process, also where that is ours now',
  async t => {
    const dead = 2 ** 30
    t.equal(isLeftover(`sonde-${dead}-1-sensor`), true)
    t.equal(isLeftover(`sonde-${process.pid}-1-sensor`), true, 'this process has raised none')
    t.equal(isLeftover('sonde-1-1-sensor'), false, 'the first process lives')
    t.equal(isLeftover('sonde-demo-a1B2c3'), false)
  },
)
