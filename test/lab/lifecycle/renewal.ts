/** Renewal over the tested network, make before break (S2-51, S2-52, S2-64, S2-65). */
import t from 'tap'
import { eventsOf } from '../main-job/scene.ts'
import { settled } from './scene.ts'

/** Due a moment after it is issued: the certificates of Debian's server live a year. */
const atOnce = { daysBeforeExpiry: 364.99999 }

t.test(
  "S1-29, S1-30, S2-51, S2-64, S2-65: Debian's scepserver renews by RenewalReq over the tested network only",
  async t => {
    await using scene = await settled(t, async () => ({ renewal: { when: 'manual' } }))
    const { lab, sensor } = scene
    // A connection that is still open would spare the look-up.
    await lab.scep.stop()
    await lab.scep.start()
    const before = await lab.counters()
    const logins = lab.radius.logins().length
    const mark = scene.mark()
    await scene.change({ renewal: atOnce })
    const { proof, lease } = await mark.inUse()
    const after = await lab.counters()
    t.ok(after.tested.scep > before.tested.scep, 'SCEP packets on br-tested')
    t.ok(after.tested.dns > before.tested.dns, 'DNS packets on br-tested')
    t.equal(after.enroll.ip, before.enroll.ip, 'not one packet on br-enroll')
    t.equal(after.management.scep, 0, 'no SCEP packet on eth1')
    t.equal(after.management.dns, 0, 'no DNS packet on eth1')
    const [first, second, ...more] = await lab.scep.issued()
    t.strictSame(more, [], 'two certificates were issued')
    t.equal(second?.subject, first?.subject, 'with the same subject')
    t.not(second?.publicKey, first?.publicKey, 'and a new key')
    t.equal(lab.radius.logins().length - logins, 1, 'one login more')
    const renewed = eventsOf(sensor)
      .filter(({ event }) => event === 'scep-exchange')
      .map(({ data }) => data?.['operation'])
    t.ok(renewed.includes('RenewalReq'), 'by RenewalReq')
    const gap = Number(lease.data?.['gapMs'])
    t.ok(gap > 0, `the gap is reported: ${String(gap)} ms`)
    t.match(proof.text, 'the new certificate of corp is in use')
    t.notOk(
      eventsOf(sensor).find(({ event }) => event === 'lost' || event === 'step-failed'),
      'nothing was lost',
    )
  },
)
