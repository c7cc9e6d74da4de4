/** A network taken off a sensor and put back, and two sensors that say they are the same one. */
import { access } from 'node:fs/promises'
import t from 'tap'
import { folderOf, isWhole } from '../main-job/credential.ts'
import { asReported, event, eventsOf, listing, publish, tested } from '../main-job/scene.ts'
import { run } from '../command.ts'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'

/** What an event and a report have that tells them apart. */
interface Heard {
  number?: number
  applied?: { desired?: { version: number } }
}

/** The network blocks, read over D-Bus by a program that is not the agent. */
async function supplicantNetworks(lab: Lab): Promise<string[]> {
  const service = 'fi.w1.wpa_supplicant1'
  const busctl = (...args: string[]): Promise<string> =>
    run('busctl', [`--address=${lab.bus.address}`, 'get-property', service, ...args])
  const tree = await busctl('/fi/w1/wpa_supplicant1', service, 'Interfaces')
  const [, path = ''] = /"(.+)"/.exec(tree) ?? []
  return (await busctl(path, `${service}.Interface`, 'Networks')).match(/"[^"]+"/g) ?? []
}

t.test(
  'S2-67 to S2-70: a network removed is out of the supplicant in seconds, its credential goes, and added again it enrols afresh over the enrollment network',
  async t => {
    await using lab = await raise(t)
    const sensor = await lab.sensor()
    await publish(lab, await documents(lab))
    const first = (await tested(sensor)).networks['corp']?.certificate
    await access(folderOf(sensor))
    t.ok((await supplicantNetworks(lab)).length > 0)

    const since = lab.operator.messages.end
    const sent = performance.now()
    await lab.operator.desired('sensor-1', listing([], { version: 2 }))
    const left = asReported(
      await sensor.reported(
        r => asReported(r).applied.desired?.version === 2 && !asReported(r).interfaces['eth0']?.joined,
        'corp is left',
        10_000,
        since,
      ),
    )
    t.notOk(left.networks['corp'], 'and not reported any more')
    t.strictSame(await supplicantNetworks(lab), [], 'S2-68: nothing of it is in the supplicant')
    t.comment(`S2-68: out of the supplicant ${Math.round(performance.now() - sent)} ms after the document`)
    const forget = await event(
      sensor,
      ({ event, data, network }) =>
        event === 'step-started' && data?.action === 'forget' && network === 'corp',
      'its credential is about to be deleted',
      10_000,
      since,
    )
    await event(
      sensor,
      ({ event, data }) => event === 'step-done' && data?.action === 'forget',
      'it is deleted',
      10_000,
      since,
    )
    await t.rejects(access(folderOf(sensor)), 'nothing of it is on the disk')
    const heard = lab.operator.messages.since(since).map(({ document }) => document as Heard | undefined)
    const told = heard.findIndex(one => one?.applied?.desired?.version === 2)
    const begun = heard.findIndex(one => one?.number === forget.number)
    t.ok(told !== -1 && told < begun, 'only after the new state had been told to the broker')

    const before = (await lab.counters()).enroll.scep
    const again = lab.operator.messages.end
    const added = { schema: 1, version: 3, networks: [{ network: 'corp', assignment: 'again' }] }
    await lab.operator.desired('sensor-1', added)
    const second = (await tested(sensor, 'corp', 30_000, again)).networks['corp']?.certificate
    const issued = await lab.scep.issued()
    t.equal(issued.length, 2, 'S2-69: a second certificate')
    t.not(second?.fingerprint, first?.fingerprint)
    t.ok((await lab.counters()).enroll.scep > before, 'S2-70: over the enrollment network')
    await isWhole(t, sensor, issued)
    const enrolled = eventsOf(sensor).filter(
      each => each.event === 'step-done' && each.data?.action === 'enroll' && each.network === 'corp',
    )
    t.equal(enrolled.length, 2)
  },
)

/** Milliseconds for which whoever was put out gives way, before its report can be sent. */
const giveWay = 60_000

const linkOf = (document: object) => (document as { link?: { problem: { code: string } } }).link

t.test(
  'a card that was cloned is noticed by the agents themselves, and both go on with their work',
  async t => {
    await using lab = await raise(t, { ports: 2 })
    const docs = await documents(lab)
    const onboarding = { ...docs.onboarding, interface: 'wired' }
    await publish(lab, { ...docs, onboarding, corp: { ...docs.corp, interface: 'wired' } })
    const sensor = await lab.sensor({ settings: { interfaces: [{ name: 'eth0', kind: 'wired' }] } })
    const epoch = eventsOf(sensor)[0]?.epoch ?? (await event(sensor, () => true, 'it says something')).epoch
    await tested(sensor)
    const since = lab.operator.messages.end
    const clone = await lab.sensor({
      id: 'sensor-2',
      settings: { sensor: 'sensor-1', interfaces: [{ name: 'eth2', kind: 'wired' }] },
    })
    const noticed = await event(
      sensor,
      ({ event }) => event === 'identity-in-use',
      'it is noticed and told',
      60_000,
      since,
    )
    t.match(noticed.text, /./)
    const { link } = (await sensor.reported(
      r => linkOf(r)?.problem.code === 'identity-in-use',
      'and reported as a problem, while the broker puts out one of the two at each attempt',
      giveWay + 30_000,
      since,
    )) as { link?: { problem: object } }
    t.match(link?.problem, { title: /same id/, hint: /cloned card/, since: String, count: Number })
    await event(
      sensor,
      each => each.epoch !== epoch && each.event === 'joined' && each.network === 'corp',
      'the clone does its work',
      60_000,
      since,
    )
    t.ok(sensor.process.running && clone.process.running)
    t.equal((await lab.scep.issued()).length, 2, 'each has a certificate of its own')
  },
)
