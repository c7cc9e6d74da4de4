/** Nothing comes back although 802.1X succeeded: the port, or the DHCP server of a network where nobody else speaks. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import type { Sensor } from '../sensor.ts'
import { subnets } from '../topology.ts'
import { event, publish, tested, type SensorEvent } from './scene.ts'

/** The 15 s of a lease, 1 s of them for the gateway, and the timers of a busy machine. */
const deadline = 15_000 + 1_500
/** The wait before the second try, and the main job after it. */
const recovery = 6_000 + 20_000

/** The sensor tests corp. */
async function atCorp(lab: Lab): Promise<Sensor> {
  const sensor = await lab.sensor()
  await publish(lab, await documents(lab))
  await tested(sensor)
  return sensor
}

/** The problem of the lease that fails when the cable has been out, for long enough: the kernel tells of no short loss. */
async function problemAfterReplugging(t: Test, lab: Lab, sensor: Sensor): Promise<unknown> {
  const since = lab.operator.messages.end
  await lab.cable.pull()
  await event(sensor, ({ event }) => event === 'lost', 'the loss is noticed', 5_000, since)
  await lab.cable.plug()
  // Out for a moment once more: the port is locked again, and nobody answers the DHCP client any more.
  const isLease =
    (what: string) =>
    ({ event, text }: SensorEvent): boolean =>
      event === what && text === 'get an address on corp'
  await event(sensor, isLease('step-started'), 'an address is awaited', 10_000, since)
  await lab.cable.pull()
  await lab.cable.plug()
  await event(sensor, isLease('step-interrupted'), 'and the port is authenticated anew', 5_000, since)
  const isFailure = ({ event, data }: SensorEvent): boolean =>
    event === 'step-failed' && data?.action === 'lease'
  const { data } = await event(sensor, isFailure, 'there is no lease', deadline + 5_000, since)
  t.ok((data?.ms ?? NaN) <= deadline, `after ${data?.ms} ms`)
  return data?.problem
}

/** Whatever still waits for the sensor there, the tested network sends nothing but answers to ARP. */
async function hush(lab: Lab): Promise<void> {
  const rules = 'add table ip hush; add chain ip hush out { type filter hook output priority 0; }'
  await lab.exec('backend', 'nft', [`${rules}; add rule ip hush out ip daddr ${subnets.tested}.0/24 drop`])
  await lab.exec('backend', 'ip', ['neighbour', 'flush', 'dev', 'lan-tested'])
}

t.test(
  'a DHCP server that died is no locked port, also where nobody else speaks: the gateway answers',
  async t => {
    await using lab = await raise(t)
    const sensor = await atCorp(lab)
    await Promise.all([lab.dhcp('tested').stop(), hush(lab)])
    t.match(await problemAfterReplugging(t, lab, sensor), {
      ...{ code: 'dhcp-no-offer', title: 'No DHCP server answered', side: 'network' },
      detail: /nothing at all was received; but 10\.78\.0\.1, the gateway of the last lease, answers$/,
    })
  },
)

t.test('a port that is locked from some day on is said as such: the gateway does not answer', async t => {
  await using lab = await raise(t)
  const sensor = await atCorp(lab)
  await lab.switch.lockForGood()
  t.match(await problemAfterReplugging(t, lab, sensor), {
    ...{ code: 'port-stays-locked', title: 'The port stays locked after 802.1X succeeded', side: 'network' },
  })
  await rm(join(lab.site.folder, 'locked-for-good'))
  await tested(sensor, 'corp', recovery, lab.operator.messages.end)
})
