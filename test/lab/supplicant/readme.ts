import { execFile } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { credentials } from './credentials.ts'
import { SupplicantLab } from './lab.ts'
import { Pki } from './pki.ts'

const run = promisify(execFile)
const folder = new URL('../../../supplicant/', import.meta.url)

t.test('the example in the README works as it stands', async t => {
  const readme = await readFile(new URL('README.md', folder), 'utf8')
  const example = /```ts\n(?<code>[^]+?)```/.exec(readme)?.groups?.['code'] ?? ''
  t.ok(example.split('\n').filter(line => line !== '').length <= 20, 'it has 20 lines')
  // Beside the library, because that is where it imports it from.
  const file = fileURLToPath(new URL(`readme-example-${process.pid}.ts`, folder))
  t.teardown(() => rm(file, { force: true }))
  await writeFile(file, example)

  await using pki = await Pki.create()
  const all = await credentials(pki)
  await using lab = await SupplicantLab.raise(t)
  const loader = fileURLToPath(new URL('../../setup/typescript.mjs', import.meta.url))
  const start = async (ca: string) => {
    await lab.authenticator({ eap: { ca: all.root, ...all.server } })
    const argv = [
      process.execPath,
      '--import',
      loader,
      file,
      'eth0',
      ca,
      all.client.certificate,
      all.client.key,
    ]
    const { stdout } = await run('ip', ['netns', 'exec', lab.site.spaces.name('sensor'), ...argv], {
      env: { ...process.env, NODE_OPTIONS: '', DBUS_SYSTEM_BUS_ADDRESS: lab.bus.address },
    })
    return stdout.trim()
  }
  t.match(await start(all.root), /^joined by EAP-TLS in \d+ ms$/)
  t.equal(
    await start(all.otherRoot),
    '802.1X failed with unknown CA: local TLS alert: Unknown CA (configuration)',
    'S2-79 S2-81',
  )
})
