/** Removal and return of certificates and of networks: a removal is a fact, never undone by the loop (S1-15..17, S2-67..70). */
import { access, readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { folderOf } from '../main-job/credential.ts'
import {
  asReported,
  documentsWith,
  eventsOf,
  listing,
  publish,
  tested,
  type Reported,
} from '../main-job/scene.ts'
import { raise, type Lab } from '../lab.ts'
import type { Document, Sensor } from '../sensor.ts'
import { trustedClock } from './scene.ts'

const there = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

async function enrolled(lab: Lab, settings: object = trustedClock): Promise<Sensor> {
  const sensor = await lab.sensor({ settings: { ...settings } })
  await publish(lab, await documentsWith(lab))
  await lab.operator.desired('sensor-1', listing(['corp'], { testEvery: 10 }))
  await tested(sensor, 'corp', 60_000)
  return sensor
}

const reported = async (
  sensor: Sensor,
  wanted: (report: Reported) => boolean,
  sentence: string,
  since: number,
): Promise<Reported> =>
  asReported(await sensor.reported(document => wanted(asReported(document)), sentence, 40_000, since))

t.test(
  'S1-15, S1-16: a certificate is removed at once; the session stays, the next re-authentication fails',
  async t => {
    await using lab = await raise(t)
    const sensor = await enrolled(lab)
    const since = lab.operator.messages.end
    await lab.operator.command('sensor-1', { id: 'gone', command: 'remove-certificate', network: 'corp' })
    await sensor.heard(
      'replies',
      ({ id, outcome }) => id === 'gone' && outcome === 'done',
      'it is removed',
      20_000,
    )
    const generations = (await readdir(folderOf(sensor))).filter(name => /^\d{4}-/.test(name))
    t.strictSame(generations, [], 'certificate and key are gone from the disk')
    const after = await reported(
      sensor,
      ({ networks }) => networks['corp']?.phase === 'removed',
      'it is reported',
      since,
    )
    t.equal(after.interfaces['eth0']?.joined, 'corp', 'the session stays open')
    const marked = lab.operator.messages.end
    await lab.switch.reset()
    await sensor.event(({ event }) => event === 'lost', 'the next re-authentication fails', 40_000, marked)
    const accepted = lab.radius
      .logins()
      .filter(({ accepted: good, identity }) => good && identity === 'sensor-1').length
    t.equal(accepted, 1, 'RADIUS has accepted it once, before')
    t.equal((await lab.scep.issued()).length, 1, 'and nothing is requested by itself')
    const again = lab.operator.messages.end
    await lab.operator.command('sensor-1', { id: 'back', command: 'request-certificate', network: 'corp' })
    await tested(sensor, 'corp', 60_000, again)
    t.equal((await lab.scep.issued()).length, 2, 'S1-59: until a person asks')
    const { onboarding } = await documentsWith(lab)
    const closed = lab.operator.messages.end
    await lab.operator.network('onboarding', { ...onboarding, eap: { ...onboarding.eap, password: 'wrong' } })
    await lab.operator.command('sensor-1', { id: 'wish', command: 'request-certificate', network: 'corp' })
    const isRefused = ({ event, network }: Document): boolean =>
      event === 'step-failed' && network === 'onboarding'
    await sensor.event(isRefused, 'the request waits for its enrollment network', 40_000, closed)
    await lab.operator.command('sensor-1', { id: 'over', command: 'remove-certificate', network: 'corp' })
    await sensor.heard('replies', ({ id, outcome }) => id === 'over' && outcome === 'done', 'it is removed')
    const wishes = JSON.parse(await readFile(join(sensor.state, 'renewals.json'), 'utf8')) as object
    t.match(wishes, { requested: [], enrolments: [] }, 'what was asked for before does not undo it')
  },
)

t.test(
  'S1-17: a request that fails leaves the certificate in force; one that succeeds replaces it',
  async t => {
    await using lab = await raise(t)
    const sensor = await enrolled(lab)
    await lab.scep.stop()
    await lab.operator.command('sensor-1', { id: 'one', command: 'request-certificate', network: 'corp' })
    await sensor.heard(
      'replies',
      ({ id, outcome }) => id === 'one' && outcome === 'failed',
      'it fails',
      60_000,
    )
    const [first] = await lab.scep.issued()
    const since = lab.operator.messages.end
    const isBack = ({ interfaces }: Reported): boolean => interfaces['eth0']?.joined === 'corp'
    const kept = await reported(sensor, isBack, 'the sensor is on corp again', since)
    const serial = Number.parseInt(kept.networks['corp']?.certificate?.serial ?? '', 16)
    t.equal(serial, Number.parseInt(first?.serial ?? '', 16), 'with the certificate it had')
    await lab.scep.start()
    await lab.operator.command('sensor-1', { id: 'two', command: 'request-certificate', network: 'corp' })
    await sensor.heard(
      'replies',
      ({ id, outcome }) => id === 'two' && outcome === 'done',
      'it succeeds',
      90_000,
    )
    t.equal((await lab.scep.issued()).length, 2)
  },
)

t.test(
  'S2-67, S2-68, S2-69, S2-70: a network is removed in seconds, and added again enrols afresh over the enrollment network',
  async t => {
    await using lab = await raise(t)
    const sensor = await enrolled(lab)
    const [began, since] = [performance.now(), lab.operator.messages.end]
    await lab.operator.desired('sensor-1', { schema: 1, version: 2, networks: [] })
    await lab.switch.closed(20_000)
    const ms = performance.now() - began
    t.ok(ms < 15_000, `it is logged off ${String(Math.round(ms))} ms after the document`)
    await sensor.event(
      ({ event }) => event === 'forgotten',
      'its credential is deleted once that is confirmed',
      40_000,
      since,
    )
    const isDone = ({ event, data }: { event?: unknown; data?: unknown }): boolean =>
      event === 'step-done' && (data as { action?: string }).action === 'forget'
    await sensor.event(isDone, 'its folder goes when that is said for certain', 10_000, since)
    t.notOk(await there(folderOf(sensor)), 'nothing of it is left')
    t.ok(await there(dirname(folderOf(sensor))))
    const before = await lab.counters()
    const back = lab.operator.messages.end
    const second = { network: 'corp', assignment: 'second' }
    await lab.operator.desired('sensor-1', { schema: 1, version: 3, networks: [second] })
    await tested(sensor, 'corp', 60_000, back)
    t.ok((await lab.counters()).enroll.scep > before.enroll.scep, 'enrolled over the enrollment network')
    t.equal((await lab.scep.issued()).length, 2)
    t.strictSame(
      eventsOf(sensor).filter(({ event }) => event === 'step-failed'),
      [],
    )
  },
)

t.test('S2-69: a changed assignment enrols afresh, also when the sensor was away in between', async t => {
  await using lab = await raise(t)
  const sensor = await enrolled(lab)
  await sensor.stop()
  await lab.operator.desired('sensor-1', {
    schema: 1,
    version: 2,
    networks: [{ network: 'corp', assignment: 'second' }],
  })
  const since = lab.operator.messages.end
  await sensor.start()
  const wanted = ({ networks }: Reported): boolean => networks['corp']?.lastTest?.passed === true
  await reported(sensor, wanted, 'it is tested', since)
  await sensor.event(({ event }) => event === 'certificate-issued', 'a certificate is issued', 60_000, since)
  t.equal((await lab.scep.issued()).length, 2)

  // And where it is on the enrollment network already, which is tested too (S2-77): one request is enough, also for a one-time password.
  const listed = (version: number, assignment: string): object => ({
    ...{ schema: 1, version },
    networks: [
      { network: 'corp', assignment },
      { network: 'onboarding', assignment: 'tested' },
    ],
  })
  const passed = (id: string) => (document: Document) =>
    document['event'] === 'test-passed' && document['network'] === id
  await lab.operator.desired('sensor-1', listed(3, 'second'))
  await sensor.event(passed('onboarding'), 'the enrollment network is tested', 20_000, since)
  const third = lab.operator.messages.end
  await lab.operator.desired('sensor-1', listed(4, 'third'))
  await sensor.event(passed('corp'), 'corp is tested again', 20_000, third)
  t.equal((await lab.scep.issued()).length, 3)
})
