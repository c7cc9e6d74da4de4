/** What the demonstration says at its end. */
import t from 'tap'
import type { Finding } from '../../../agent/errors.ts'
import { stayText } from '../../demo/stay.ts'
import { failed, success } from '../../demo/summary.ts'
import { told, whole } from './story.ts'

const zero = Date.parse('2030-01-01T00:00:00.000Z')
const look = { width: 100, colour: false, now: zero + 1_000, zero }
const none = { ip: 0, scep: 0, broker: 0, dns: 0, dhcp: 0 }

t.test(
  'a good end tells the time to the lease, the certificate, the packets and what was noticed',
  async t => {
    const counters = {
      port: { ipBlocked: 0, ipPassed: 28 },
      enroll: { ...none, ip: 19, dhcp: 3, scep: 14, dns: 2 },
      tested: { ...none, ip: 8, scep: 4 },
      management: { ...none, ip: 60, broker: 55 },
    }
    const text = success(told(whole), counters, look)
    t.match(text, /corp joined with a certificate of its own, 400 ms after its documents were published/)
    t.match(text, /issuer +O=Lab, CN=CA\n/)
    t.match(text, /SHA-256 +(ab){32}\n/)
    t.match(text, /private key generated meanwhile +█+ +250 ms\n/)
    t.match(text, /enrollment network, over eth0 +19 +3 +2 +14 +0\n/)
    t.match(text, /tested network, over eth0 +8 +0 +0 +4 +0\n/)
    t.match(text, / ! The SCEP server signs its replies with SHA-1\n/)
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
  const text = stayText({ ...place, radius: 'freeradius', space: role => `sonde-7-1-${role}` })
  t.match(text, "ip netns exec sonde-7-1-backend mosquitto_sub -h 10.0.0.1 -v -t 'sonde/#'")
  t.match(text, 'tail -f /tmp/x/sensor-1.log')
})
