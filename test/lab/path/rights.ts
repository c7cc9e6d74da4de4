import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import t from 'tap'
import { daemon, type Daemon } from '../daemon.ts'
import { dnsmasq, inFolder, kernel, nameOf } from './scene.ts'

const here = dirname(fileURLToPath(import.meta.url))
/** Where any user may read it, which the project's folder need not be. */
const folder = await mkdtemp(join(tmpdir(), 'sonde-path-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))
await chmod(folder, 0o755)
const driver = join(folder, 'driver.mjs')
await build({
  entryPoints: [join(here, 'driver.ts')],
  outfile: driver,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
})

function unprivileged(capabilities: string): Promise<Daemon> {
  const some = capabilities
    .split(' ')
    .map(name => `+${name}`)
    .join(',')
  return daemon({
    name: 'driver',
    command: 'setpriv',
    args: [
      ...['--reuid', '65534', '--regid', '65534', '--clear-groups', '--no-new-privs'],
      ...['--inh-caps', `-all,${some}`, '--ambient-caps', `-all,${some}`, '--bounding-set', `-all,${some}`],
      // Without what tap adds to be told of every process: this user may not write there.
      ...['env', '-u', 'NODE_OPTIONS', process.execPath, driver, 'eth0'],
    ],
    netns: nameOf('sensor'),
    cwd: folder,
    ready: /^(open|failed) /,
    logFile: inFolder('driver.log'),
  })
}

const cases: [string, string][] = [
  ['with the three capabilities of the unit', 'net_admin net_raw net_bind_service'],
  ['without the right to port 68, where the client dies at each renewal', 'net_admin net_raw'],
]
for (const [sentence, capabilities] of cases)
  t.test(`a user ${sentence} opens, renews and closes a path`, async t => {
    await using server = await dnsmasq()
    const before = await kernel()
    await using agent = await unprivileged(capabilities)
    const [line] = await agent.waitFor(/^open .*/, 'the path is open')
    t.match(line, '"notInForce":[]', 'CAP_NET_ADMIN is enough for the settings of an interface')
    for (const time of ['first', 'second']) {
      const since = agent.output.end
      agent.write('renew\n')
      await agent.waitFor(/^renewed /, `the ${time} renewal`, 5_000, since)
    }
    agent.write('close\n')
    await agent.waitFor(/^closed/, 'it is closed')
    t.equal(await kernel(), before)
    t.equal(server.output.tail(500).includes('DHCPRELEASE'), capabilities.includes('bind'))
  })

t.test('without CAP_NET_ADMIN the missing right is named', async t => {
  await using agent = await unprivileged('net_raw')
  const [failure] = await agent.waitFor(/^failed .*/, 'it fails')
  t.match(failure, '"code":"no-privilege"')
})
