import t from 'tap'
import { existsSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { daemon } from '../daemon.ts'
import { raise } from '../lab.ts'
import { belonging, namespaces } from '../demo/processes.ts'
import { checkout } from '../pki.ts'

/** Exiting and zombie processes have no command line any more. */
const runs = async (pid: number) => (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')) !== ''

/** What is left of a lab after a moment: its namespaces, its folder, its daemons. Only the kernel knows when a killed process of another parent is gone, and has no event for it. */
async function leftOf(id: string, pids: readonly number[], moment = 1_000): Promise<string[]> {
  const until = performance.now() + moment
  for (;;) {
    const spaces = (await readdir('/run/netns')).filter(name => name.startsWith(`${id}-`))
    const folder = existsSync(join(tmpdir(), id)) ? [join(tmpdir(), id)] : []
    const running = await Promise.all(pids.map(async pid => ((await runs(pid)) ? [`process ${pid}`] : [])))
    const left = [...spaces, ...folder, ...running.flat()]
    if (left.length === 0 || performance.now() > until) return left
    await setTimeout(10)
  }
}

t.test('nothing is left of a lab', async t => {
  await t.test('whose test has thrown', async t => {
    let id = ''
    let pids: number[] = []
    const failing = async () => {
      await using lab = await raise()
      id = lab.site.spaces.id
      pids = lab.site.daemons.flatMap(one => one.pid ?? [])
      t.ok((await leftOf(id, pids, 0)).length > 10, 'while it stands there is a lot')
      throw new Error('a test fails')
    }
    await t.rejects(failing(), { message: 'a test fails' })
    t.strictSame(await leftOf(id, pids), [])
  })

  const ends = [
    ['that was interrupted (SIGINT)', 'SIGINT'],
    ['that was asked to end (SIGTERM)', 'SIGTERM'],
    ['whose process threw an exception nobody caught', undefined],
  ] as const
  for (const [name, signal] of ends)
    await t.test(name, async t => {
      await using child = await abandoned(t.testdir(), signal === undefined ? 'throw' : 'stay')
      const { id, pids } = await child.raised
      if (signal !== undefined && child.pid !== undefined) process.kill(child.pid, signal)
      await child.ended
      t.strictSame(await leftOf(id, pids), [])
    })

  await t.test('that was killed (SIGKILL), once the next one was raised', async t => {
    await using child = await abandoned(t.testdir(), 'stay')
    const { id, pids } = await child.raised
    const spaces = new Set((await namespaces(`${id}-`)).values())
    child.kill('SIGKILL')
    await child.ended
    // Asked first: a laboratory that is raised beside this test takes them away as well.
    t.ok((await leftOf(id, [], 0)).length > 0, 'its namespaces still have names')
    t.strictSame(await leftOf('no lab', pids), [], 'its daemons have ended with it')
    t.strictSame(await belonging(spaces, []), [], 'and their children')
    await using _lab = await raise(t)
    t.strictSame(await leftOf(id, pids), [])
  })
})

/** A process that raises a lab and abandons it. */
async function abandoned(folder: string, how: 'stay' | 'throw') {
  const child = await daemon({
    name: 'abandoned',
    command: process.execPath,
    args: ['--import', './test/setup/typescript.mjs', 'test/lab/proofs/abandoned.ts', how],
    cwd: checkout(),
    ready: () => Promise.resolve(),
    logFile: join(folder, 'abandoned.log'),
  })
  const read = (line: string) =>
    line.startsWith('{') ? (JSON.parse(line) as { id: string; pids: number[] }) : undefined
  const raised = child.find(read, 'a lab is raised', 10_000)
  return Object.assign(child, { raised })
}
