/** The clock as a lower bound with a source (S1-27), and what a time server's answer says. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Clock } from '../../agent/clock.ts'
import { isSystemClockSynchronised, offsetOf } from '../../agent/time-sources.ts'
import { buildTime } from '../../agent/version.ts'

const year = 365 * 86_400_000
const second = 1000

async function folderFor(t: Test, saved?: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sonde-clock-'))
  t.teardown(() => rm(folder, { recursive: true }))
  if (saved !== undefined) await writeFile(join(folder, 'clock.json'), saved)
  return folder
}
const open = async (t: Test, saved?: string, trustSystemClock = false) =>
  Clock.open({ folder: await folderFor(t, saved), trustSystemClock })
const near = (t: Test, at: number, wanted: number, what: string) =>
  t.ok(Math.abs(at - wanted) < 5 * second, `${what}: ${new Date(at).toISOString()}`)

/** Runs with a system clock that is off. */
async function withSystemClock(t: Test, by: number, body: () => Promise<void> | void): Promise<void> {
  const real = Date.now
  Date.now = () => real() + by
  try {
    await body()
  } finally {
    Date.now = real
  }
  t.equal(Date.now, real)
}

t.test('untrusted, it is not earlier than the build, whatever the system clock says', async t => {
  const clock = await open(t)
  near(t, clock.now(), buildTime, 'the day it was built')
  t.match(clock.reading, { trusted: false, source: 'build' })
  t.equal(clock.trustedDate(), undefined, 'and "not yet valid" is not judged')
})

t.test('nor earlier than what was saved; a damaged file is none', async t => {
  const saved = buildTime + year
  const clock = await open(t, JSON.stringify({ passed: new Date(saved).toISOString() }))
  near(t, clock.now(), saved, 'what was saved')
  t.equal(clock.reading.source, 'saved')
  for (const text of ['half', '{}', '{"passed":"soon"}'])
    near(t, (await open(t, text)).now(), buildTime, text)
})

t.test('what a CA has just issued cannot have expired: a bound beyond its end was wrong', async t => {
  const clock = await open(t, JSON.stringify({ passed: new Date(buildTime + 20 * year).toISOString() }))
  const issued = { notBefore: buildTime + year, notAfter: buildTime + 2 * year }
  clock.witness(issued)
  near(t, clock.now(), issued.notBefore, 'lowered')
  clock.witness({ notBefore: buildTime, notAfter: buildTime + 2 * year })
  near(t, clock.now(), issued.notBefore, 'a bound within its life is kept')
  clock.trust('sntp', buildTime + 5 * year - Date.now())
  clock.witness(issued)
  near(t, clock.now(), buildTime + 5 * year, 'and so is a time that is known')
})

t.test(
  'a system clock that may be ahead is unknown until it is doubted, and right once it is vouched for',
  async t => {
    const clock = await open(t)
    await withSystemClock(t, 20 * year, () => {
      t.equal(clock.reading.system, 'unknown')
      clock.doubt()
      t.equal(clock.reading.system, 'wrong')
    })
    clock.trust('system')
    t.equal(clock.reading.system, 'right')
  },
)

t.test('a certificate or a date raises the bound and never lowers it', async t => {
  const clock = await open(t)
  clock.atLeast(buildTime + year, 'certificate')
  clock.atLeast(buildTime + 2 * year, 'scep-date')
  clock.atLeast(buildTime + year, 'certificate')
  near(t, clock.now(), buildTime + 2 * year, 'the latest of them')
  t.equal(clock.reading.source, 'scep-date')
})

t.test('what only an unprotected server claimed is not saved; what is proved is', async t => {
  const folder = await folderFor(t)
  const clock = await Clock.open({ folder, trustSystemClock: false })
  clock.atLeast(buildTime + 9 * year, 'scep-date')
  await clock.save()
  await t.rejects(readFile(join(folder, 'clock.json')), { code: 'ENOENT' })
  const other = await Clock.open({ folder, trustSystemClock: false })
  other.atLeast(buildTime + year, 'certificate')
  await other.save()
  near(t, (await Clock.open({ folder, trustSystemClock: false })).now(), buildTime + year, 'after a restart')
})

