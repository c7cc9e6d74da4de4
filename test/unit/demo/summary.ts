/** What the demonstration says at its end. */
import t from 'tap'
import type { Finding } from '../../../agent/errors.ts'
import { begin, end, newStory } from '../../demo/story.ts'
import { stayText } from '../../demo/stay.ts'
import { isFull, watchRoom } from '../../demo/room.ts'
import { failed, success, unforeseen } from '../../demo/summary.ts'
import { renewal } from './renewal.ts'
import { told, whole as enrolment } from './story.ts'

const zero = Date.parse('2030-01-01T00:00:00.000Z')
const look = { width: 80, wrap: 80, colour: false, now: zero + 1_000, zero }
const none = { ip: 0, scep: 0, broker: 0, dns: 0, dhcp: 0 }

t.test(
  'a good end tells the times, both certificates, the packets of both chapters and what was noticed',
  async t => {
    const counters = {
      port: { ipBlocked: 0, ipPassed: 28 },
      enroll: { ...none, ip: 19, dhcp: 3, scep: 14, dns: 2 },
      tested: { ...none, ip: 8, scep: 4 },
      management: { ...none, ip: 60, broker: 55 },
    }
    const published = begin(newStory('corp'), 'documents', 'published', zero)
    const asked = end(newStory('corp', 'renewal'), 'command', zero, { ms: 0 })
    const enrolled = { story: told(enrolment, end(published, 'documents', zero + 1)), packets: counters }
    const renewed = {
      story: told(renewal(), asked),
      packets: { ...counters, enroll: none, tested: { ...none, ip: 25, dns: 3, scep: 18 } },
    }
    const text = success({ enrolled, renewed, ms: 4_804 }, look)
    t.match(text, /^ corp joined with a certificate of its own, 400 ms after its documents$/m)
    t.match(text, /^ renewed over corp itself in 160 ms, 130 ms of them without an address$/m)
    t.match(text, /^ all of it, the laboratory included, took 4\.80 s$/m)
    t.match(text, /^ +serial +02 +03$/m)
    t.match(text, /^ +issuer +O=Lab, CN=CA +O=Lab, CN=CA$/m)
    t.match(
      text,
      /^ +names +DNS:sensor-1\.example\.org +DNS:sensor-1\.example\.org\n +DNS:02-\S+ +DNS:02-\S+$/m,
    )
    t.match(text, /^ +key +RSA-2048, generated +RSA-2048, spare$/m)
    t.match(text, /^ +asked by +PKCSReq +RenewalReq$/m)
    t.match(text, /^ +SHA-256 +(ab){16} (cd){16}\n +(ab){16} (cd){16}$/m)
    t.match(text, /private key generated meanwhile +█+ +250 ms\n/)
    t.match(
      text,
      /enrollment network, br-enroll +19 +3 +2 +14 +0\n +tested network, br-tested +8 +0 +0 +4 +0\n/,
    )
    t.match(
      text,
      /during the renewal.*\n +enrollment network, br-enroll +0 +0 +0 +0 +0\n +tested .* 25 +0 +3 +18 +0\n/,
    )
    t.match(text, / ! The SCEP server signs its replies with SHA-1\n/)
    t.ok(
      text.split('\n').every(line => line.length <= 80),
      'in 80 columns',
    )
  },
)

t.test('a bad end tells what failed, whose fault it is, what to do, and where the logs are', async t => {
  const finding: Finding = {
    ...{
      code: 'dhcp-no-offer',
      title: 'Nobody offers an address',
      detail: '14 requests',
      hint: 'start DHCP',
    },
    side: 'network',
    retry: 'backoff',
  }
  const text = failed({ doing: 'get an address on onboarding', finding }, '/tmp/logs', look)
  t.equal(
    text,
    [
      '',
      ' The demonstration failed',
      '',
      '   failed      get an address on onboarding',
      '   why         Nobody offers an address (dhcp-no-offer)',
      '   seen        14 requests',
      '   at fault    the network',
      '   what to do  start DHCP',
      '   logs        /tmp/logs',
      '',
    ].join('\n'),
  )
})

t.test('--stay names the namespaces of this run', async t => {
  const place = { bus: 'unix:path=/tmp/x/bus', folder: '/tmp/x', broker: '10.0.0.1', sensor: 'sensor-1' }
  const text = stayText({
    ...place,
    scep: 'http://10.0.0.2:8080/scep',
    radius: 'freeradius',
    space: role => `sonde-7-1-${role}`,
  })
  t.match(text, "ip netns exec sonde-7-1-backend mosquitto_sub -h 10.0.0.1 -v -t 'sonde/#'")
  t.match(text, 'tail -f /tmp/x/sensor-1.log')
  t.match(text, 'SONDE_BROKER=mqtt://10.0.0.1 ip netns exec sonde-7-1-backend node dist/sonde.cjs "$@"')
})

t.test('what the machine is short of is its own fault, and it is said what to do', async t => {
  const cases = [
    ['spawn setpriv EMFILE', 'this machine', /ulimit -n/],
    ['ENOSPC: no space left on device, write', 'this machine', /TMPDIR/],
    ['spawn hostapd ENOMEM', 'this machine', /memory/],
    ['scepserver ended', 'the laboratory on this machine, or the agent', /logs/],
  ] as const
  for (const [detail, fault, hint] of cases)
    t.match(unforeseen('agent started', detail), { fault, finding: { detail, hint } })
})

t.test('a disk without room is noticed at the second look', async t => {
  // proc(5) has none at all.
  t.equal(await isFull('/proc'), true)
  t.equal(await isFull(t.testdir({})), false)
  const error = await new Promise<Error>(resolve => {
    const room = watchRoom(
      '/proc',
      found => {
        room[Symbol.dispose]()
        resolve(found)
      },
      2,
    )
  })
  t.match(error.message, /ENOSPC: .* where \/proc is/)
})
