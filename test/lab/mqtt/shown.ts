/** What sensors report, as the operator sees it. */
import type { Test } from 'tap'
import type { Outcome } from './console.ts'
import { told, type Sensor } from './sensor.ts'

/** The sensors test corp. @param run `sonde fleet` */
export async function shown(
  t: Test,
  run: (line: string) => Promise<Outcome>,
  sensors: readonly Sensor[],
): Promise<void> {
  t.match(await run('problems --check'), { code: 0, out: 'no problems\n' })
  const [one, two] = sensors
  const certificate = (notAfter: string) => ({
    ...{ fingerprint: 'f', sha1: 's' },
    subject: 'CN=x',
    issuer: 'CN=ca',
    serial: '2b0000000011ac0000000012',
    names: [],
    key: 'rsa-2048',
    notBefore: notAfter,
    notAfter,
  })
  const problem = {
    code: 'eap-unknown-ca',
    title: '802.1X failed with unknown CA',
    detail: 'local TLS alert: Unknown CA',
    hint: 'Specify Server CA',
    side: 'configuration',
    retry: 'change',
    since: new Date().toISOString(),
    last: new Date().toISOString(),
    count: 3,
    evidence: ['EAP: started', '\u001b[31mEAP: failure'],
  }
  const network = { phase: 'failing', role: 'tested' }
  if (one)
    one.facts = {
      networks: { corp: { ...network, problem, certificate: certificate('2031-01-01T00:00:00Z') } },
    }
  if (two)
    two.facts = {
      networks: { corp: { ...network, phase: 'joined', certificate: certificate('2030-01-01T00:00:00Z') } },
    }
  await Promise.all(sensors.map(told))
  t.match(await run('problems --check'), {
    code: 1,
    out: /s1 +corp +802.1X failed with unknown CA +local TLS alert/,
  })
  const shown = await run('triage s1 corp')
  t.match(
    shown.out,
    /802.1X failed with unknown CA.*local TLS alert: Unknown CA.*EAP: started.*Specify Server CA/s,
  )
  t.notMatch(shown.out, '\u001b', 'nothing a sensor reports steers the terminal')
  t.match(
    (await run('certificates --json')).json(),
    [{ sensor: 's2' }, { sensor: 's1' }],
    'soonest expiry first',
  )
  t.match(await run('certificates --mappings'), {
    out: /s2 +corp +X509:<I>CN=ca<SR>1200000000AC11000000002B/,
  })
  t.match(await run('show s1'), { out: /Serial +serial-s1.*corp +tested +failing.*2031-01-01/s })
  await t.test('what fails although the network is joined', async t => {
    const title = 'Transaction either not permitted or supported during SCEP renewal'
    const refused = { ...problem, code: 'scep-rejected', title, detail: 'password might be incorrect' }
    const renewal = { rule: 'half-life', forecast: 'it expires' }
    const joined = { ...network, phase: 'joined', certificate: certificate('2030-01-01T00:00:00Z') }
    const ends = { code: 'certificate-expires', severity: 'warning', text: 'The certificate expires soon' }
    const probes = [{ probe: 'http', passed: false, ms: 1, detail: 'no answer from portal' }]
    const facts = (more: object) => ({ networks: { corp: { ...joined, ...more } } })
    const say = async (more: object) => {
      if (two) two.facts = facts(more)
      if (two) await told(two)
      return {
        found: await run('problems --check'),
        shown: await run('show s2'),
        said: await run('triage s2'),
      }
    }
    if (one) one.facts = facts({})
    if (one) await told(one)
    const noSuch = 'this sensor has no interface eth7'
    const waiting = await say({ phase: 'waiting', why: noSuch })
    t.match(waiting.found, { code: 1, out: new RegExp(`s2 +corp +The network cannot be tested.* ${noSuch}`) })
    for (const { out } of [waiting.shown, waiting.said]) t.match(out, noSuch)
    const suspended = await say({ phase: 'suspended', why: 'its profile was taken away' })
    t.match(suspended.found, {
      code: 0,
      out: /s2 +corp +The network is suspended +its profile was taken away/,
    })
    const renewing = await say({ renewal: { ...renewal, lastFailure: refused } })
    t.match(renewing.found, { code: 1, out: new RegExp(`s2 +corp +${title} +password might be incorrect`) })
    for (const { out } of [renewing.shown, renewing.said])
      t.match(out, new RegExp(`${title}.*password might be incorrect`, 's'), 'S2-57, S2-66')
    const tested = await say({ lastTest: { at: '2030-01-01T00:00:00Z', passed: false, probes } })
    t.match(tested.found, { code: 1, out: /s2 +corp +The test failed +http: no answer from portal/ })
    t.match(tested.said.out, 'test: http: no answer from portal')
    const candidate = { ...joined.certificate, proof: 'refused', problem }
    const proved = await say({ renewal: { ...renewal, candidate } })
    t.match(proved.found, { code: 1, out: /unknown CA +with the new certificate: local TLS alert/ })
    const noticed = await say({ notices: [ends] })
    t.match(noticed.found, { code: 0, out: /s2 +corp +The certificate expires soon/ }, 'a warning')
    t.match(noticed.shown.out, 'The certificate expires soon (certificate-expires)')
  })
}
