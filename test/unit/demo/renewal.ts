/** The second chapter: how a renewal is told, and what is judged although the sensor reports success. */
import t from 'tap'
import type { Counters } from '../../lab/counters.ts'
import { between, judge } from '../../demo/judgement.ts'
import { isOver, newStory, type Reported, type SensorEvent, type Story } from '../../demo/story.ts'
import { answer, report } from '../../demo/telling.ts'
import { certificate, event, told } from './story.ts'

const step = (ms: number, action: string): SensorEvent =>
  event(ms, 'step-started', { severity: 'debug', network: 'corp', data: { action } })
const exchange = (ms: number, operation: string): SensorEvent =>
  event(ms, 'scep-exchange', { network: 'corp', data: { operation, url: 'http://ca/', ms: 2 } })

const renewed = { ...certificate, serial: '03', fingerprint: 'cd'.repeat(32) }
const stages = { associated: 4, 'server-certificate': 20, verified: 21, completed: 40 }

/** The events of a renewal, whose login took these stages. */
export const renewal = (proof: Record<string, number> = stages): readonly SensorEvent[] => [
  step(0, 'renew'),
  exchange(3, 'GetCACaps'),
  exchange(5, 'GetCACert'),
  event(9, 'key-ready', { network: 'corp', data: { kind: 'rsa-2048', origin: 'spare', ms: 6 } }),
  exchange(20, 'RenewalReq'),
  event(30, 'certificate-issued', { network: 'corp', data: { certificate: renewed, role: 'candidate' } }),
  step(31, 'install'),
  event(40, 'installed', { network: 'corp', data: { block: 'sonde:corp:y', blobs: ['sonde-cdcd'] } }),
  step(41, 'prove'),
  event(90, 'certificate-in-use', { network: 'corp', data: { ms: 40, stages: proof } }),
  step(91, 'lease'),
  event(160, 'leased', { network: 'corp', text: '10.78.0.50/24 on eth0', data: { gapMs: 130 } }),
  step(161, 'test'),
  event(170, 'test-passed', {
    network: 'corp',
    data: { probes: [{ probe: 'scep-reachable', passed: true, ms: 9, detail: 'GetCACaps: AES' }] },
  }),
]

const opening = newStory('corp', 'renewal')
const whole = told(renewal(), opening)

const reported = (fingerprint: string, phase = 'joined'): Reported => ({
  networks: { corp: { phase, certificate: { fingerprint }, lastTest: { passed: true } } },
  applied: { desired: { version: 1 } },
})

t.test('a renewal has its lines: the request as the sensor chose it, the login, and the gap', async t => {
  const { lines, gap, operation, certificate: shown } = whole
  t.same(
    lines.map(({ title, state, ms }) => [title, state, ms]),
    [
      ['GetCACaps', 'done', 2],
      ['GetCACert', 'done', 2],
      ['private key made while idle', 'done', 6],
      ['RenewalReq', 'done', 2],
      ['new certificate issued', 'done', undefined],
      ['certificate, network block installed', 'done', 9],
      ['EAP-TLS with the new certificate', 'done', 49],
      ['DHCP lease on the tested network', 'done', 69],
      ['gap: the time without an address', 'done', 130],
      ['SCEP server reachable over it', 'done', 9],
    ],
  )
  t.equal(lines.find(({ id }) => id === 'join corp')?.detail, 'full authentication')
  t.match({ gap, operation, shown }, { gap: 130, operation: 'RenewalReq', shown: { serial: '03' } })
})

t.test('it ends with the report that has the new certificate in force, whatever comes first', async t => {
  const most = told(renewal().slice(0, -1), opening)
  const last = renewal().slice(-1)
  const cases: [string, Story, boolean][] = [
    ['not before it is reported', whole, false],
    ['not with the old one', report(whole, reported('ab'.repeat(32)), 0), false],
    ['not while it joins', report(whole, reported(renewed.fingerprint, 'joining'), 0), false],
    ['not before it is tested', report(most, reported(renewed.fingerprint), 0), false],
    ['after the test', report(whole, reported(renewed.fingerprint), 0), true],
  ]
  for (const [name, story, over] of cases) t.equal(isOver(story), over, name)
  const early = report(most, reported(renewed.fingerprint), 0)
  t.equal(isOver(told(last, early)), true, 'the report may come before the event of the test')
})

