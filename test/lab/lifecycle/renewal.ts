/** Renewal over the tested network, make before break (S2-51, S2-52, S2-64, S2-65). */
import t from 'tap'
import { asReported, eventsOf } from '../main-job/scene.ts'
import type { Document } from '../sensor.ts'
import { renewInARow } from './in-a-row.ts'
import { settled, settledOn } from './scene.ts'

// Ten of each in test/long. Two minutes of validity: due 1.2 s after it is issued, and tried again after 12 s, a tenth of the lifetime.
t.test(
  'S1-23, S2-50: renewals in a row, both ways, of certificates that live two minutes cost one planned login each, and nothing is lost',
  async t => {
    await renewInARow(t, { byRenewalReq: 3, byPkcsReq: 3 }, { validity: 120 })
  },
)

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

t.test(
  'B-70, B-71: where the server has no Renewal, a PKCSReq signed by the certificate in force, with the password or without; or enrolled again where the profile says so',
  async t => {
    const caps = 'POSTPKIOperation\nSHA-1\nSHA-256\nAES\n'
    await using scene = await settledOn(t, { caps, validity: 86_400 })
    const { lab, scep } = scene
    const mark = scene.mark()
    await lab.operator.command('sensor-1', { id: 'renew-1', command: 'renew', network: 'corp' })
    await mark.inUse()
    const [first] = scep.issued
    t.match(scep.messages, [
      { messageType: '19', challenge: true },
      { messageType: '19', signer: first?.fingerprint256, challenge: true },
    ])
    await scep.tell({ challenge: null })
    await scene.change({ challengeOnRenewal: false })
    const isSaid = (document: Document): boolean =>
      asReported(document).networks['corp']?.notices?.some(({ code }) => code === 'challenge-on-renewal') ===
      true
    await scene.sensor.reported(isSaid, 'that the password was sent is said')
    const again = scene.mark()
    await lab.operator.command('sensor-1', { id: 'renew-2', command: 'renew', network: 'corp' })
    await again.inUse()
    t.match(scep.messages.slice(2), [{ messageType: '19', challenge: false }])
    const known = scep.issued.map(({ fingerprint256 }) => fingerprint256)
    await scene.change({ renewalMethod: 're-enrol', key: 'ec-p256' })
    for (const id of ['renew-3', 'renew-4']) {
      const afresh = scene.mark()
      await lab.operator.command('sensor-1', { id, command: 'renew', network: 'corp' })
      await afresh.inUse()
    }
    const asked = scep.messages.slice(3)
    t.match(asked, [{ messageType: '19' }, { messageType: '19' }])
    t.notOk(
      asked.some(({ signer }) => known.includes(signer)),
      'by enrolling again, signed by nothing that was issued',
    )
    t.equal(
      scep.issued.at(-1)?.publicKey.asymmetricKeyType,
      'ec',
      'also for a certificate that can sign no request',
    )
  },
)
