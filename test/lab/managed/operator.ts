/** The operator's command line and the real agent, over a broker that is neither on this machine nor behind TLS. */
import { join } from 'node:path'
import t from 'tap'
import { documents } from '../documents.ts'
import { raise } from '../lab.ts'
import { asReported, publish, tested } from '../main-job/scene.ts'
import { checkout } from '../pki.ts'

t.test(
  '`sonde fleet` shows and steers the real agent; what holds a secret is not sent in the clear without --insecure',
  async t => {
    await using lab = await raise(t)
    const sensor = await lab.sensor()
    await publish(lab, await documents(lab))
    const { networks } = await tested(sensor)
    const program = join(checkout(), 'dist', 'sonde.cjs')
    const fleet = (line: string): Promise<string> =>
      lab.exec('backend', process.execPath, [
        ...[program, 'fleet', ...line.split(' ')],
        ...['--broker', lab.broker.url],
      ])

    t.match(await fleet('list'), /sensor-1 .*online.*corp.*joined/)
    t.match(await fleet('show sensor-1'), /CN=sensor-1/)
    const { notAfter } = networks['corp']?.certificate as { notAfter?: string }
    t.match(await fleet('certificates'), notAfter, 'the expiry date (S2-61)')
    const [{ serial } = { serial: '' }] = await lab.scep.issued()
    const reversed = (serial.match(/../g) ?? []).toReversed().join('')
    const mappings = await fleet('certificates --mappings')
    t.match(mappings, new RegExp(`sensor-1 +corp +X509:<I>.*O=Lab.*<SR>${reversed}$`, 'm'), 'S2-13')
    const wrong = JSON.parse(await fleet('problems --check --json')) as { severity: string }[]
    t.same(
      wrong.filter(({ severity }) => severity === 'error'),
      [],
      'nothing is wrong, whatever should not stay so',
    )
    const scep = 'scep.example.org'
    const wanted = `ping:${scep} dns:${scep} tcp:${scep}:8080 http://${scep}:8080/scep?operation=GetCACaps`
    await fleet(`assign sensor-1${wanted.replaceAll(/^| /g, ' --target ')}`)
    const found = await fleet('command sensor-1 test corp')
    t.match(found, /(?<!not )every test passed/)
    for (const probe of [`ping ${scep}`, `dns ${scep}`, `tcp ${scep}:8080`, `http http://${scep}:8080/scep?`])
      t.ok(found.includes(probe), probe)
    const from = lab.operator.messages.end
    const passed = (r: Parameters<typeof asReported>[0]) => asReported(r).networks['corp']?.lastTest?.passed
    await fleet(`assign sensor-1 --target tcp:${scep}:9`)
    await sensor.reported(
      r => passed(r) === false,
      'what cannot be reached fails the test, at once',
      5_000,
      from,
    )
    t.match(await fleet('problems'), new RegExp(`The test failed +tcp ${scep}:9: .*ECONNREFUSED`))
    const since9 = lab.operator.messages.end
    await fleet('assign sensor-1 --target=')
    await sensor.reported(r => passed(r) === true, 'and is tried no more', 5_000, since9)

    const change = 'network edit corp --alias Renamed'
    await t.rejects(fleet(change), { message: /--insecure/ })
    t.match(await fleet(`${change} --insecure`), /1 of 1 sensors have it in force/)
    await sensor.reported(r => asReported(r).networks['corp']?.alias === 'Renamed', 'the agent has it', 5_000)

    await fleet('network edit corp --server-name radius.elsewhere.example --insecure')
    await sensor.reported(r => asReported(r).networks['corp']?.phase === 'failing', 'it fails', 20_000)
    const title = '802.1X failed'
    // First of all: the next try is due in 4 s.
    const seen = await fleet('triage sensor-1 corp')
    t.match(seen, new RegExp(`corp failing.*${title}.*EAP`, 's'), 'what the supplicant saw')
    t.match(await fleet('problems'), new RegExp(`sensor-1 +corp +${title}`), 'S2-66')
    await t.rejects(fleet('problems --check'), { message: /exit code 1/ })
    const broken = lab.operator.messages.end
    await fleet('network edit corp --server-name radius.example.org --insecure')
    await tested(sensor, 'corp', 20_000, broken)

    t.match(await fleet('unassign sensor-1 corp'), /./)
    await sensor.reported(r => !asReported(r).interfaces['eth0']?.joined, 'corp is left', 5_000)
    const since = lab.operator.messages.end
    t.match(await fleet('assign sensor-1 corp'), /./)
    await tested(sensor, 'corp', 30_000, since)
    t.equal((await lab.scep.issued()).length, 2, 'S2-69: enrolled afresh')
  },
)
