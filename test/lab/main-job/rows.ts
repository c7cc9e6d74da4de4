/** The rows of the contract that the main job owns, on real daemons. */
import { readFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { run } from '../command.ts'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import type { Sensor } from '../sensor.ts'
import { isWhole } from './credential.ts'
import { documentsWith, event, eventsOf, listing, problem, publish, tested } from './scene.ts'

t.test(
  'S1-01, S1-02, S2-01, S2-02, S2-05, S2-07: documents alone, and the sensor is on corp with a certificate of its own',
  async t => {
    await using lab = await raise(t)
    // As it comes out of the box: it makes its key, and another for next time.
    const sensor = await lab.sensor({ settings: { spareKeys: true }, keyReady: false })
    await publish(lab, await documents(lab))
    const reported = await tested(sensor)
    t.equal(keyOrigin(sensor), 'generated')
    const issued = await isWhole(t, sensor, await lab.scep.issued())
    t.match(reported.networks['corp']?.certificate, {
      subject: 'CN=sensor-1',
      issuer: /OU=SCEP CA/,
      serial: issued?.serial.toLowerCase(),
    })
    const { corp } = await documents(lab)
    t.match(
      corp,
      { interface: 'eth0', eap: { method: 'TLS' }, scep: { enrollmentNetwork: 'onboarding' } },
      'S2-03, S2-15, S2-17 to S2-20: the network says its interface, method, enrolment and enrollment network',
    )
    t.equal((await lab.switch.opened('enroll')).session.method, 'PEAP', 'S2-73: PEAP bootstraps')
    const { session } = await lab.switch.opened('tested')
    t.match(session, { identity: 'sensor-1', method: 'TLS' }, 'EAP-TLS')
    const login = await lab.radius.accepted('sensor-1')
    t.equal(
      login.serial?.toLowerCase(),
      issued?.serial.toLowerCase(),
      'RADIUS was shown the issued certificate',
    )
    const { enroll, management } = await lab.counters()
    t.ok(enroll.scep > 0, 'the SCEP server was contacted over the enrollment network')
    t.equal(management.scep, 0, 'and not past it')
  },
)

const keyOrigin = (sensor: Sensor): unknown =>
  eventsOf(sensor).find(({ event }) => event === 'key-ready')?.data?.['origin']

t.test(
  'without 802.1X not one IP packet of the sensor passes the locked port; after the join they do',
  async t => {
    await using lab = await raise(t)
    const sensor = await lab.sensor()
    const plain = { schema: 1, alias: 'Plain', interface: 'eth0' }
    await publish(lab, { plain, sensor: listing(['plain']) })
    const { code } = await problem(sensor, 'plain', 20_000)
    t.equal(code, 'dhcp-no-offer')
    const locked = (await lab.counters()).port
    t.ok(locked.ipBlocked > 0, `${locked.ipBlocked} packets came to the port`)
    t.equal(locked.ipPassed, 0)
    await publish(lab, { ...(await documents(lab)), sensor: listing(['corp'], { version: 2 }) })
    await tested(sensor)
    const { ipPassed } = (await lab.counters()).port
    t.ok(ipPassed > 0, `${ipPassed} packets passed the port`)
    t.equal(
      keyOrigin(sensor),
      'spare',
      'a key that lies ready is used, also by a sensor that makes none ahead',
    )
  },
)

/** One network of S2-24..32: what the profile says, and the subject and names that openssl reads in the certificate. */
interface Naming {
  row: string
  scep: { subject?: { commonName: string }; alternativeNames?: string[] }
  subject: string
  names: string[]
}

const namings: Record<string, Naming> = {
  serial: {
    row: 'S2-25, S2-31: the serial number',
    scep: { subject: { commonName: '{serial}' }, alternativeNames: ['dns:{serial}.example.org', 'mac'] },
    subject: 'CN = sensor-1',
    names: ['DNS:sensor-1.example.org', 'DNS:02-00-00-00-00-10'],
  },
  name: {
    row: 'S1-18, S2-26, S2-31: the name on the dashboard',
    scep: {
      subject: { commonName: 'Sensor {name}' },
      alternativeNames: ['dns:{name}.example.org', 'upn:{name}@example.org'],
    },
    subject: 'CN = Sensor lobby',
    names: ['DNS:lobby.example.org'],
  },
  custom: {
    row: 'S1-21, S2-27, S2-30, S2-31: custom values',
    scep: {
      subject: { commonName: 'fleet-account' },
      alternativeNames: ['dns:fleet.example.org', 'email:fleet@example.org', 'uri:urn:fleet', 'ip:192.0.2.7'],
    },
    subject: 'CN = fleet-account',
    names: ['DNS:fleet.example.org', 'email:fleet@example.org', 'URI:urn:fleet', 'IP Address:192.0.2.7'],
  },
  omitted: { row: 'S2-24, S2-30: neither', scep: {}, subject: 'CN = sensor-1', names: [] },
}

t.test(
  'S2-24 to S2-31, S2-78: four networks of one sensor, four certificates with their own names and keys',
  async t => {
    await using lab = await raise(t)
    const sensor = await lab.sensor()
    const { onboarding } = await documents(lab)
    const networks: Record<string, object> = { onboarding }
    for (const [id, { scep }] of Object.entries(namings))
      networks[id] = (await documentsWith(lab, {}, scep)).corp
    await publish(lab, { ...networks, sensor: listing(Object.keys(namings), { name: 'lobby' }) })
    for (const id of Object.keys(namings))
      await event(
        sensor,
        ({ event, network }) => event === 'test-passed' && network === id,
        `${id} is tested`,
      )
    const issued = await lab.scep.issued()
    t.equal(issued.length, 4)
    t.equal(new Set(issued.map(({ publicKey }) => publicKey)).size, 4, 'each with a key of its own')
    for (const [id, naming] of Object.entries(namings)) {
      const own = await isWhole(t, sensor, issued, id)
      await isNamed(t, lab, own?.serial ?? '', naming)
      await lab.radius.accepted(naming.subject.replace('CN = ', ''))
    }
  },
)

async function isNamed(t: Test, lab: Lab, serial: string, { row, subject, names }: Naming): Promise<void> {
  const { pem = '' } = (await lab.scep.issued()).find(one => one.serial === serial) ?? {}
  const input = { input: pem }
  const text = await run('openssl', ['x509', '-noout', '-subject', '-nameopt', 'oneline', '-text'], input)
  t.ok(text.includes(subject), `${row}: ${subject}`)
  for (const name of names) t.ok(text.includes(name), `${row}: ${name}`)
}

t.test(
  'S2-04, S2-28, S2-29, S2-32, S2-71: two sensors on one network have the same custom names and certificates of their own',
  async t => {
    await using lab = await raise(t, { ports: 2 })
    const custom = { subject: { commonName: 'fleet-account' }, alternativeNames: ['dns:fleet.example.org'] }
    const docs = await documentsWith(lab, { interface: 'wired' }, custom)
    const ports = { 'sensor-1': 'eth0', 'sensor-2': 'eth2' }
    const sensors = []
    for (const [id, name] of Object.entries(ports))
      sensors.push(await lab.sensor({ id, settings: { interfaces: [{ name, kind: 'wired' }] } }))
    await Promise.all(sensors.map(sensor => sensor.heard('presence', () => true, 'the sensor is there')))
    await publish(lab, { ...docs, onboarding: { ...docs.onboarding, interface: 'wired' } })
    const issued = []
    for (const sensor of sensors) {
      // One after the other: Debian's scepserver refuses one of two requests for one name in the same moment.
      if (sensor.id !== 'sensor-1') await lab.operator.desired(sensor.id, docs.sensor)
      await tested(sensor)
      issued.push(await isWhole(t, sensor, await lab.scep.issued()))
    }
    t.strictSame(
      issued.map(one => one?.subject),
      ['CN=fleet-account', 'CN=fleet-account'],
    )
    t.not(issued[0]?.publicKey, issued[1]?.publicKey)
  },
)

t.test(
  'S2-16, S2-73, S2-74: two profiles of one network, told apart by their aliases: PEAP obtains what EAP-TLS needs',
  async t => {
    await using lab = await raise(t, {
      switch: { assign: { TLS: 'tested', PEAP: 'tested', TTLS: 'tested' } },
    })
    const sensor = await lab.sensor()
    const { onboarding, corp } = await documents(lab)
    const first = { ...onboarding, alias: 'Campus (first time)' }
    const campus = { ...corp, alias: 'Campus', scep: { ...corp.scep, enrollmentNetwork: 'campus-first' } }
    await publish(lab, { 'campus-first': first, campus, sensor: listing(['campus']) })
    const { networks } = await tested(sensor, 'campus')
    t.match(networks, {
      campus: { alias: 'Campus', role: 'tested', certificate: { subject: 'CN=sensor-1' } },
      'campus-first': { alias: 'Campus (first time)', role: 'enrollment' },
    })
    t.equal((await lab.counters()).enroll.ip, 0, 'all on one network')
  },
)

t.test(
  'S2-42, S2-43, S2-44, S2-45: all CA certificates uploaded, none specified apart: both ends are trusted by them',
  async t => {
    await using lab = await raise(t)
    const sensor = await lab.sensor()
    const caCertificates = await Promise.all([lab.scep.ca, lab.pki.root].map(file => readFile(file, 'utf8')))
    const eap = { method: 'TLS', serverName: 'radius.example.org' }
    await publish(lab, await documentsWith(lab, { eap }, { caCertificates }))
    await tested(sensor)
    const trusted = sensor.events.some(({ data }) =>
      JSON.stringify(data ?? {}).includes('trust-on-first-use'),
    )
    t.notOk(trusted, 'nothing was trusted because it answered first')
  },
)
