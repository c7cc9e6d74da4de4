/** How the sensor's events become the lines of the demonstration. */
import t from 'tap'
import { newStory, type SensorEvent, type Story } from '../../demo/story.ts'
import { tell } from '../../demo/telling.ts'

const start = Date.parse('2030-01-01T00:00:00.000Z')

/** An event `ms` after the start. */
export const event = (ms: number, name: string, more: Partial<SensorEvent> = {}): SensorEvent => ({
  at: new Date(start + ms).toISOString(),
  event: name,
  severity: 'info',
  text: name,
  ...more,
})

const step = (ms: number, action: string, network: string): SensorEvent =>
  event(ms, 'step-started', { severity: 'debug', network, data: { action } })

export const certificate = {
  fingerprint: 'ab'.repeat(32),
  subject: 'CN=sensor-1',
  issuer: 'O=Lab, CN=CA',
  serial: '02',
  names: ['DNS:sensor-1.example.org', 'DNS:02-00-00-00-00-10'],
  notBefore: start,
  notAfter: start + 365 * 86_400_000,
  key: 'RSA-2048',
}

export const whole: readonly SensorEvent[] = [
  event(0, 'agent-started'),
  step(10, 'install', 'onboarding'),
  event(11, 'key-started', { severity: 'debug', network: 'corp' }),
  event(20, 'installed', {
    network: 'onboarding',
    data: { block: 'sonde:onboarding:0123456789ab', blobs: [] },
  }),
  step(21, 'join', 'onboarding'),
  event(80, 'joined', { network: 'onboarding', data: { ms: 55, server: '/O=Lab/CN=radius.example.org' } }),
  step(81, 'lease', 'onboarding'),
  event(150, 'leased', { network: 'onboarding', text: '10.77.0.50/24 on eth0' }),
  step(151, 'enroll', 'corp'),
  event(160, 'scep-exchange', {
    network: 'corp',
    data: { operation: 'GetCACaps', url: 'http://ca/', ms: 8 },
  }),
  event(165, 'scep-exchange', {
    network: 'corp',
    data: { operation: 'GetCACert', url: 'http://ca/', ms: 12 },
  }),
  event(166, 'scep-warning', { severity: 'warning', text: 'The SCEP server signs its replies with SHA-1' }),
  event(261, 'key-ready', {
    network: 'corp',
    data: { kind: 'rsa-2048', origin: 'generated', ms: 250 },
  }),
  event(280, 'scep-exchange', { network: 'corp', data: { operation: 'PKCSReq', url: 'http://ca/', ms: 9 } }),
  event(290, 'certificate-issued', { network: 'corp', data: { certificate } }),
  step(295, 'install', 'corp'),
  event(300, 'installed', { network: 'corp', data: { block: 'sonde:corp:x', blobs: ['sonde-abab'] } }),
  step(301, 'join', 'corp'),
  event(330, 'joined', { network: 'corp', data: { ms: 25, server: '/O=Lab/CN=radius.example.org' } }),
  step(331, 'lease', 'corp'),
  event(400, 'leased', { network: 'corp', text: '10.78.0.50/24 on eth0' }),
  step(401, 'test', 'corp'),
  event(415, 'test-passed', {
    network: 'corp',
    data: {
      probes: [
        { probe: 'gateway', passed: true, ms: 5, detail: 'time=0.02 ms' },
        { probe: 'scep-reachable', passed: true, ms: 9, detail: 'GetCACaps: AES' },
      ],
    },
  }),
]

export const told = (events: readonly SensorEvent[], before: Story = newStory('corp')): Story =>
  events.reduce(tell, before)

