/** A switch that moves the port to another segment later than it opens it. */
import t from 'tap'
import { documents } from '../documents.ts'
import { raise } from '../lab.ts'
import { asReported, event, listing, publish, tested } from './scene.ts'

t.test(
  'a port moved to another segment after the lease: the address of the first one is given up for one of the second',
  async t => {
    const everywhere = { TLS: 'enroll', PEAP: 'enroll', TTLS: 'enroll' } as const
    await using lab = await raise(t, { switch: { assign: everywhere } })
    const sensor = await lab.sensor()
    await publish(lab, { ...(await documents(lab)), sensor: listing(['corp'], { testEvery: 10 }) })
    const before = await tested(sensor)
    t.match(before.interfaces['eth0']?.address, /^10\.77\./)
    const since = lab.operator.messages.end
    await lab.exec('switch', 'ip', ['link', 'set', 'swp1', 'master', 'br-tested']) // its flags there: open
    await event(sensor, ({ event }) => event === 'address-given-up', 'the address is given up', 20_000, since)
    const after = await sensor.reported(
      document => asReported(document).interfaces['eth0']?.address?.startsWith('10.78.') === true,
      'the sensor has an address of the other segment',
      5_000,
      since,
    )
    t.equal(asReported(after).networks['corp']?.problem, undefined, 'which is no problem of the network')
    const passed = await event(
      sensor,
      ({ event }) => event.startsWith('test-'),
      'corp is tested',
      5_000,
      since,
    )
    t.equal(passed.event, 'test-passed')
  },
)
