import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { join, type SupplicantInterface } from '../../supplicant/index.ts'
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

// These wait more than they work: side by side.
t.jobs = 2

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

/** Seconds from our join call until somebody answers, and within how many more the port is open. */
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