t.test('an exchange without an answer is no success; a command refused is a failure', async t => {
  const silent = { ...exchange(3, 'GetCACaps'), severity: 'warning' as const }
  t.match(told([step(0, 'renew'), silent], opening).lines[0], { title: 'GetCACaps', state: 'failed' })
  t.match(answer(opening, { outcome: 'refused', text: 'corp has no certificate to renew' }, 0).failure, {
    finding: { title: 'corp has no certificate to renew' },
  })
  for (const outcome of ['done', 'failed']) t.equal(answer(opening, { outcome, text: '' }, 0), opening)
})

const none = { ip: 0, scep: 0, broker: 0, dns: 0, dhcp: 0 }
const clean: Counters = {
  port: { ipBlocked: 1, ipPassed: 25 },
  enroll: none,
  tested: { ip: 25, scep: 18, broker: 0, dns: 3, dhcp: 3 },
  management: { ...none, ip: 30, broker: 30 },
}
const login = { identity: 'sensor-1', accepted: true, serial: '03' }

t.test(
  'S2-51, S2-52: packets of SCEP or DNS elsewhere, or none at all, are a failure of the demonstration',
  async t => {
    t.equal(judge(whole, { packets: clean, login }), undefined)
    const cases: [string, Counters, RegExp][] = [
      [
        'SCEP on eth1',
        { ...clean, management: { ...none, scep: 1 } },
        /SCEP: br-tested 18, br-enroll 0, eth1 1;/,
      ],
      [
        'DNS on eth1',
        { ...clean, management: { ...none, dns: 1 } },
        /DNS: br-tested 3, br-enroll 0, eth1 1$/,
      ],
      ['SCEP on br-enroll', { ...clean, enroll: { ...none, scep: 1 } }, /br-enroll 1, eth1 0;/],
      ['DNS on br-enroll', { ...clean, enroll: { ...none, dns: 1 } }, /DNS: .* br-enroll 1/],
      ['no SCEP on br-tested', { ...clean, tested: { ...clean.tested, scep: 0 } }, /SCEP: br-tested 0/],
      ['no DNS on br-tested', { ...clean, tested: { ...clean.tested, dns: 0 } }, /DNS: br-tested 0/],
    ]
    for (const [name, packets, detail] of cases)
      t.match(judge(whole, { packets, login }), { finding: { detail } }, name)
  },
)

t.test('a login with the old certificate, or one that resumed a session, is a failure too', async t => {
  const of = (story: Story, serial: string | undefined): unknown =>
    judge(story, {
      packets: clean,
      login: { identity: 'sensor-1', accepted: true, ...(serial && { serial }) },
    })
  t.match(of(whole, '02'), { finding: { detail: 'it logged serial 02, the new certificate has 03' } })
  t.match(of(whole, undefined), { finding: { detail: /logged serial none/ } })
  t.equal(of(whole, '3'), undefined, 'the same number, written otherwise')
  const resumed = told(renewal({ associated: 4, completed: 12 }), opening)
  t.match(of(resumed, '03'), { finding: { title: 'The login was no full authentication' } })
})

t.test('what was counted between two looks is the difference of every counter', async t => {
  const { port, tested, enroll } = between(
    { ...clean, enroll: { ...none, dns: 2 } },
    {
      ...clean,
      port: { ipBlocked: 3, ipPassed: 40 },
      enroll: { ...none, dns: 2 },
      tested: { ...clean.tested, scep: 30 },
    },
  )
  t.same(
    { port, tested, enroll },
    { port: { ipBlocked: 2, ipPassed: 15 }, tested: { ...none, scep: 12 }, enroll: none },
  )
})
