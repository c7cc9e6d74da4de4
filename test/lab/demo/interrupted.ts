/** Ctrl-C: whenever it comes, no namespace, no process and no file stays. A daemon that dies ends it as well, and is named. */
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, watch } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { checkout } from '../pki.ts'
import { belonging, family, namespaces, processes } from './processes.ts'

/** Resolves when a file whose name begins so appears in the folder. */
async function appears(folder: string, prefix: string, signal: AbortSignal): Promise<void> {
  for await (const { filename } of watch(folder, { signal })) if (filename?.startsWith(prefix)) return
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
    if (child.exitCode === null && child.signalCode === null)
      for (const signal of ['SIGTERM', 'SIGCONT'] as const) process.kill(-pid, signal)
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
  /** As when its terminal is closed: nothing can be written any more. */
  const deafen = (): void => {
    child.stdout.destroy()
    child.stderr.destroy()
  }
  return { pid, temporary, says, ended, deafen, said: () => said }
}

type Demonstration = Awaited<ReturnType<typeof demonstration>>

/** When it is interrupted, and the exit code. */
const moments: [string, (demo: Demonstration, signal: AbortSignal) => Promise<void>, number][] = [
  [
    'while the laboratory is raised',
    ({ pid }, signal) => appears('/run/netns', `sonde-${String(pid)}-`, signal),
    130,
  ],
  ['while the agent is built', demo => demo.says(/laboratory raised/), 130],
  [
    'while the agent starts, and the terminal is closed',
    async ({ temporary, says, deafen }, signal) => {
      await says(/laboratory raised/)
      const [folder = ''] = await readdir(temporary)
      await appears(join(temporary, folder), 'sensor-1.log', signal)
      deafen()
    },
    130,
  ],
  ['in the middle of the first chapter', demo => demo.says(/enrollment network joined/), 130],
  ['in the middle of the renewal', demo => demo.says(/command renew published/), 130],
  ['while it stays', demo => demo.says(/until Ctrl-C/), 0],
]

/** Milliseconds from Ctrl-C to the end, on a busy machine; a wait for the sensor that is forgotten takes 15 s. */
const patience = 10_000

void t.test('Ctrl-C leaves no namespace, no process and no file', { jobs: 3 }, t => {
  for (const [moment, come, code] of moments)
    void t.test(moment, async t => {
      const demo = await demonstration(t)
      await come(demo, AbortSignal.timeout(60_000))
      // It has to be in the middle still when what it has started is counted, on a busy machine too.
      process.kill(demo.pid, 'SIGSTOP')
      const [folder = ''] = await readdir(demo.temporary)
      t.match(folder, /^sonde-demo-/, 'it has its folder where temporary files go')
      const spaces = await namespaces(`sonde-${String(demo.pid)}-`)
      t.ok(spaces.size > 0, `it has namespaces: ${[...spaces.keys()].join(', ')}`)
      const before = await family(demo.pid)
      // As a terminal does it: to all of the foreground process group.
      const since = performance.now()
      process.kill(-demo.pid, 'SIGINT')
      process.kill(demo.pid, 'SIGCONT')
      if (!t.equal(await demo.ended, code, 'the exit code')) t.comment(demo.said())
      t.ok(performance.now() - since < patience, 'at once')
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

const commandOf = (pid: number): Promise<string> =>
  readFile(`/proc/${String(pid)}/cmdline`, 'latin1').catch(() => '')

void t.test('a daemon that dies, without which nothing more is heard, is named at once', { jobs: 2 }, t => {
  for (const daemon of ['mosquitto', 'wpa_supplicant'])
    void t.test(daemon, async t => {
      const demo = await demonstration(t)
      await demo.says(/laboratory raised/)
      await demo.says(/profiles, sensor document published/)
      const members = await family(demo.pid)
      const lines = await Promise.all(members.map(async ({ pid }) => ({ pid, line: await commandOf(pid) })))
      // Its name, before the arguments: the namespace's own command has become it.
      const found = lines.find(({ line }) => line.startsWith(`${daemon}\0`))
      if (found === undefined) throw new Error(`${daemon} does not run`)
      const since = performance.now()
      process.kill(found.pid, 'SIGKILL')
      t.equal(await demo.ended, 1, 'the exit code')
      t.ok(performance.now() - since < patience, 'at once')
      t.match(demo.said(), new RegExp(`${daemon} ended:[^]*at fault[^]*laboratory[^]*logs .*/sonde-demo-`))
    })
  t.end()
})
