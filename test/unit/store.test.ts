/** What the agent keeps on disk beside its documents: servers it knows, the renewal queue, the clock, the store itself. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { Settings } from '../../agent/config.ts'
import { Clock } from '../../agent/clock.ts'
import { readIdentity } from '../../agent/identity.ts'
import { AgentError } from '../../agent/errors.ts'
import { Frequencies } from '../../agent/frequencies.ts'
import { openLog } from '../../agent/log.ts'
import { withoutSecrets } from '../../agent/diagnostics.ts'
import { SpareKeys } from '../../agent/keys.ts'
import { RenewalQueueFile } from '../../agent/renewal-queue.ts'
import { ServerMemory } from '../../agent/server-memory.ts'
import { watchdogPeriod } from '../../agent/sd-notify.ts'
import { openStore } from '../../agent/store.ts'
import { buildTime } from '../../agent/version.ts'

const url = 'http://scep.example.org/scep'

t.test('B-70: what a server took is used again, what it refused is tried last', async t => {
  const folder = t.testdir()
  const memory = await ServerMemory.open(folder)
  t.equal(memory.method(url, true), 'RenewalReq')
  t.equal(memory.method(url, false), 'PKCSReq', 'RenewalReq only where it is advertised')
  await memory.refused(url, 'RenewalReq')
  t.equal(memory.method(url, true), 'PKCSReq')
  await memory.worked(url, 'PKCSReq')
  await memory.refused(url, 'PKCSReq')
  t.equal(
    (await ServerMemory.open(folder)).method(url, true),
    'PKCSReq',
    'a refusal may be about the password',
  )
})

t.test('B-32: what a server ever advertised is known at its next answer, also after a restart', async t => {
  const folder = t.testdir()
  const memory = await ServerMemory.open(folder)
  t.strictSame(await memory.advertised(url, ['AES', 'SHA-256']), [])
  await memory.worked(url, 'PKCSReq')
  t.strictSame(await (await ServerMemory.open(folder)).advertised(url, ['DES3']), ['AES', 'SHA-256'])
})

t.test('where an SSID was met is known after a restart', async t => {
  const frequencies = new Frequencies(
    t.testdir({ 'frequencies.json': '{"corp":[2437,5180]}' }),
    openLog('error'),
  )
  t.strictSame(await frequencies.of('corp'), [2437, 5180])
  t.strictSame(await frequencies.of(Buffer.from('corp')), [2437, 5180])
  t.strictSame(await frequencies.of('guest'), [])
  t.strictSame(await frequencies.of(undefined), [], 'a wire has none')
})

t.test('files that cannot be read cost what was learned, not the agent', async t => {
  const folder = t.testdir({
    'servers.json': '{',
    'renewals.json': '[]x',
    'clock.json': 'no',
    'frequencies.json': '{"corp":7}',
  })
  t.equal((await ServerMemory.open(folder)).method(url, true), 'RenewalReq')
  t.strictSame((await RenewalQueueFile.open(folder)).state, { requested: [], enrolments: [] })
  t.strictSame(await new Frequencies(folder, openLog('error')).of('corp'), [])
  t.match((await Clock.open({ folder, trustSystemClock: false })).reading, {
    trusted: false,
    source: 'build',
  })
})

t.test('S1-23: the pace of the queue and who asked outlive a restart', async t => {
  const folder = t.testdir()
  const queue = await RenewalQueueFile.open(folder)
  await queue.request('corp')
  await queue.requestEnrolment('branch')
  await queue.began('corp', 42)
  const again = (await RenewalQueueFile.open(folder)).state
  t.strictSame(again, { lastAttempt: 42, requested: [], enrolments: ['branch'] })
})

t.test('S1-27: an untrusted clock is a lower bound that never runs backwards and is saved', async t => {
  const folder = t.testdir()
  const clock = await Clock.open({ folder, trustSystemClock: false })
  t.ok(clock.now() >= buildTime)
  const later = buildTime + 90 * 86_400_000
  clock.atLeast(later, 'certificate')
  clock.atLeast(buildTime, 'certificate')
  t.ok(clock.now() >= later)
  t.equal(clock.trustedDate(), undefined)
  await clock.save()
  t.ok((await Clock.open({ folder, trustSystemClock: false })).now() >= later)
})

t.test('a date that only an unprotected server claimed is not remembered', async t => {
  const folder = t.testdir()
  const clock = await Clock.open({ folder, trustSystemClock: false })
  clock.atLeast(buildTime + 86_400_000, 'scep-date')
  await clock.save()
  t.ok((await Clock.open({ folder, trustSystemClock: false })).now() < buildTime + 86_400_000)
})

t.test('a trusted clock is the system clock with its offset, and everybody is told once', async t => {
  const clock = await Clock.open({ folder: t.testdir(), trustSystemClock: false })
  let told = 0
  using _ = clock.onTrusted(() => {
    told += 1
  })
  clock.trust('sntp', 60_000)
  clock.trust('sntp', 60_000)
  t.equal(told, 1)
  t.ok(Math.abs(clock.now() - Date.now() - 60_000) < 1000)
})

t.test('a spare key is taken by rename, never twice, and not when it is older than 30 days', async t => {
  const folder = t.testdir()
  const spare = new SpareKeys(folder)
  const now = Date.now()
  t.equal(await spare.take('ec-p256', join(folder, 'none.pem'), now), false)
  t.equal(await spare.refill('ec-p256', now), true)
  t.equal(await spare.refill('ec-p256', now), false, 'one is enough')
  t.equal((await stat(join(folder, 'ec-p256', 'key.pem'))).mode & 0o777, 0o600)
  t.equal(await spare.take('ec-p256', join(folder, 'old.pem'), now + 31 * 86_400_000), false)
  t.equal(await spare.take('ec-p256', join(folder, 'taken.pem'), now), true)
  t.equal(await spare.take('ec-p256', join(folder, 'again.pem'), now), false)
  t.match(await readFile(join(folder, 'taken.pem'), 'utf8'), 'PRIVATE KEY')
})

const refused = async (root: string): Promise<unknown> =>
  openStore(root).then(
    () => 'opened',
    (error: unknown) => (error instanceof AgentError ? error.finding : error),
  )

t.test('a store of a newer format is refused and left as it is', async t => {
  const root = t.testdir()
  await openStore(root)
  await openStore(root)
  const newer = '{"format":99}'
  await writeFile(join(root, 'store.json'), newer)
  t.match(await refused(root), { code: 'store-format', detail: /99/ })
  t.equal(await readFile(join(root, 'store.json'), 'utf8'), newer)
  await mkdir(join(root, 'other'))
  await writeFile(join(root, 'other', 'store.json'), 'half')
  t.match(await refused(join(root, 'other')), { code: 'store-format', detail: /not JSON/ })
})

t.test('the support bundle holds no secret, wherever it stands', async t => {
  const settings = { mqtt: { password: 'p1', username: 'u', key: '/path' }, list: [{ passphrase: 'p2' }] }
  t.strictSame(withoutSecrets(settings), {
    mqtt: { password: '(secret)', username: 'u', key: '(secret)' },
    list: [{ passphrase: '(secret)' }],
  })
})

const settingsWith = (more: object) => ({
  ...Settings.parse({
    interfaces: [{ name: 'lo', kind: 'wired' }],
    management: 'tested',
    mqtt: { urls: ['mqtt://127.0.0.1'] },
    ...more,
  }),
  stateDirectory: '/nowhere',
  runtimeDirectory: '/nowhere',
})

t.test(
  'the sensor is named by its settings, else by its serial; addresses are those of its interfaces',
  async t => {
    const named = await readIdentity(settingsWith({ sensor: 'lobby-1', serial: '10000000 abc/1' }))
    t.match(named, { sensor: 'lobby-1', serial: '10000000 abc/1', macs: { lo: '00:00:00:00:00:00' } })
    t.ok(named.model)
    t.equal((await readIdentity(settingsWith({ serial: '10000000 abc/1' }))).sensor, '10000000-abc-1')
  },
)

t.test('the watchdog is fed twice in its time, and not at all without one', async t => {
  t.equal(watchdogPeriod({ WATCHDOG_USEC: '90000000' }), 45_000)
  t.equal(watchdogPeriod({}), undefined)
})