t.test('S1-27: timesyncd or chrony vouch for the system clock where they have synchronised it', async t => {
  const folder = await folderFor(t)
  const { signal } = new AbortController()
  const isRight = (): Promise<boolean> => isSystemClockSynchronised(signal, folder)
  t.notOk(await isRight(), 'neither runs')
  await mkdir(join(folder, 'chrony'))
  const path = process.env['PATH']
  t.teardown(() => (process.env['PATH'] = path))
  process.env['PATH'] = `${folder}:${path ?? ''}`
  const fields = 'A29FC801,ntp.example.org,3,1763870000.1,0.0001,0.0001,0.001,-1.2,0.0,0.1,0.02,0.001,64.2'
  for (const [leap, right] of [
    ['Normal', true],
    ['Insert second', true],
    ['Not synchronised', false],
  ] as const) {
    await writeFile(join(folder, 'chronyc'), `#!/bin/sh\necho '${fields},${leap}'\n`, { mode: 0o755 })
    t.equal(await isRight(), right, `chrony says ${leap}`)
  }
  await mkdir(join(folder, 'systemd/timesync'), { recursive: true })
  await writeFile(join(folder, 'systemd/timesync/synchronized'), '')
  t.ok(await isRight(), 'timesyncd has')
})

t.test('trusted, it follows the system clock, or a time server by the monotonic clock', async t => {
  const clock = await open(t, undefined, true)
  t.match(clock.reading, { trusted: true, source: 'settings', system: 'right' })
  await withSystemClock(t, year, () => {
    near(t, clock.now(), Date.now(), 'the system clock, also when it is set')
  })
  let told = 0
  const behind = await open(t)
  using _ = behind.onTrusted(() => {
    told += 1
  })
  const right = Date.now()
  await withSystemClock(t, -20 * year, () => {
    behind.trust('sntp', 20 * year)
    near(t, behind.now(), right, 'the time server')
    t.match(behind.reading, { trusted: true, source: 'sntp', system: 'wrong' })
  })
  near(t, behind.now(), right, 'also when somebody sets the system clock later')
  t.equal(behind.reading.system, 'right')
  behind.atLeast(right + year, 'certificate')
  near(t, behind.now(), right, 'and a bound says nothing more')
  t.equal(told, 1)
})

t.test('a system clock behind what has passed is wrong; ahead of it, nobody knows', async t => {
  await withSystemClock(t, -20 * year, async () => {
    t.equal((await open(t)).reading.system, 'wrong')
  })
  t.equal((await open(t)).reading.system, 'unknown')
})

t.test('a system clock that is set is noticed once', async t => {
  const clock = await open(t, undefined, true)
  t.equal(clock.jumped(), 0)
  await withSystemClock(t, year, () => {
    near(t, clock.jumped(), year, 'by so much')
    t.equal(clock.jumped(), 0)
  })
})

/** An answer of RFC 4330 with these times; stratum 2, synchronised, unless told. */
function answer(received: number, sent: number, first = 0x24, stratum = 2): Buffer {
  const bytes = Buffer.alloc(48)
  bytes[0] = first
  bytes[1] = stratum
  for (const [at, time] of [
    [32, received],
    [40, sent],
  ] as const) {
    bytes.writeUInt32BE(Math.floor(time / 1000) + 2_208_988_800, at)
    bytes.writeUInt32BE(Math.round(((time % 1000) / 1000) * 2 ** 32), at + 4)
  }
  return bytes
}

t.test('the offset is half the difference of the two ways', async t => {
  const sent = Date.UTC(2026, 0, 1)
  t.equal(Math.round(offsetOf(answer(sent + 5050, sent + 5060), sent, sent + 110)), 5000)
  for (const [first, stratum] of [
    [0xe4, 2],
    [0x24, 0],
    [0x24, 16],
    [0x23, 2],
  ] as const)
    t.throws(() => offsetOf(answer(sent, sent, first, stratum), sent, sent), /not synchronised/)
})
