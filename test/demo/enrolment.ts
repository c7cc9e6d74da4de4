/** The first chapter: from documents on MQTT to the tested network, with a certificate of its own. */
import { documents } from '../lab/documents.ts'
import type { Counters } from '../lab/counters.ts'
import type { Lab } from '../lab/lab.ts'
import type { Sensor } from '../lab/sensor.ts'
import type { Documents } from './breakages.ts'
import type { Options } from './options.ts'
import type { Stage } from './stage.ts'
import { begin, end, type Story } from './story.ts'
import { ended, within } from './waiting.ts'

/** What the chapters play with. */
export interface Play {
  lab: Lab
  sensor: Sensor
  stage: Stage
  options: Options
  signal: AbortSignal
}

/** A chapter that has been told; its story holds the failure when there was one. */
export interface Told {
  story: Story
  /** Packets of the sensor during the chapter. */
  packets: Counters
}

/** Publishes the documents; ends when the sensor reports that it has joined and tested the network. */
export async function enrolment({ lab, sensor, stage, options, signal }: Play): Promise<Told> {
  const docs = await documents(lab)
  const profile: Documents['corp'] & { scep: { alternativeNames?: string[] } } = docs.corp
  profile.scep.alternativeNames = ['dns:{serial}.example.org', 'upn:{serial}@example.org', 'mac']
  if (options.broken?.chapter === 'enrolment') await options.broken.act(lab, docs)
  stage.screen.zero = Date.now()
  stage.tell(begin(stage.story, 'documents', 'profiles, sensor document published', Date.now()))
  await Promise.all([
    lab.operator.network('onboarding', docs.onboarding),
    lab.operator.network('corp', docs.corp),
    lab.operator.desired(sensor.id, docs.sensor),
  ])
  stage.tell(end(stage.story, 'documents', Date.now(), { detail: 'retained, over MQTT' }))
  await within(Promise.race([stage.over(), ended(sensor, lab)]), signal)
  return { story: stage.story, packets: await lab.counters() }
}
