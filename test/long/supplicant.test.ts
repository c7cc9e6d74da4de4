import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { join, type SupplicantInterface } from '../../supplicant/index.ts'
import { documents } from '../lab/documents.ts'
import { raise } from '../lab/lab.ts'
import { event, publish, tested } from '../lab/main-job/scene.ts'
import { agentStrokes, strikeTheAgent } from '../lab/supplicant/agent.ts'
import { credentials, type Credentials, tlsBlock } from '../lab/supplicant/credentials.ts'
import { combinations, strikeAgainAndAgain, turns } from '../lab/supplicant/cycles.ts'
import { SupplicantLab } from '../lab/supplicant/lab.ts'
import { Pki } from '../lab/supplicant/pki.ts'
import { sample } from './sample.ts'

t.setTimeout(2_400_000)

// Under npm test these are 20 each.
const cycles = 200

await t.test(
  '200 joins struck by a death at every stage leave nothing behind',
  { timeout: 900_000 },
  async t => {
    await strikeAgainAndAgain(t, sample(turns(combinations, cycles)))
  },
)

// These wait more than they work: side by side, and of a tenth, which is a lab or two of each, all at once.
t.jobs = process.env['SONDE_TENTH'] === undefined ? 2 : 3

t.test(
  'the agent is struck 200 times at every stage of a join, says so, recovers by itself and leaks nothing',
  { timeout: 1_800_000 },
  async t => {
    const all = sample(turns(agentStrokes, cycles))
    // A dead RADIUS server takes longest to be found out: each lab gets its share.
    const place = (at: number): number =>
      all.slice(0, at).filter(({ stroke }) => stroke === all[at]?.stroke).length
    const labs = [0, 1, 2, 3, 4].map(lab => all.filter((_, at) => place(at) % 5 === lab))
    await Promise.all(labs.map(strokes => strikeTheAgent(t, strokes)))
  },
)

/** Seconds from the join call, or the cable, until somebody answers, and within how many more the port is open. */
const LATE: [number, number][] = [
  ...[0.1, 0.4, 0.9, 1.4, 2.5, 5, 10, 20, 30, 45, 60, 70, 85].map((late): [number, number] => [late, 1.1]),
  ...[100, 130].map((late): [number, number] => [late, 10]),
]

t.test('an authenticator that comes up late is met soon after', { timeout: 400_000 }, async t => {
  await using pki = await Pki.create()
  const all = await credentials(pki)
  const met = async ([late, within]: [number, number]) => {
    await using lab = await SupplicantLab.raise(t)
    const { wpa, eth0 } = await lab.connect()
    await using _ = wpa
    const after = await seconds(lab, eth0, all, late)
    t.ok(
      after <= within,
      `${late} s late: joined ${after.toFixed(2)} s after it was ready, ${within} s allowed`,
    )
  }
  await Promise.all(sample(LATE).map(met))
})

/** The agent reports after 10 s that nobody answers, and waits up to 72 s before it would try again. */
t.test('also by the agent, which has reported it missing meanwhile', { timeout: 400_000 }, async t => {
  const met = async ([late, within]: [number, number]) => {
    const after = await secondsOfTheAgent(t, late)
    t.ok(
      after <= within,
      `${late} s late: joined ${after.toFixed(2)} s after it was ready, ${within} s allowed`,
    )
  }
  await Promise.all(sample(LATE.filter(([late]) => late >= 5)).map(met))
})

async function seconds(
  lab: SupplicantLab,
  eth0: SupplicantInterface,
  all: Credentials,
  late: number,
): Promise<number> {
  const joining = join(eth0, tlsBlock(all), { deadlines: { noAuthenticator: Infinity } })
  await setTimeout(late * 1_000)
  await lab.authenticator({ eap: { ca: all.root, ...all.server } })
  const ready = performance.now()
  await joining
  return (performance.now() - ready) / 1_000
}

async function secondsOfTheAgent(t: Test, late: number): Promise<number> {
  await using lab = await raise(t)
  const sensor = await lab.sensor()
  await publish(lab, await documents(lab))
  await tested(sensor)
  await lab.switch.authenticator.stop()
  const unplugged = lab.operator.messages.end
  await lab.cable.pull()
  await event(sensor, said => said.event === 'lost', 'the cable is missed', 10_000, unplugged)
  const plugged = lab.operator.messages.end
  await lab.cable.plug()
  await setTimeout(late * 1_000)
  await lab.switch.authenticator.start()
  const ready = performance.now()
  await event(
    sensor,
    said => said.event === 'joined' && said.network === 'corp',
    'it is joined',
    100_000,
    plugged,
  )
  return (performance.now() - ready) / 1_000
}
