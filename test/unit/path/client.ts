import { access, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { startUdhcpc } from '../../../agent/path/udhcpc.ts'

t.test('a script that could not be written is written for the next DHCP client', async t => {
  const folder = join(t.testdir(), 'run')
  const before = process.env['RUNTIME_DIRECTORY']
  process.env['RUNTIME_DIRECTORY'] = folder
  t.teardown(() => {
    if (before === undefined) delete process.env['RUNTIME_DIRECTORY']
    else process.env['RUNTIME_DIRECTORY'] = before
  })
  const nothing = (): void => undefined
  const start = () => startUdhcpc('none0', {}, { event: nothing, progress: nothing, exit: nothing })
  await t.rejects(start(), { code: 'ENOENT' }, 'a runtime directory that is not there, or is full')
  await mkdir(folder)
  const client = await start()
  const [scripts = ''] = await readdir(folder)
  await t.resolves(access(join(folder, scripts, 'bound')))
  await client.stop()
})
