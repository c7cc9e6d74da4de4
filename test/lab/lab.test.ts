import t from 'tap'
import { existsSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { enroll, join8021X, lease } from './by-hand.ts'
import { daemon } from './daemon.ts'
import { raise, type Lab } from './lab.ts'
import { checkout } from './pki.ts'
import { subnets, type Segment } from './topology.ts'

/** Gives eth0 an address and its gateway's MAC by hand, so that IP packets really leave, and pings the gateway. */
async function ping(lab: Lab, segment: Segment): Promise<boolean> {
  const [{ address }] = JSON.parse(
    await lab.exec('backend', 'ip', ['-j', 'link', 'show', `lan-${segment}`]),
  ) as [{ address: string }]
  const gateway = `${subnets[segment]}.1`
  const ip = (...args: string[]) => lab.exec('sensor', 'ip', args)
  await ip('addr', 'replace', `${subnets[segment]}.200/24`, 'dev', 'eth0')
  await ip('neigh', 'replace', gateway, 'lladdr', address, 'dev', 'eth0')
  const answered = lab.exec('sensor', 'ping', ['-c', '3', '-i', '0.05', '-W', '0.3', '-I', 'eth0', gateway])
  return answered.then(
    () => true,
    () => false,
  )
}

const milliseconds = async (work: Promise<unknown>): Promise<number> => {
  const from = performance.now()
  await work
  return Math.round(performance.now() - from)
}

t.test('not one IP packet passes the locked port, and all do once somebody has authenticated', async t => {
  await using lab = await raise(t)
  t.notOk(await ping(lab, 'enroll'), 'the gateway does not answer')
  await t.rejects(lease(lab), 'there is no lease')
  const before = await lab.counters()
  t.ok(before.port.ipBlocked >= 6, `${before.port.ipBlocked} packets arrived at the port`)
  t.equal(before.port.ipPassed, 0, 'none passed')
  t.equal(before.enroll.ip + before.tested.ip, 0, 'none reached a segment')

  await join8021X(lab, 'PEAP')
  await lab.switch.opened('enroll')
  t.ok(await ping(lab, 'enroll'), 'the gateway answers')
  const after = await lab.counters()
  t.ok(after.port.ipPassed >= 3, `${after.port.ipPassed} packets passed`)
  t.equal(after.tested.ip, 0, 'none in the tested segment')
})

t.test('the port follows the identity: PEAP to br-enroll, a certificate by SCEP to br-tested', async t => {
  await using lab = await raise(t)
  const peap = await join8021X(lab, 'PEAP')
  const enrollment = await lab.switch.opened('enroll')
  t.match(await lab.radius.accepted('peapuser'), { identity: 'peapuser' })
  t.equal(enrollment.session.identity, 'peapuser')
  const leased = await milliseconds(lease(lab))
  const identity = await enroll(lab, 'sensor-1')
  const [issued] = await lab.scep.issued()
  t.match(issued, { subject: /CN=sensor-1/ })
  await peap.stop()

  await join8021X(lab, identity)
  const tested = await lab.switch.opened('tested')
  const login = await lab.radius.accepted('sensor-1')
  t.match(login, { issuer: /O=Lab/ })
  t.equal(
    BigInt(`0x${login.serial}`),
    BigInt(`0x${issued?.serial}`),
    'RADIUS saw the certificate in the depot',
  )
  const leasedAgain = await milliseconds(lease(lab))
  t.match(await lab.exec('sensor', 'ip', ['-4', 'addr', 'show', 'eth0']), /inet 10\.78\.0\./)
  const { enroll: over, tested: later, port } = await lab.counters()
  t.ok(over.scep > 0 && over.dhcp > 0 && later.dhcp > 0, 'packets are counted per segment')
  t.equal(later.scep, 0, 'SCEP was spoken over the enrollment segment only')
  t.ok(port.ipPassed > 0)
  t.comment(`open after ${enrollment.ms} and ${tested.ms} ms; leases in ${leased} and ${leasedAgain} ms`)
  t.ok(Math.max(enrollment.ms, tested.ms) < 100, 'the port opens promptly')
})

t.test('the carrier of eth0 stays while the port changes its segment', async t => {
  await using lab = await raise(t)
  const carrier = () => lab.exec('sensor', 'cat', ['/sys/class/net/eth0/carrier_changes'])
  const before = await carrier()
  await join8021X(lab, 'PEAP')
  await lab.switch.opened('enroll')
  t.equal(await carrier(), before)
  await lab.cable.pull()
  await lab.cable.plug()
  t.equal(Number(await carrier()), Number(before) + 2, 'a pulled cable is seen')
})

t.test('two labs work side by side, with the same addresses and names', async t => {
  await using one = await raise(t)
  await using other = await raise(t)
  await Promise.all([one, other].map(lab => join8021X(lab, 'PEAP')))
  await Promise.all([one, other].map(lab => lab.switch.opened('enroll')))
  await Promise.all([one, other].map(lab => lease(lab)))
  await enroll(one, 'of-one')
  t.equal((await one.scep.issued()).length, 1)
  t.equal((await other.scep.issued()).length, 0, 'the other server has issued nothing')
  t.equal((await other.counters()).enroll.scep, 0)
})

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
    child.kill('SIGKILL')
    await child.ended
    t.ok((await leftOf(id, [], 0)).length > 0, 'its namespaces still have names')
    await using _lab = await raise(t)
    t.strictSame(await leftOf(id, pids), [])
  })
})

/** A process that raises a lab and abandons it. */
async function abandoned(folder: string, how: 'stay' | 'throw') {
  const child = await daemon({
    name: 'abandoned',
    command: process.execPath,
    args: ['--import', './test/setup/typescript.mjs', 'test/lab/abandoned.ts', how],
    cwd: checkout(),
    ready: () => Promise.resolve(),
    logFile: join(folder, 'abandoned.log'),
  })
  const read = (line: string) =>
    line.startsWith('{') ? (JSON.parse(line) as { id: string; pids: number[] }) : undefined
  const raised = child.find(read, 'a lab is raised', 10_000)
  return Object.assign(child, { raised })
}
