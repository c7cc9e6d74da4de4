/** wpa_supplicant and the bus go away under a joined sensor, and come back. */
import t from 'tap'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import type { Sensor } from '../sensor.ts'
import { STAGES } from '../supplicant/stages.ts'
import { asReported, event, eventsOf, publish, tested, type SensorEvent } from './scene.ts'

/** A supplicant that takes its leave interrupts a step; one that is killed has failed it. */
const losses: Record<string, { lose: (lab: Lab) => Promise<void>; failures: number }> = {
  'wpa_supplicant is restarted': { lose: lab => lab.supplicant.restart(), failures: 0 },
  'wpa_supplicant is killed and comes back': {
    lose: async lab => {
      await lab.supplicant.stop('SIGKILL')
      await lab.supplicant.start()
    },
    failures: 1,
  },
  'the bus is restarted, and wpa_supplicant with it': {
    lose: async lab => {
      await lab.supplicant.stop()
      await lab.bus.daemon.restart()
      await lab.supplicant.start()
    },
    failures: 0,
  },
}

/** Milliseconds of the first wait after a failure: 5 s less 20 %. */
const shortestWait = 4_000

for (const [name, { lose, failures }] of Object.entries(losses))
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
      // And once more in the middle of the login that follows, which waits for RADIUS.
      lab.radius.daemon.kill('SIGSTOP')
      const since = lab.supplicant.output.end
      await lose(lab)
      await lab.supplicant.waitFor(STAGES['eap-started'], 'the login has begun', 10_000, since)
      await lose(lab)
      lab.radius.daemon.kill('SIGCONT')
      const back = performance.now()
      await lab.silence('tested', 'scep', false)
      await isJoinedAgain(lab, sensor, messages)
      const ms = performance.now() - back
      t.ok(ms < shortestWait, `joined ${ms.toFixed(0)} ms after that was back, for which nobody had to wait`)
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
      const failed = eventsOf(sensor).filter(({ event }) => event === 'step-failed')
      t.equal(failed.length, failures, 'the login that was cut off is said to have failed, and nothing else')
      const problem = { code: 'supplicant-absent', side: 'sensor' }
      for (const { data } of failed) t.match(data, { action: 'join', count: 1, problem })
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
