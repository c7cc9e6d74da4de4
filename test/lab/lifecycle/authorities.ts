/** The CA's side over the years: the CA of tomorrow, certificates near their end, and our own on a CRL. */
import t from 'tap'
import { asReported, eventsOf, tested, type Reported } from '../main-job/scene.ts'
import { settledOn, type Scene } from './scene.ts'

type Notices = NonNullable<Reported['networks'][string]['notices']>

async function notices({ sensor }: Scene, code: string, since = 0): Promise<Notices> {
  const read = (document: object): Notices => asReported(document as never).networks['corp']?.notices ?? []
  const has = (document: object): boolean => read(document).some(each => each.code === code)
  return read(await sensor.reported(has, `${code} is reported`, 30_000, since))
}

t.test(
  'B-17: the CA is replaced: the next one was asked for and trusted in time, so the switch-over is no event',
  async t => {
    await using scene = await settledOn(t, {})
    const { lab, scep, sensor } = scene
    const told = eventsOf(sensor).find(({ event }) => event === 'next-ca')
    t.match(told?.text, /will be replaced by CN=Next Root: both are trusted from now on/)
    await scep.tell({ switchOver: true })
    const mark = scene.mark()
    await lab.operator.command('sensor-1', { id: 'renew-1', command: 'renew', network: 'corp' })
    await mark.inUse()
    const [first, second] = scep.issued
    t.strictSame([first?.issuer, second?.issuer], ['CN=Short-lived Root', 'CN=Next Root'])
    const bad = eventsOf(sensor).filter(({ event }) => event === 'step-failed')
    t.strictSame(bad, [])
  },
)

t.test('a CA that ends in a few days is warned about, by name and with what to do', async t => {
  await using scene = await settledOn(t, { caDays: 0.05 })
  const found = await notices(scene, 'root-certificate-expires')
  const ca = found.find(({ code }) => code === 'root-certificate-expires')
  t.match(ca, { severity: 'warning', text: /"CN=Short-lived Root": the CA has to be renewed/ })
  t.ok(
    eventsOf(scene.sensor).some(({ event }) => event === 'root-certificate-expires'),
    'and said once',
  )
})

t.test(
  'B-62: our certificate on the CRL of its distribution point is found over the tested network',
  async t => {
    const url = 'http://scep.example.org:8081/root.crl'
    await using scene = await settledOn(t, { crl: url, validity: 150 })
    const { lab, scep, sensor } = scene
    const before = await lab.counters()
    await scep.tell({ revokeAll: true })
    const found = await notices(scene, 'certificate-revoked')
    const revoked = found.find(({ code }) => code === 'certificate-revoked')
    t.match(revoked, { severity: 'error', text: /revoked by its CA on .*request a new one/ })
    const after = await lab.counters()
    t.ok(
      after.tested.scep > before.tested.scep && after.enroll.scep === before.enroll.scep,
      'over the tested network',
    )
    t.equal(after.management.scep, 0)
    await tested(sensor, 'corp', 10_000)
  },
)
