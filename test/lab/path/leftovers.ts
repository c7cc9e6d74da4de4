import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { sweepLeftovers } from '../../../agent/path/index.ts'
import { daemon } from '../daemon.ts'
import { dnsmasq, exec, inFolder, ipIn, kernel, nameOf } from './scene.ts'

const here = dirname(fileURLToPath(import.meta.url))

/** Process ids in the sensor that run this program. */
async function running(program: string): Promise<string> {
  return exec('sensor', 'sh', [
    '-c',
    `for p in $(ip netns pids ${nameOf('sensor')}); do cat /proc/$p/comm; done | grep -x ${program} || true`,
  ])
}

t.test('what a killed agent left is removed at the next start, and nothing else', async t => {
  await using _server = await dnsmasq()
  const foreign = [
    'rule add pref 50 from 10.99.0.1 table 99',
    'address add 10.99.0.1/24 dev eth0 noprefixroute',
    'route add 10.98.0.0/24 dev eth0 table 99',
  ]
  await ipIn('sensor', ...foreign)
  const before = await kernel()
  await using agent = await daemon({
    name: 'driver',
    command: process.execPath,
    args: ['--import', join(here, '../../setup/typescript.mjs'), join(here, 'driver.ts'), 'eth0'],
    netns: nameOf('sensor'),
    ready: /^open /,
    logFile: inFolder('driver.log'),
  })
  t.equal((await running('udhcpc')).trim(), 'udhcpc')
  agent.kill('SIGKILL')
  await agent.ended
  t.not(await kernel(), before, 'it left something')
  await sweepLeftovers()
  t.equal(await kernel(), before)
  t.equal(await running('udhcpc'), '', 'its DHCP client died with it')
  await ipIn('sensor', ...foreign.toReversed().map(line => line.replace(' add ', ' del ')))
})

t.test('with nothing left over nothing is changed', async t => {
  const before = await kernel()
  await sweepLeftovers()
  t.equal(await kernel(), before)
})
