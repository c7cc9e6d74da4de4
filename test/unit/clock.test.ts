/** The clock as a lower bound with a source (S1-27), and what a time server's answer says. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
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

t.test('a certificate raises the bound and never lowers it; it is saved', async t => {
  const folder = await folderFor(t)
  const clock = await Clock.open({ folder, trustSystemClock: false })
  clock.atLeast(buildTime + 2 * year, 'certificate')
  clock.atLeast(buildTime + year, 'certificate')
  near(t, clock.now(), buildTime + 2 * year, 'the later of them')
  await clock.save()
  near(t, (await Clock.open({ folder, trustSystemClock: false })).now(), buildTime + 2 * year, 'also later')
})

t.test(
  'S1-27: what only an unprotected server claims moves no bound and is not saved: it is a hint',
  async t => {
    const folder = await folderFor(t)
    const clock = await Clock.open({ folder, trustSystemClock: false })
    clock.claim(buildTime + 60 * second)
    t.equal(clock.reading.scepDateAhead, undefined, 'a minute is nothing to speak of')
    clock.claim(buildTime + 9 * year)
    near(t, clock.now(), buildTime, 'the bound')
    near(t, clock.reading.scepDateAhead ?? 0, 9 * year, 'the hint')
    clock.atLeast(buildTime + year, 'certificate')
    near(t, clock.reading.scepDateAhead ?? 0, 8 * year, 'the hint beyond the bound')
    await clock.save()
    const next = await Clock.open({ folder, trustSystemClock: false })
    near(t, next.now(), buildTime + year, 'after a restart')
    t.equal(next.reading.scepDateAhead, undefined)
    clock.trust('sntp', buildTime + year - Date.now())
    t.equal(clock.reading.scepDateAhead, undefined, 'a time that is known needs none')
  },
)

t.test(
  'a server by whose clock a new certificate is half-way to its renewal is not heard any more',
  async t => {
    const clock = await open(t)
    const issued = { notBefore: buildTime, notAfter: buildTime + year }
    const due = buildTime + year / 2
    clock.claim(buildTime + year / 5)
    clock.witness(issued, due)
    near(t, clock.reading.scepDateAhead ?? 0, year / 5, 'a CA may date its certificates back')
    clock.claim(buildTime + year / 3)
    clock.witness(issued, due)
    t.equal(clock.reading.scepDateAhead, undefined)
    clock.claim(buildTime + year / 5)
    t.equal(clock.reading.scepDateAhead, undefined)
  },
)

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
  const behind = await open(t)
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
