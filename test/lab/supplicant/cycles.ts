import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Test } from 'tap'
import { isSupplicantError, join, type Stage, type Supplicant } from '../../../supplicant/index.ts'
import { type Credentials, credentials, tlsBlock } from './credentials.ts'
import { matchRules } from './match-rules.ts'
import { SupplicantLab } from './lab.ts'
import { Pki } from './pki.ts'

/** What happens to a join, and with which codes it may end (it may also succeed, when the stroke comes too late). */
const STROKES = {
  'supplicant killed': ['supplicant-absent', 'interface-gone'],
  'bus killed': ['bus-closed'],
  'cable pulled': ['no-carrier'],
  'RADIUS dead': ['radius-silent', 'no-authenticator'],
} as const
type Stroke = keyof typeof STROKES
const STAGES: readonly Stage[] = [
  ...(['selecting', 'associated', 'eap-started', 'method'] as const),
  ...(['server-certificate', 'verified', 'authenticated'] as const),
]

/** One stroke of each kind during each stage of a join. */
export const combinations = (Object.keys(STROKES) as Stroke[]).flatMap(stroke =>
  STAGES.map(stage => ({ stroke, stage })),
)

/** So many of them in turn; each round begins one further, so that also every tenth comes by all of them. */
export const turns = <T>(all: readonly T[], count: number): T[] =>
  Array.from({ length: count }, (_, at) =>
    all.slice((at + Math.floor(at / all.length)) % all.length),
  ).flatMap(rest => rest.slice(0, 1))

/** Longer than the second for which the kernel may hold back the loss of a carrier (linkwatch). */
const DEADLINES = { noAuthenticator: 1_300, radiusSilent: 1_300 }

async function strike(lab: SupplicantLab, stroke: Stroke): Promise<void> {
  switch (stroke) {
    case 'supplicant killed':
      lab.supplicant.kill('SIGKILL')
      return
    case 'bus killed':
      lab.bus.daemon.kill('SIGKILL')
      return
    case 'cable pulled':
      return lab.cable('down')
    case 'RADIUS dead':
      return lab.killRadius()
  }
}

/** The cause is gone: everything that was killed runs again. The library is not touched. */
async function repair(lab: SupplicantLab, all: Credentials, stroke: Stroke): Promise<void> {
  if (stroke === 'bus killed') {
    await lab.bus.daemon.ended
    await lab.supplicant.stop()
    await lab.bus.daemon.start()
  }
  if (stroke === 'supplicant killed') await lab.supplicant.ended
  await lab.supplicant.start()
  await lab.cable('up')
  await serve(lab, all, stroke === 'RADIUS dead')
}

async function serve(lab: SupplicantLab, all: Credentials, radius: boolean): Promise<void> {
  if (radius) await lab.radius({ tls: await lab.tls({ ca: all.root, ...all.server }) })
  await lab.authenticator({})
}

/** What could leak, counted by the bus, by Node, and by the library itself. */
async function held(lab: SupplicantLab, wpa: Supplicant) {
  await wpa.logLevel() // the supplicant answers in order: nothing asked before is still on its way
  const timers = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  return { matchRules: await matchRules(lab.bus.address), timers, ...wpa.counts() }
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const heap = () => {
  collect()
  return process.memoryUsage().heapUsed / 1_048_576
}

/** Joins, is struck, fails with the right code, is repaired and joins; again and again, with nothing left behind. */
export async function strikeAgainAndAgain(
  t: Test,
  cycles: readonly { stroke: Stroke; stage: Stage }[],
): Promise<void> {
  await using pki = await Pki.create()
  const all = await credentials(pki)
  await using lab = await SupplicantLab.raise(t)
  const { wpa } = await lab.connect()
  await using _ = wpa
  await serve(lab, all, true)
  const eth0 = async () => {
    await wpa.setLogLevel('warning') // the lab keeps what the supplicant prints, and that is not what is measured
    return wpa.interface({ name: 'eth0', driver: 'wired' })
  }
  await join(await eth0(), tlsBlock(all))
  const before = await held(lab, wpa)
  t.equal(before.matchRules, 2, 'two match rules, whatever happens')
  const memory: number[] = []
  for (const { stroke, stage } of cycles) {
    const target = await eth0()
    await target.disconnect()
    await lab.authenticator({})
    let struck: Promise<void> | undefined
    const onProgress = (attempt: { stage: Stage }) => {
      if (attempt.stage === stage) struck ??= strike(lab, stroke)
    }
    const code = await join(target, tlsBlock(all), { deadlines: DEADLINES, onProgress }).then(
      () => 'joined',
      (error: unknown) => (isSupplicantError(error) ? error.code : String(error)),
    )
    await struck
    const name = `${stroke} at ${stage}`
    t.ok(['joined', ...STROKES[stroke]].includes(code), `${name}: ${code}`)
    await repair(lab, all, stroke)
    await wpa.whenPresent(AbortSignal.timeout(10_000))
    const joined = await join(await eth0(), tlsBlock(all), {}, AbortSignal.timeout(15_000))
    t.ok(joined.ms < 2_500, `${name}: joined again in ${joined.ms.toFixed(0)} ms`)
    t.same(await held(lab, wpa), before, `${name}: nothing is left behind`)
    memory.push(heap())
  }
  const [first = 0, last = 0] = [memory[Math.floor(memory.length / 2)], memory.at(-1)]
  t.ok(last - first < 2, `memory is flat: ${first.toFixed(1)} MB half-way, ${last.toFixed(1)} MB at the end`)
}
