import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { join, type SupplicantInterface } from '../../supplicant/index.ts'
import { agentStrokes, strikeTheAgent } from '../lab/supplicant/agent.ts'
import { credentials, type Credentials, tlsBlock } from '../lab/supplicant/credentials.ts'
import { combinations, strikeAgainAndAgain } from '../lab/supplicant/cycles.ts'
import { SupplicantLab } from '../lab/supplicant/lab.ts'
import { Pki } from '../lab/supplicant/pki.ts'
import { sample } from './sample.ts'

t.setTimeout(2_400_000)

await t.test(
  '200 joins struck by a death at every stage leave nothing behind',
  { timeout: 900_000 },
  async t => {
    // Each round begins one further, so that a tenth of them still holds every stroke at every stage.
    const cycles = Array.from({ length: 10 }, (_, round) => [
      ...combinations.slice(round),
      ...combinations.slice(0, round),
    ])
    await strikeAgainAndAgain(t, sample(cycles.flat()))
  },
)

// These wait more than they work: side by side.
t.jobs = 2

t.test(
  'the agent is struck at every stage of a join, and recovers by itself',
  { timeout: 1_200_000 },
  async t => {
    await strikeTheAgent(t, sample(agentStrokes))
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
