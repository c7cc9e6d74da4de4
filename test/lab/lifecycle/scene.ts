/** What the tests of the certificates' years share: a sensor whose certificate is due as soon as it is issued. */
import t, { type Test } from 'tap'
import { raise, type Lab, type LabOptions } from '../lab.ts'
import {
  asReported,
  documentsWith,
  event,
  publish,
  tested,
  type Documents,
  type SensorEvent,
} from '../main-job/scene.ts'
import { challenge } from '../documents.ts'
import type { Document, Sensor, SensorOptions } from '../sensor.ts'
import { ownScepServer, type Instruction, type OwnScepServer } from './scep.ts'

// Most of the time is spent waiting for the pace of renewals, so several labs stand side by side.
t.jobs = 5
t.setTimeout(280_000)

export interface Scene extends AsyncDisposable {
  lab: Lab
  sensor: Sensor
  /** The documents as published last. */
  documents: Documents
  /** Publishes another `corp`. */
  change: (scep: object, corp?: object) => Promise<void>
  /** What this sensor says from now on. */
  mark: () => Mark
}

/** A place in what was heard, from which something is waited for. */
export interface Mark {
  event: (wanted: (event: SensorEvent) => boolean, sentence: string, ms?: number) => Promise<SensorEvent>
  /** The next certificate that has passed its login proof, and is used over a new lease. */
  inUse: (ms?: number) => Promise<{ proof: SensorEvent; lease: SensorEvent }>
}

export const trustedClock = { time: { trustSystemClock: true } }
/** The shortest pace there is. */
export const quick = { ...trustedClock, renewals: { interval: 10 }, spareKeys: true }

export const isJoined = (document: Document): boolean =>
  asReported(document).networks['corp']?.phase === 'joined'
export const isFailed =
  (action: string) =>
  ({ event, data }: SensorEvent): boolean =>
    event === 'step-failed' && data?.action === action

export interface SceneOptions {
  lab?: Partial<LabOptions>
  sensor?: Partial<SensorOptions>
  /** Other documents, made when the SCEP server stands. */
  documents?: (documents: Documents, lab: Lab, scep: OwnScepServer | undefined) => Promise<Documents>
  /** The network that is tested last; corp unless told. */
  last?: string
}

/** A lab whose sensor has a certificate for corp, and has tested corp. Renewal follows `scep.renewal`. */
export async function settled(
  t: Test,
  scep: (lab: Lab) => Promise<object>,
  options: SceneOptions = {},
): Promise<Scene> {
  const lab = await raise(t, options.lab)
  try {
    const sensor = await lab.sensor({ settings: quick, ...options.sensor })
    const plain = await documentsWith(lab, {}, await scep(lab))
    const documents = (await options.documents?.(plain, lab, undefined)) ?? plain
    await publish(lab, documents)
    await tested(sensor, options.last ?? 'corp', 60_000)
    return new LabScene(lab, sensor, documents)
  } catch (error) {
    await lab[Symbol.asyncDispose]()
    throw error
  }
}

/** The same with the tests' own SCEP server. */
export async function settledOn(
  t: Test,
  first: Instruction,
  scep: object = {},
  options: SceneOptions = {},
): Promise<Scene & { scep: OwnScepServer }> {
  let server: OwnScepServer | undefined
  const other = options.documents
  const raised = await settled(
    t,
    async lab => {
      server = await ownScepServer(lab, { challenge, ...first })
      return { url: server.url, ...scep }
    },
    { ...options, ...(other && { documents: (documents, lab) => other(documents, lab, server) }) },
  )
  if (!server) throw new Error('unreachable: the server is raised before the sensor')
  return Object.assign(raised, { scep: server })
}

class LabScene implements Scene {
  readonly lab: Lab
  readonly sensor: Sensor
  documents: Documents

  constructor(lab: Lab, sensor: Sensor, documents: Documents) {
    this.lab = lab
    this.sensor = sensor
    this.documents = documents
  }

  async change(scep: object, corp: object = {}): Promise<void> {
    const before = this.documents.corp
    const after = { ...before, ...corp, scep: { ...before.scep, ...scep } }
    this.documents = { ...this.documents, corp: after }
    await this.lab.operator.network('corp', after)
  }

  mark(): Mark {
    const since = this.lab.operator.messages.end
    const heard: Mark['event'] = (wanted, sentence, ms = 40_000) =>
      event(this.sensor, wanted, sentence, ms, since)
    return {
      event: heard,
      inUse: async (ms = 40_000) => {
        const proof = await heard(({ event }) => event === 'certificate-in-use', 'the new one is in use', ms)
        const later = ({ event, number }: SensorEvent): boolean => event === 'leased' && number > proof.number
        return { proof, lease: await heard(later, 'there is an address again', ms) }
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]()
  }
}
