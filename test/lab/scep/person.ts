/** `sonde scep` as it is installed, and a person who has seen enough. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { fixturePath } from '../../scep-server/authority.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { run } from '../command.ts'

const top = fileURLToPath(new URL('../../..', import.meta.url))

async function started(...words: string[]) {
  await (built ??= run(process.execPath, ['test/setup/build.mjs'], { cwd: top, deadlineMs: 60_000 }))
  const child = spawn(process.execPath, [`${top}dist/sonde.cjs`, 'scep', ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: AbortSignal.timeout(30_000),
    killSignal: 'SIGKILL',
  })
  let said = ''
  child.stderr.on('data', (data: Buffer) => (said += data.toString()))
  return { child, ended: once(child, 'close').then(() => ({ code: child.exitCode, said })) }
}
let built: Promise<unknown> | undefined

t.test('Ctrl-C ends it at once and without a stack trace; what was sent can be asked for later', async t => {
  const folder = t.testdir()
  let arrived = (): void => undefined
  const asked = new Promise<void>(resolve => (arrived = resolve))
  await using server = await scepTestServer({
    answers: [
      () => ({
        http: () => {
          arrived()
        },
      }),
    ],
  })
  const words = ['--cn', 'pi', '--key', fixturePath('rsa-2048-d'), '--out', folder]
  const { child, ended } = await started('enroll', server.url, ...words)
  await asked
  child.kill('SIGINT')
  const { code, said } = await ended
  t.equal(code, 130)
  t.notMatch(said, /^ +at |Error/m)
  const again = await started('enroll', server.url, ...words)
  t.match(await again.ended, { code: 4, said: /poll --from/ })
})

t.test('what it does is done to its end, also when nobody reads any more what it says', async t => {
  for (const stream of ['stdout', 'stderr'] as const) {
    const folder = t.testdir()
    await using server = await scepTestServer()
    const words = ['--cn', 'pi', '--key', fixturePath('rsa-2048-d'), '--out', folder]
    const { child, ended } = await started('enroll', server.url, ...words)
    child[stream].destroy()
    const { code, said } = await ended
    t.equal(code, stream === 'stdout' ? 141 : 0, 'as other programs end when their output is closed')
    t.ok(existsSync(`${folder}/certificate.pem`))
    t.notMatch(said, /^ +at /m)
  }
})
