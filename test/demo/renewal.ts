/** The second chapter: the certificate is renewed over the network it is for; packet counters and RADIUS bear witness. */
import type { Counters } from '../lab/counters.ts'
import { documents } from '../lab/documents.ts'
import type { Login } from '../lab/radius.ts'
import type { Play, Told } from './enrolment.ts'
import { between, counted, judge } from './judgement.ts'
import type { Stage } from './stage.ts'
import { begin, end } from './story.ts'
import { ended, within } from './waiting.ts'

/** Milliseconds until a login that the sensor speaks of is in the log of RADIUS. */
const patience = 5_000

/** Asks for a renewal as an operator does; ends when the sensor reports the new certificate as the one in force. */
export async function renewal({ lab, sensor, stage, options, signal }: Play): Promise<Told> {
  stage.turn(
    'renewal',
    'The certificate is renewed over the tested network itself, as an operator asks for it',
  )
  // An open connection would spare the sensor the look-up, which is to be counted, too.
  stage.tell(begin(stage.story, 'server', 'SCEP server restarted', Date.now()))
  await lab.scep.stop()
  await lab.scep.start()
  stage.tell(end(stage.story, 'server', Date.now(), { detail: 'no connection is open' }))
  const before = await lab.counters()
  const logged = lab.radius.daemon.output.end
  if (options.broken?.chapter === 'renewal') await options.broken.act(lab, await documents(lab))
  signal.throwIfAborted()
  stage.tell(begin(stage.story, 'command', 'command renew published', Date.now()))
  await lab.operator.command(sensor.id, { id: 'demo-renew', command: 'renew', network: stage.story.tested })
  stage.tell(end(stage.story, 'command', Date.now(), { detail: 'over MQTT' }))
  await within(Promise.race([stage.over(), ended(sensor, lab)]), signal)
  if (stage.story.failure) return { story: stage.story, packets: between(before, await lab.counters()) }
  const login = await within(lab.radius.accepted(sensor.id, patience, logged), signal)
  const packets = between(before, await lab.counters())
  witness(stage, login, packets)
  return { story: stage.story, packets }
}

/** What others saw of it, and whether it is as it has to be. */
function witness(stage: Stage, login: Login, packets: Counters): void {
  const failure = judge(stage.story, { packets, login })
  const state = failure ? 'failed' : 'done'
  const rows = [
    ['SCEP', counted(packets, 'scep')],
    ['DNS', counted(packets, 'dns')],
    ['RADIUS', `accepted serial ${login.serial ?? 'none'}`],
  ] as const
  const witnessed = { title: 'counted and logged meanwhile', state, facts: rows } as const
  const told = end(stage.story, 'witness', Date.now(), witnessed)
  stage.tell(failure ? { ...told, failure } : told)
}
