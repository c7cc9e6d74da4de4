/** A sensor whose system clock is off, with a time server and without; shared by clock.ts and test/long. */
import { existsSync } from 'node:fs'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Daemon } from '../daemon.ts'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import { eventsOf, publish, tested } from '../main-job/scene.ts'
import { checkout } from '../pki.ts'
import type { Sensor } from '../sensor.ts'
import { addresses } from '../topology.ts'

/** The environment of a process whose system clock is what the file says, e.g. `-10y`; the monotonic clock is left alone. */
export function faked(t: Test, file: string): Record<string, string> {
  t.after(sweep)
  return {
    LD_PRELOAD: '/usr/$LIB/faketime/libfaketime.so.1', // $LIB: see ld.so(8)
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  }
}

/** Where a process puts what libfaketime shares with its children, under its own id; one that is killed leaves it there. */
const shared = '/dev/shm'

async function sweep(): Promise<void> {
  for (const name of await readdir(shared)) {
    const [, pid] = /^(?:faketime_shm_|sem\.faketime_sem_)(\d+)$/.exec(name) ?? []
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await rm(join(shared, name), { force: true })
  }
}

/** A lab whose sensor, the agent and wpa_supplicant alike, has a system clock that is off, ten years behind unless told. */
export async function behind(
  t: Test,
  ntp: boolean,
  by = '-10y',
): Promise<{ lab: Lab; file: string; environment: Record<string, string> }> {
  const lab = await raise(t, { ntp })
  const file = join(lab.site.folder, 'clock')
  await writeFile(file, by)
  const environment = faked(t, file)
  await lab.supplicant.stop()
  await lab.supplicant.start(environment)
  return { lab, file, environment }
}

export const timeServer = (lab: Lab, mood: 'right' | 'unsynchronised' | 'silent'): Promise<Daemon> =>
  lab.site.daemon({
    ...{ name: 'sntp', role: 'backend', command: process.execPath, ready: /listening/, deadlineMs: 30_000 },
    args: [
      ...['--import', join(checkout(), 'test/setup/typescript.mjs')],
      ...[join(checkout(), 'test/lab/lifecycle/sntp-main.ts'), addresses.scep, mood],
    ],
  })

/** Milliseconds by which what the sensor says last is off. */
export const error = (sensor: Sensor): number =>
  Math.abs(Date.parse(eventsOf(sensor).at(-1)?.at ?? '') - Date.now())

/** By what the system clock is off, and what becomes of NTP; `mood` is that of the time server, where there is one. */
export interface Unaided {
  by: string
  mood?: 'silent' | 'unsynchronised'
}

export const sentence = ({ by, mood }: Unaided): string =>
  `S1-27: the system clock is off by ${by}, with ${mood ? `a time server that is ${mood}` : 'no time server'}: no dead-lock, neither at first nor after a restart, and it renews`

export async function unaided(t: Test, { by, mood }: Unaided): Promise<void> {
  const { lab, environment } = await behind(t, mood !== undefined, by)
  await using _ = lab
  if (mood) await timeServer(lab, mood)
  const sensor = await lab.sensor({ environment })
  await publish(lab, await documents(lab))
  const { clock, networks } = await tested(sensor, 'corp', 60_000)
  t.equal(clock.trusted, false)
  t.not(clock.system, 'right', 'nobody vouches for the system clock')
  t.ok(networks['corp']?.certificate, 'it has its certificate')
  t.ok(error(sensor) < 60 * 60_000, 'and a lower bound of the time that is within the hour')
  const warnings = eventsOf(sensor).filter(({ data }) => data?.['code'] === 'clock-untrusted')
  t.ok(warnings.length > 0, 'what cannot be checked is said')
  await sensor.kill()
  const since = lab.operator.messages.end
  await sensor.start()
  await tested(sensor, 'corp', 60_000, since)
  await lab.operator.command('sensor-1', { id: 'renew-1', command: 'renew', network: 'corp' })
  const inUse = ({ event }: { event?: unknown }): boolean => event === 'certificate-in-use'
  await sensor.event(inUse, 'a new certificate is in use', 60_000, since)
  t.equal((await lab.scep.issued()).length, 2)
}