t.test('every thing of the main job has its line, with the time it took', async t => {
  const { lines, warnings, failure } = told(whole)
  t.same(
    lines.map(({ title, state, ms }) => [title, state, ms]),
    [
      ['network block installed', 'done', 10],
      ['private key generated meanwhile', 'done', 250],
      ['enrollment network joined by PEAP', 'done', 59],
      ['DHCP lease on the enrollment network', 'done', 69],
      ['GetCACaps', 'done', 8],
      ['GetCACert', 'done', 12],
      ['certificate issued', 'done', undefined],
      ['certificate, network block installed', 'done', 5],
      ['tested network joined by EAP-TLS', 'done', 29],
      ['DHCP lease on the tested network', 'done', 69],
      ['gateway answers', 'done', 5],
      ['SCEP server reachable over it', 'done', 9],
    ].toSpliced(6, 0, ['PKCSReq', 'done', 9]),
  )
  t.same(warnings, ['The SCEP server signs its replies with SHA-1'])
  t.equal(failure, undefined)
})

t.test('the certificate is shown with subject, issuer, names and validity', async t => {
  const line = told(whole).lines.find(({ id }) => id === 'certificate')
  t.same(line?.facts, [
    ['serial', '02'],
    ['subject', 'CN=sensor-1'],
    ['issuer', 'O=Lab, CN=CA'],
    ['names', 'DNS:sensor-1.example.org, DNS:02-00-00-00-00-10'],
    ['validity', '2030-01-01 to 2031-01-01 (365 days)'],
  ])
})

t.test('the request runs from the moment that key and CA certificates are there', async t => {
  const running = (events: number): string[] =>
    told(whole.slice(0, events))
      .lines.filter(({ state }) => state === 'running')
      .map(({ id }) => id)
  const after = (name: string, operation?: string): number =>
    whole.findIndex(
      one => one.event === name && (operation === undefined || one.data?.['operation'] === operation),
    ) + 1
  t.same(running(after('scep-exchange', 'GetCACaps')), ['key', 'GetCACert'])
  t.same(running(after('scep-exchange', 'GetCACert')), ['key'])
  t.same(running(after('key-ready')), ['request'])
})

t.test('a failed step ends the story with its finding, and whatever ran has failed', async t => {
  const problem = {
    ...{ code: 'scep-bad-password', title: 'The password was refused', detail: 'failInfo badRequest' },
    ...{ hint: 'publish the right one', side: 'configuration', retry: 'change' },
  }
  const text = 'obtain a certificate for corp over onboarding: The password was refused'
  const failing = event(300, 'step-failed', {
    severity: 'error',
    network: 'corp',
    text,
    data: { ms: 149, problem },
  })
  const { lines, failure } = told([
    ...whole.slice(0, whole.findIndex(one => one.event === 'key-ready') + 1),
    failing,
  ])
  t.match(failure, { doing: 'obtain a certificate for corp over onboarding', finding: problem })
  t.match(lines.slice(-2), [
    { title: 'PKCSReq', state: 'failed', ms: 39 },
    { title: 'obtain a certificate for corp over onboarding', state: 'failed', from: start + 151, ms: 149 },
  ])
})

t.test('a failed test names the probe that failed', async t => {
  const probes = [
    { probe: 'gateway', passed: true, ms: 5, detail: 'time=0.02 ms' },
    { probe: 'scep-reachable', passed: false, ms: 2000, detail: 'connect ECONNREFUSED' },
  ]
  const text = 'corp failed its test: scep-reachable: connect ECONNREFUSED'
  const { failure, lines } = told([
    step(0, 'test', 'corp'),
    event(9, 'test-failed', { severity: 'error', text, data: { probes } }),
  ])
  t.match(failure, { doing: 'test corp', finding: { title: text, detail: 'connect ECONNREFUSED' } })
  t.same(
    lines.map(({ id, state }) => [id, state]),
    [
      ['gateway', 'done'],
      ['scep-reachable', 'failed'],
    ],
  )
})

t.test('an interrupted step takes its line back; events nobody knows change nothing', async t => {
  t.same(told([step(0, 'join', 'corp'), event(1, 'step-interrupted', { network: 'corp' })]).lines, [])
  t.same(told([event(0, 'something-new')]), newStory('corp'))
})
