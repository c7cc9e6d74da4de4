/** A desired state that cuts the real sensor off from its broker is taken back, and told. */
import t from 'tap'
import { documents } from '../documents.ts'
import { raise } from '../lab.ts'
import { asReported, event, publish, tested, type Reported } from '../main-job/scene.ts'

t.test(
  'last-known-good: documents that no network can be joined with are taken back after the limit, quarantined and reported',
  async t => {
    await using lab = await raise(t, { management: false })
    const docs = await documents(lab)
    await publish(lab, docs)
    const sensor = await lab.sensor({
      settings: {
        mqtt: { urls: [lab.broker.url], revertAfter: 10 },
        bootstrap: { networks: { onboarding: docs.onboarding } },
      },
    })
    const good = (await tested(sensor)).applied.state

    const since = lab.operator.messages.end
    const cut = performance.now()
    const elsewhere = { serverName: 'radius.elsewhere.example' }
    await lab.operator.network('onboarding', {
      ...docs.onboarding,
      eap: { ...docs.onboarding.eap, ...elsewhere },
    })
    await lab.operator.network('corp', { ...docs.corp, eap: { ...docs.corp.eap, ...elsewhere } })
    const back = asReported(
      await sensor.reported(
        r => rejected(r) !== undefined && asReported(r).networks['corp']?.phase === 'joined',
        'the sensor is back with the state before',
        60_000,
        since,
      ),
    )
    const seconds = (performance.now() - cut) / 1000
    t.ok(seconds >= 10, `not before the limit: ${seconds.toFixed(1)} s`)
    t.equal(back.applied.state, good, 'the state before is in force')
    t.not(rejected(back)?.state, good, 'the other one is in quarantine')
    const told = await event(sensor, ({ event }) => event === 'desired-reverted', 'it is told', 10_000, since)
    t.match(told.text, /another one is tried/)

    const later = lab.operator.messages.end
    await lab.operator.network('onboarding', docs.onboarding)
    await lab.operator.network('corp', { ...docs.corp, alias: 'Mended' })
    await sensor.reported(
      r => {
        const corp = asReported(r).networks['corp']
        return rejected(r) === undefined && corp?.alias === 'Mended' && corp.phase === 'joined'
      },
      'a different document ends the quarantine',
      20_000,
      later,
    )
    t.equal((await lab.scep.issued()).length, 1, 'the certificate was kept all the while')
  },
)

const rejected = (document: object): Reported['applied'] | undefined =>
  (document as { rejected?: Reported['applied'] }).rejected
