/** A sensor without a battery clock: years behind, with a time server, without one, and with one that never answers (S1-27). */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Daemon } from '../daemon.ts'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import { eventsOf, publish, tested } from '../main-job/scene.ts'
import { checkout } from '../pki.ts'
import type { Sensor } from '../sensor.ts'
import { addresses } from '../topology.ts'

/** The environment of a process whose system clock is what the file says, e.g. `-10y`; the monotonic clock is left alone. */
const faked = (file: string): Record<string, string> => ({
  LD_PRELOAD: '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  FAKETIME_TIMESTAMP_FILE: file,
  FAKETIME_NO_CACHE: '1',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
})

/** A lab whose sensor, the agent and wpa_supplicant alike, has a system clock ten years behind. */
async function behind(
  t: Test,
  ntp: boolean,
): Promise<{ lab: Lab; file: string; environment: Record<string, string> }> {
  const lab = await raise(t, { ntp })
  const file = join(lab.site.folder, 'clock')
  await writeFile(file, '-10y')
  const environment = faked(file)
  await lab.supplicant.stop()
  await lab.supplicant.start(environment)
  return { lab, file, environment }
}

const timeServer = (lab: Lab, mood: 'right' | 'unsynchronised' | 'silent'): Promise<Daemon> =>
  lab.site.daemon({
    ...{ name: 'sntp', role: 'backend', command: process.execPath, ready: /listening/, deadlineMs: 30_000 },
    args: [
      ...['--import', join(checkout(), 'test/setup/typescript.mjs')],
      ...[join(checkout(), 'test/lab/lifecycle/sntp-main.ts'), addresses.scep, mood],
    ],
  })

/** Milliseconds by which what the sensor says last is off. */
const error = (sensor: Sensor): number => Math.abs(Date.parse(eventsOf(sensor).at(-1)?.at ?? '') - Date.now())

t.test(
  'ten years behind, the time comes by DHCP option 42 and SNTP over the enrollment network, and the job is done',
  async t => {
    const { lab, environment } = await behind(t, true)
    await using _ = lab
    const server = await timeServer(lab, 'right')
    const sensor = await lab.sensor({ environment })
    await publish(lab, await documents(lab))
    const reported = await tested(sensor, 'corp', 60_000)
    t.match(reported.clock, { trusted: true, source: 'sntp', system: 'wrong' })
    t.ok(error(sensor) < 60_000, 'what it says has the right time')
    t.match(server.output.since(0).join(), /asked by 10\.77\./, 'asked over the enrollment network')
    const onboarding = eventsOf(sensor).filter(
      ({ event, network }) => event === 'joined' && network === 'onboarding',
    )
    t.equal(onboarding.length, 2, 'which was joined again with the time known, before the password left')
    const texts = eventsOf(sensor).map(({ text }) => text)
    t.ok(texts.includes('the dates of the server certificate are not checked'), 'and it was said')
    t.equal((await lab.scep.issued()).length, 1)
  },
)

t.test('the dates that wpa_supplicant cannot judge are judged by the agent', async t => {
  const { lab, environment } = await behind(t, true)
  await using _ = lab
  await timeServer(lab, 'right')
  await lab.radius.configure({ server: lab.pki.serverExpired })
  const sensor = await lab.sensor({ environment })
  await publish(lab, await documents(lab))
  const heard = await sensor.event(
    each => each['event'] === 'step-failed' && each['network'] === 'onboarding',
    'the expired certificate of the RADIUS server is refused',
    60_000,
  )
  t.match(heard, { data: { problem: { code: 'server-certificate-expired', side: 'server' } } })
  t.equal((await lab.scep.issued()).length, 0)
})

for (const mood of [undefined, 'silent', 'unsynchronised'] as const)
  t.test(
    `ten years behind and ${mood ? `a time server that is ${mood}` : 'no time server'}: no dead-lock`,
    async t => {
      const { lab, environment } = await behind(t, mood !== undefined)
      await using _ = lab
      if (mood) await timeServer(lab, mood)
      const sensor = await lab.sensor({ environment })
      await publish(lab, await documents(lab))
      const { clock, networks } = await tested(sensor, 'corp', 60_000)
      t.match(clock, { trusted: false, system: 'wrong' })
      t.ok(networks['corp']?.certificate, 'it has its certificate')
      t.ok(error(sensor) < 60 * 60_000, 'and a lower bound of the time that is within the hour')
      const warnings = eventsOf(sensor).filter(({ data }) => data?.['code'] === 'clock-untrusted')
      t.ok(warnings.length > 0, 'what cannot be checked is said')
    },
  )

t.test(
  'a system clock that is set while the sensor works is said, and its waits are looked at again',
  async t => {
    const lab = await raise(t)
    await using _ = lab
    const file = join(lab.site.folder, 'clock')
    await writeFile(file, '+0')
    const settings = { time: { trustSystemClock: true } }
    const sensor = await lab.sensor({ environment: faked(file), settings })
    await publish(lab, await documents(lab))
    await tested(sensor, 'corp', 60_000)
    const since = lab.operator.messages.end
    await writeFile(file, '+300d')
    const jumped = await sensor.event(
      ({ event }) => event === 'clock-jumped',
      'it says that the clock was set',
      40_000,
    )
    t.match(jumped, { severity: 'warning', text: /^the system clock was set 259\d{5}(\.\d+)? s forward$/ })
    await sensor.event(
      ({ event, data }) => event === 'step-started' && (data as { action?: string }).action === 'renew',
      'and renews what is due now',
      30_000,
      since,
    )
  },
)
