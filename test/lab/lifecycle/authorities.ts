/** The CA's side over the years: the CA of tomorrow, certificates near their end, and our own on a CRL. */
import { readFile } from 'node:fs/promises'
import t from 'tap'
import type { Lab } from '../lab.ts'
import {
  asReported,
  event,
  eventsOf,
  tested,
  type Documents,
  type Reported,
  type SensorEvent,
} from '../main-job/scene.ts'
import { isJoined, settledOn, type Scene } from './scene.ts'
import type { OwnScepServer } from './scep.ts'

type Notices = NonNullable<Reported['networks'][string]['notices']>

async function notices({ sensor }: Scene, code: string, since = 0): Promise<Notices> {
  const read = (document: object): Notices => asReported(document as never).networks['corp']?.notices ?? []
  const has = (document: object): boolean => read(document).some(each => each.code === code)
  return read(await sensor.reported(has, `${code} is reported`, 30_000, since))
}

/** RADIUS has a certificate of the SCEP server's CA, and corp trusts what GetCACert returned (S2-47). */
async function radiusOfTheCa(docs: Documents, lab: Lab, scep: OwnScepServer | undefined): Promise<Documents> {
  if (!scep) throw new Error('unreachable: the SCEP server is raised before')
  await lab.radius.configure({ server: scep.radius.present })
  const all = await Promise.all([lab.pki.root, scep.ca, scep.nextCa].map(file => readFile(file, 'utf8')))
  const onboarding = { ...docs.onboarding, eap: { ...docs.onboarding.eap, serverCa: all } }
  const corp = { ...docs.corp, eap: { ...docs.corp.eap, serverCa: [] } }
  return { ...docs, onboarding, corp }
}

t.test(
  'B-17: the CA is replaced, at the SCEP server and at RADIUS: the next one was asked for and trusted in time, so nothing fails',
  async t => {
    await using scene = await settledOn(t, {}, {}, { documents: radiusOfTheCa })
    const { lab, scep, sensor } = scene
    const told = eventsOf(sensor).find(({ event }) => event === 'next-ca')
    t.match(told?.text, /will be replaced by CN=Next Root: both are trusted from now on/)
    // First RADIUS has a certificate of the new CA: the old one of the sensor is still good, and the new server is trusted.
    await lab.radius.configure({ server: scep.radius.next })
    const moved = scene.mark()
    await lab.switch.reset()
    await moved.event(({ event }) => event === 'reauthenticated', 'it logs in again')
    await scep.tell({ switchOver: true })
    const mark = scene.mark()
    await lab.operator.command('sensor-1', { id: 'renew-1', command: 'renew', network: 'corp' })
    await mark.inUse()
    const [first, second] = scep.issued
    t.strictSame([first?.issuer, second?.issuer], ['CN=Short-lived Root', 'CN=Next Root'])
    // At last nobody believes the old CA any more.
    await lab.radius.configure({ clientCa: [lab.scep.ca, scep.nextCa] })
    const last = scene.mark()
    await lab.operator.command('sensor-1', { id: 'renew-2', command: 'renew', network: 'corp' })
    await last.inUse()
    const bad = eventsOf(sensor).filter(({ event }) => event === 'step-failed')
    t.strictSame(bad, [])
    t.ok(
      lab.radius.logins().every(({ accepted }) => accepted),
      'and RADIUS refused nobody',
    )
  },
)

const ending = { root: 20, ca: 6, ra: 2, server: 0.5 }
const expiring: [code: string, severity: string, days: number, text: RegExp][] = [
  [
    'root-certificate-expires',
    'warning',
    28,
    /^the root CA .* expires on .*"CN=Short-lived Root": the CA has/,
  ],
  ['ca-certificate-expires', 'warning', 7, /^the issuing CA .*"CN=Issuing CA": .* given to RADIUS/],
  [
    'ra-certificate-expires',
    'error',
    3,
    /^the RA .*"CN=SCEP RA": the RA certificates of the SCEP server have/,
  ],
  [
    'server-certificate-expires',
    'error',
    1,
    /^the certificate of the RADIUS .*: the RADIUS server needs a new/,
  ],
]

t.test(
  'S1-26: root, issuing CA, RA and RADIUS server near their end are warned about at 28, 7, 3 and 1 days, with who has to act',
  async t => {
    await using scene = await settledOn(t, { ending }, {}, { documents: radiusOfTheCa })
    const { lab, scep } = scene
    await lab.radius.accepted('sensor-1')
    t.pass('S2-44: RADIUS, which trusts the root alone, was sent the CAs between')
    for (const [code, severity, days, text] of expiring) {
      const found = await notices(scene, code)
      t.match(
        found.find(notice => notice.code === code),
        { severity, text },
        code,
      )
      const isSaid = ({ event, network }: SensorEvent): boolean => event === code && network === 'corp'
      await event(scene.sensor, isSaid, `${code} is said`)
      const said = eventsOf(scene.sensor).filter(isSaid)
      t.match(said, [{ data: { threshold: days } }], `said once, for the ${String(days)} days`)
    }
    const { renewal } =
      asReported(await scene.sensor.reported(isJoined, 'it is reported')).networks['corp'] ?? {}
    t.match(renewal?.forecast, /^renewal due on .*, last password accepted on /)
    const [root, issuing] = await Promise.all([scep.ca, scep.issuingCa].map(file => readFile(file, 'utf8')))
    await scene.change(
      { caCertificates: [issuing] },
      { eap: { ...scene.documents.corp.eap, serverCa: [root] } },
    )
    const mark = scene.mark()
    await lab.operator.command('sensor-1', { id: 'renew', command: 'renew', network: 'corp' })
    await mark.inUse()
    t.pass('S2-44: and also where the issuing CA alone is uploaded')
  },
)

t.test(
  'B-62, B-17: between two renewals, our certificate on its CRL and a CA that takes over are found over the tested network',
  async t => {
    const url = 'http://scep.example.org:8081/root.crl'
    const first = { crl: url, validity: 150, withholdNext: true }
    await using scene = await settledOn(
      t,
      first,
      { renewal: { when: 'manual' } },
      { documents: radiusOfTheCa },
    )
    const { lab, scep, sensor } = scene
    const before = await lab.counters()
    const mark = scene.mark()
    await scep.tell({ revokeAll: true, withholdNext: false })
    const found = await notices(scene, 'certificate-revoked')
    const revoked = found.find(({ code }) => code === 'certificate-revoked')
    t.match(revoked, { severity: 'error', text: /revoked by its CA on .*request a new one/ })
    const told = await mark.event(({ event }) => event === 'next-ca', 'the CA that takes over is trusted')
    // With a login of its own, which the reset would fall into.
    const isBack = ({ event, number }: SensorEvent): boolean => event === 'leased' && number > told.number
    await mark.event(isBack, 'and the supplicant has it')
    await lab.radius.configure({ server: scep.radius.next })
    const moved = scene.mark()
    await lab.switch.reset()
    await moved.event(
      ({ event }) => event === 'reauthenticated',
      'RADIUS has a certificate of it, and is believed',
    )
    const after = await lab.counters()
    t.ok(
      after.tested.scep > before.tested.scep && after.enroll.scep === before.enroll.scep,
      'over the tested network',
    )
    t.equal(after.management.scep, 0)
    await tested(sensor, 'corp', 10_000)
  },
)
