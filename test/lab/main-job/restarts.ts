/** wpa_supplicant and the bus go away under a joined sensor, and come back. */
import t from 'tap'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import type { Sensor } from '../sensor.ts'
import { asReported, event, eventsOf, publish, tested, type SensorEvent } from './scene.ts'

const losses: Record<string, (lab: Lab) => Promise<void>> = {
  'wpa_supplicant is restarted': lab => lab.supplicant.restart(),
  'wpa_supplicant is killed and comes back': async lab => {
    await lab.supplicant.stop('SIGKILL')
    await lab.supplicant.start()
  },
  'the bus is restarted, and wpa_supplicant with it': async lab => {
    await lab.supplicant.stop()
    await lab.bus.daemon.restart()
    await lab.supplicant.start()
  },
}

for (const [name, lose] of Object.entries(losses))
  t.test(
    `${name}: the sensor says so, builds everything up again and is joined, in the same process`,
    async t => {
      await using lab = await raise(t)
      const sensor = await lab.sensor()
      await publish(lab, await documents(lab))
      await tested(sensor)
      const { pid } = sensor.process
      const [messages, logins] = [lab.operator.messages.end, lab.radius.daemon.output.end]
      // In the middle of a test, which waits for the SCEP server.
      await lab.silence('tested', 'scep')
      await lab.operator.command('sensor-1', { id: 'test-1', command: 'test', network: 'corp' })
      const begun = ({ event, data }: SensorEvent): boolean =>
        event === 'step-started' && data?.action === 'test'
      await event(sensor, begun, 'it tests the network', 5_000, messages)
      await lose(lab)
      await lab.silence('tested', 'scep', false)
      await isJoinedAgain(lab, sensor, messages)
      await event(
        sensor,
        ({ event }) => event === 'test-passed',
        'and tests the network again',
        5_000,
        messages,
      )
      const said = eventsOf(sensor).map(({ event, text }) => `${event}: ${text}`)
      t.ok(
        said.includes('step-interrupted: test corp'),
        'the test in the middle of which it was lost counts for nothing',
      )
      t.notOk(said.some(line => line.startsWith('test-failed')))
      await lab.radius.accepted('sensor-1', 1_000, logins)
      t.equal(sensor.process.pid, pid)
      t.equal((await lab.scep.issued()).length, 1, 'with the certificate it had')
    },
  )

async function isJoinedAgain(lab: Lab, sensor: Sensor, since: number): Promise<void> {
  await event(sensor, ({ event }) => event === 'lost', 'it says that the network was lost', 5_000, since)
  const joined = ({ event, network }: { event: string; network?: string }): boolean =>
    event === 'leased' && network === 'corp'
  await event(sensor, joined, 'it has an address on corp again', 15_000, since)
  await sensor.reported(
    document => {
      const { networks, interfaces } = asReported(document)
      return networks['corp']?.phase === 'joined' && interfaces['eth0']?.joined === 'corp'
    },
    'it is joined again',
    5_000,
    lab.operator.messages.end - 1,
  )
}
