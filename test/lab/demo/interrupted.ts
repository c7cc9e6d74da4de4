/** Ctrl-C: whenever it comes, no namespace, no process and no file stays. */
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm, watch } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { checkout } from '../pki.ts'
import { belonging, family, namespaces, processes } from './processes.ts'

/** Resolves when the first namespace of this process appears: the laboratory is half raised. */
async function halfRaised(pid: number, signal: AbortSignal): Promise<void> {
  for await (const { filename } of watch('/run/netns', { signal }))
    if (filename?.startsWith(`sonde-${String(pid)}-`)) return
}

/** The demonstration as a program of its own, in a process group and a folder for temporary files of its own. */
async function demonstration(t: Test) {
  const temporary = await mkdtemp(join(tmpdir(), 'sd-'))
  t.teardown(() => rm(temporary, { recursive: true, force: true }))
  const child = spawn(process.execPath, [join(checkout(), 'test/setup/demo.mjs'), '--stay'], {
    detached: true,
    env: { ...process.env, TMPDIR: temporary },
  })
  const { pid } = child
  if (pid === undefined) throw new Error('node cannot be started')
  let said = ''
  let look = (): void => undefined
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
      look()
    })
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-pid, 'SIGTERM')
    await ended
  })
  const says = (wanted: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      look = () => {
        if (wanted.test(said)) resolve()
      }
      look()
      void ended.then(() => {
        reject(new Error(`it ended before it said ${String(wanted)}:\n${said}`))
      })
    })
  return { pid, temporary, says, ended, said: () => said }
}

const moments: [string, RegExp | undefined, number][] = [
  ['while the laboratory is raised', undefined, 130],
  ['while the agent starts', /laboratory raised/, 130],
  ['in the middle of the first chapter', /enrollment network joined/, 130],
  ['in the middle of the renewal', /command renew published/, 130],
  ['while it stays', /until Ctrl-C/, 0],
]

void t.test('Ctrl-C leaves no namespace, no process and no file', { jobs: 3 }, t => {
  for (const [moment, sign, code] of moments)
    void t.test(moment, async t => {
      const demo = await demonstration(t)
      const deadline = AbortSignal.timeout(60_000)
      await (sign ? demo.says(sign) : halfRaised(demo.pid, deadline))
      const [folder = ''] = await readdir(demo.temporary)
      t.match(folder, /^sonde-demo-/, 'it has its folder where temporary files go')
      const spaces = await namespaces(`sonde-${String(demo.pid)}-`)
      t.ok(spaces.size > 0, `it has namespaces: ${[...spaces.keys()].join(', ')}`)
      const before = await family(demo.pid)
      // As a terminal does it: to all of the foreground process group.
      process.kill(-demo.pid, 'SIGINT')
      if (!t.equal(await demo.ended, code, 'the exit code')) t.comment(demo.said())
      const running = new Set((await processes()).map(({ pid, start }) => `${String(pid)} ${start}`))
      const left = before.filter(({ pid, start }) => running.has(`${String(pid)} ${start}`))
      t.strictSame(left, [], `none of its ${String(before.length)} processes runs`)
      const others = await belonging(new Set(spaces.values()), [demo.temporary, `sonde-${String(demo.pid)}-`])
      t.strictSame(others, [], 'nor any other that has to do with it')
      t.strictSame([...(await namespaces(`sonde-${String(demo.pid)}-`)).keys()], [], 'no namespace')
      t.strictSame(await readdir(demo.temporary), [], 'no file')
    })
  t.end()
})
