/** What helps where the tested network or both certificates do not: the ladder, and the proof that is repeated. */
import t from 'tap'
import { asReported, eventsOf } from '../main-job/scene.ts'
import { isFailed, settledOn } from './scene.ts'

t.test(
  'S2-51, S2-65: the ladder, where it is switched on: a renewal goes over the enrollment network when the server was out of reach too long',
  async t => {
    const ladder = { enrollmentNetworkAfterHours: 0.002 } // 7 s
    await using scene = await settledOn(t, { validity: 100 }, { renewal: { when: 'manual' }, ladder })
    const { lab, scep, sensor } = scene
    await lab.silence('tested', 'scep')
    const before = await lab.counters()
    const mark = scene.mark()
    await scene.change({ renewal: { percent: 1 } })
    const failed = await mark.event(isFailed('renew'), 'the server is out of reach over corp')
    t.match(failed.data?.problem, { side: 'network' })
    t.equal(failed.data?.['over'], 'corp')
    const { proof } = await mark.inUse(60_000)
    const tries = eventsOf(sensor).filter(
      ({ event, data, number }) =>
        event === 'step-started' &&
        data?.action === 'renew' &&
        number > failed.number &&
        number < proof.number,
    )
    t.equal(tries.at(-1)?.data?.['over'], 'onboarding', 'and is asked over the enrollment network')
    t.ok((await lab.counters()).enroll.scep > before.enroll.scep, 'packets on br-enroll')
    t.equal((await lab.counters()).management.scep, 0, 'none on eth1')
    t.equal(scep.issued.length, 2)
  },
)

t.test(
  'neither certificate works: nothing is judged, both are kept; the new one is used as soon as it works, also over a restart',
  async t => {
    await using scene = await settledOn(t, {})
    const { lab, scep, sensor } = scene
    await scep.tell({ switchOver: true })
    // RADIUS believes neither CA for now.
    await lab.radius.configure({ clientCa: [lab.scep.ca] })
    const mark = scene.mark()
    await lab.operator.command('sensor-1', { id: 'renew-1', command: 'renew', network: 'corp' })
    await mark.event(isFailed('prove'), 'the new one is refused')
    await mark.event(isFailed('join'), 'and so is the old one')
    const state = await sensor.reported(
      document => asReported(document).networks['corp']?.renewal?.candidate?.proof === 'undecided',
      'nothing is judged',
    )
    t.match(asReported(state).networks['corp']?.certificate, { issuer: 'CN=Short-lived Root' })
    await sensor.kill()
    // The old one was revoked on issue of the new one (B-54).
    await lab.radius.configure({ clientCa: [lab.scep.ca, scep.nextCa] })
    const again = scene.mark()
    await sensor.start()
    await again.inUse(60_000)
    t.equal(scep.issued.length, 2, 'and no other one was asked for')
  },
)
