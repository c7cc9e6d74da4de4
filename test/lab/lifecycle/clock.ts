/** A sensor without a battery clock: years behind, with a time server, without one, and with one that never answers (S1-27). */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import { eventsOf, publish, tested } from '../main-job/scene.ts'
import { authority } from '../mqtt/tls.ts'
import { addresses } from '../topology.ts'
import { behind, error, faked, sentence, timeServer, unaided } from './unaided.ts'

t.test(
  'ten years behind, the time comes by DHCP option 42 and SNTP over the enrollment network, and the job is done; the broker is reached by TLS',
  async t => {
    const { lab, environment } = await behind(t, true)
    await using _ = lab
    const server = await timeServer(lab, 'right')
    const sensor = await lab.sensor({ environment, settings: { mqtt: await overTls(lab) } })
    await publish(lab, await documents(lab))
    const reported = await tested(sensor, 'corp', 60_000)
    t.match(reported.clock, { trusted: true, source: 'sntp', system: 'wrong' })
    t.ok(error(sensor) < 60_000, 'what it says has the right time')
    t.match(server.output.since(0).join(), /asked by 10\.77\./, 'asked over the enrollment network')
    const onboarding = eventsOf(sensor).filter(
      ({ event, network }) => event === 'joined' && network === 'onboarding',
    )
    t.equal(onboarding.length, 2, 'which was joined again with the time known, before the password left')
    const texts = eventsOf(sensor).map(({ text }) => text)
    t.ok(texts.includes('the dates of the server certificate are not checked'), 'and it was said')
    t.equal((await lab.scep.issued()).length, 1)
  },
)

/** The broker behind TLS, with a certificate of today: settings of a sensor. */
async function overTls(lab: Lab): Promise<object> {
  const authorities = await authority(join(lab.site.folder, 'tls'))
  const { certificate, key } = await authorities.issue('broker', `IP:${addresses.broker}`)
  const program = `
    const [read, net] = [require('fs').readFileSync, require('net')]
    const server = require('tls').createServer({ cert: read('${certificate}'), key: read('${key}') }, outer => {
      const inner = net.connect(1883, '${addresses.broker}')
      outer.pipe(inner).pipe(outer)
      for (const each of [outer, inner]) each.on('error', () => inner.destroy(outer.destroy()))
    })
    server.on('tlsClientError', () => {}).listen(8883, '${addresses.broker}', () => console.log('ready'))`
  await lab.site.daemon({
    ...{ name: 'tls', role: 'backend', command: process.execPath, args: ['-e', program], ready: /ready/ },
  })
  return { urls: [`mqtts://${addresses.broker}:8883`], ca: authorities.ca }
}

t.test('25 years ahead, the time comes by SNTP, and nothing has expired', async t => {
  const { lab, environment } = await behind(t, true, '+25y')
  await using _ = lab
  await timeServer(lab, 'right')
  const sensor = await lab.sensor({ environment })
  await publish(lab, await documents(lab))
  const reported = await tested(sensor, 'corp', 60_000)
  t.match(reported.clock, { trusted: true, source: 'sntp', system: 'wrong' })
  t.ok(error(sensor) < 60_000, 'what it says has the right time')
  t.equal((await lab.scep.issued()).length, 1)
})

t.test('the dates that wpa_supplicant cannot judge are judged by the agent', async t => {
  const { lab, environment } = await behind(t, true)
  await using _ = lab
  await timeServer(lab, 'right')
  await lab.radius.configure({ server: lab.pki.serverExpired })
  const sensor = await lab.sensor({ environment })
  await publish(lab, await documents(lab))
  const heard = await sensor.event(
    each => each['event'] === 'step-failed' && each['network'] === 'onboarding',
    'the expired certificate of the RADIUS server is refused',
    60_000,
  )
  t.match(heard, { data: { problem: { code: 'server-certificate-expired', side: 'server' } } })
  t.equal((await lab.scep.issued()).length, 0)
})

for (const each of [{ by: '-10y' }, { by: '-10y', mood: 'silent' }, { by: '+25y', mood: 'silent' }] as const)
  t.test(sentence(each), t => unaided(t, each))

t.test(
  'a system clock that is set while the sensor works is said, and its waits are looked at again',
  async t => {
    const lab = await raise(t)
    await using _ = lab
    const file = join(lab.site.folder, 'clock')
    await writeFile(file, '+0')
    const settings = { time: { trustSystemClock: true } }
    const sensor = await lab.sensor({ environment: faked(t, file), settings })
    await publish(lab, await documents(lab))
    await tested(sensor, 'corp', 60_000)
    const since = lab.operator.messages.end
    await writeFile(file, '+300d')
    const jumped = await sensor.event(
      ({ event }) => event === 'clock-jumped',
      'it says that the clock was set',
      40_000,
    )
    t.match(jumped, { severity: 'warning', text: /^the system clock was set 259\d{5}(\.\d+)? s forward$/ })
    await sensor.event(
      ({ event, data }) => event === 'step-started' && (data as { action?: string }).action === 'renew',
      'and renews what is due now',
      30_000,
      since,
    )
  },
)
