/** The real agent on the published broker set-up: TLS, an account or a client certificate, and its own rights alone. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../command.ts'
import { documents } from '../documents.ts'
import { raise } from '../lab.ts'
import { grantsOfOperator, publishedConfiguration } from '../mqtt/published.ts'
import { authority } from '../mqtt/tls.ts'
import { checkout } from '../pki.ts'
import { addresses } from '../topology.ts'

const password = 'operator-password'

t.test(
  'over TLS, by password and by client certificate: the agent gets its documents, reports, and reads nothing that is not its own',
  async t => {
    await using lab = await raise(t)
    const folder = join(lab.site.folder, 'tls')
    await mkdir(folder)
    const ca = await authority(folder)
    const server = await ca.issue('server', `IP:${addresses.broker}`)
    const dynamicSecurity = join(folder, 'dynsec.json')
    await run('mosquitto_ctrl', ['dynsec', 'init', dynamicSecurity, 'admin', password])
    const published = await publishedConfiguration({
      ...{ ca: ca.ca, certificate: server.certificate, key: server.key },
      listeners: [`listener 8883 ${addresses.broker}`, `listener 8884 ${addresses.broker}`],
      ...{ persistence: folder, dynamicSecurity },
    })
    const file = join(folder, 'sonde.conf')
    await writeFile(file, `user root\n${published}log_dest stderr\n`)
    await lab.site.daemon({
      ...{ name: 'mosquitto-tls', role: 'backend', command: 'mosquitto', args: ['-v', '-c', file] },
      ready: /mosquitto version \S+ running/,
    })
    const place = { host: addresses.broker, port: 8883, ca: ca.ca, password }
    for (const words of await grantsOfOperator(place)) await lab.exec('backend', 'mosquitto_ctrl', words)
    const program = join(checkout(), 'dist', 'sonde.cjs')
    const fleet = (line: string): Promise<string> =>
      lab.exec('backend', 'env', [
        ...[`SONDE_BROKER_PASSWORD=${password}`, process.execPath, program, 'fleet', ...line.split(' ')],
        ...['--broker', `mqtts://${addresses.broker}:8883`, '--user', 'operator', '--ca', ca.ca],
      ])

    const { sensor: _, ...networks } = await documents(lab)
    // The bundle is built with the first sensor.
    const account = { username: 'sensor-1', password: 'none-yet' }
    const urls = (port: number) => [`mqtts://${addresses.broker}:${String(port)}`]
    const sensor = await lab.sensor({ settings: { mqtt: { urls: urls(8883), ca: ca.ca, ...account } } })
    for (const id of ['onboarding', 'corp'] as const) {
      const document = join(folder, `${id}.json`)
      await writeFile(document, JSON.stringify(networks[id]))
      await fleet(`network add ${id} --file ${document}`)
    }
    const added = JSON.parse(await fleet('sensor add sensor-1 --json')) as { password: string }
    const settings = async (mqtt: object) => {
      const all = JSON.parse(await run('cat', [sensor.settingsFile])) as object
      await writeFile(sensor.settingsFile, JSON.stringify({ ...all, mqtt: { ca: ca.ca, ...mqtt } }))
      await sensor.stop()
      const since = sensor.process.output.end
      await sensor.start()
      // A command is not kept for a sensor that is away.
      await sensor.process.waitFor(/"link":\{"state":"connected"/, 'it has its broker', 20_000, since)
    }
    await settings({ urls: urls(8883), username: 'sensor-1', password: added.password })
    t.match(await fleet('assign sensor-1 corp'), '1 of 1 sensors have it in force')
    t.match(await fleet('command sensor-1 test corp'), /(?<!not )every test passed/)
    t.equal((await lab.scep.issued()).length, 1)

    const mine = await ca.issue('sensor-1', 'DNS:sensor-1')
    await settings({ urls: urls(8884), certificate: mine.certificate, key: mine.key })
    t.match(
      await fleet('command sensor-1 test corp'),
      /(?<!not )every test passed/,
      'by its client certificate',
    )
    t.match(await fleet('list'), /sensor-1 .*online.*corp/)

    // Told of a network without being given the right to it, the agent cannot read it, and says so.
    await fleet('network add secret --interface wired')
    await t.rejects(fleet('assign sensor-1 secret --no-rights --wait 5'), {
      message: /waits for the profile of secret/,
    })
    const problems = await fleet('problems')
    t.match(problems, /sensor-1 +secret +A profile is missing/)
    t.match(
      await fleet('assign sensor-1 secret --wait 60'),
      '1 of 1 sensors have it in force',
      'with the right',
    )
  },
)
