/** The supplicant, and the interfaces of the settings, come and go. */
import t from 'tap'
import { documents } from '../documents.ts'
import { raise } from '../lab.ts'
import { asReported, event, publish, type SensorEvent, tested } from './scene.ts'

t.test(
  'a supplicant that is not there, and an interface that it cannot have, are reported with what to do; both are used when they come',
  async t => {
    await using lab = await raise(t)
    await lab.supplicant.stop()
    const [eth0, eth7] = ['eth0', 'eth7'].map(name => ({ name, kind: 'wired' }))
    const sensor = await lab.sensor({ settings: { interfaces: [eth0, eth7] } })
    await publish(lab, await documents(lab))
    const interfaces = (code: string, name: string, since = 0): Promise<unknown> =>
      sensor.reported(
        document => asReported(document).interfaces[name]?.problem?.code === code,
        `${name} is reported ${code}`,
        10_000,
        since,
      )
    t.match(await interfaces('supplicant-absent', 'eth0'), {
      interfaces: { eth0: { supplicant: false, problem: { detail: /^eth0: /, hint: /runs with D-Bus/ } } },
    })
    const since = lab.operator.messages.end
    await lab.supplicant.start()
    const { interfaces: reported } = await tested(sensor, 'corp', 20_000, since)
    t.equal(reported['eth0']?.problem, undefined)
    t.match(reported['eth7'], { supplicant: false, problem: { detail: /^eth7: /, hint: /ip link/ } })

    // As a USB adapter is, whose place the kernel gives to whatever is plugged in next.
    const out = lab.operator.messages.end
    const [here, away] = [lab.site.spaces.name('sensor'), lab.site.spaces.name('backend')]
    await lab.site.spaces.ip('sensor', [`link set eth0 netns ${away}`])
    t.match(await interfaces('refused', 'eth0', out), {
      interfaces: { eth0: { supplicant: false, problem: { detail: /^eth0: /, hint: /ip link/ } } },
      networks: { corp: { problem: undefined } },
    })
    const back = lab.operator.messages.end
    await lab.site.spaces.ip('backend', [`link set eth0 netns ${here}`])
    const again = (said: SensorEvent): boolean => said.event === 'leased' && said.network === 'corp'
    await event(sensor, again, 'corp is used again', 6_000, back)
  },
)
