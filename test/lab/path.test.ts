import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Namespaces, sweep } from './namespace.ts'

/**
 * The path on real interfaces: DHCP, routing tables and rules, with packets counted on both interfaces. A path acts on the
 * network namespace of its own process, so the cases run in a process of their own inside the sensor's.
 */
t.test('IP over one interface', async t => {
  t.setTimeout(180_000)
  await sweep()
  await using spaces = new Namespaces(undefined)
  await spaces.create()
  const here = dirname(fileURLToPath(import.meta.url))
  const loader = join(here, '../setup/typescript.mjs')
  const inside = ['ip', 'netns', 'exec', spaces.name('sensor')]
  const node = [process.execPath, '--import', loader, join(here, 'path/inside.ts'), spaces.id, spaces.folder]
  await t.spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', ...inside, ...node],
    { env: { ...process.env, NODE_OPTIONS: '' }, timeout: 120_000 },
    'inside the sensor',
  )
})
