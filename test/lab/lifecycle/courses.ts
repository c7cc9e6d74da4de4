/** The ways a renewal goes that a power cut may interrupt: smoothly, or by one trouble after the other. */
import type { Test } from 'tap'
import { challenge } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import { documentsWith, publish, type SensorEvent } from '../main-job/scene.ts'
import { digestOf } from '../ready-key.ts'
import type { Issued } from '../scep-server.ts'
import { ownScepServer, type OwnScepServer } from './scep.ts'
import { isFailed } from './scene.ts'

/** A laboratory in which sensors take turns. */
export interface Stage extends AsyncDisposable {
  lab: Lab
  /** For the next sensor: nothing is in its way, and nothing is due. */
  ready: () => Promise<void>
  /** Nothing is renewed any more but on request. */
  manual: () => Promise<void>
  /** The certificate of the sensor is due from now on, and whatever is in its way is there. */
  due: () => Promise<void>
  /** Resolves when what the renewal cannot get over by itself has been met, and is gone. */
  mend?: (id: string) => Promise<void>
  issued: (id: string) => Promise<Issued[]>
}

export interface Course {
  sentence: string
  spareKeys?: boolean
  /** Milliseconds until the new certificate is in use, after a power cut too. */
  longest: number
  /** Events that belong to it. */
  said?: readonly string[]
  raise: (t: Test) => Promise<Stage>
}

const rule = async (lab: Lab, scep: object): Promise<void> =>
  publish(lab, { ...(await documentsWith(lab, {}, scep)), sensor: undefined })

const manual = { when: 'manual' }

/** By Debian's server: due a moment after it is issued. */
async function smoothly(t: Test): Promise<Stage> {
  const lab = await raise(t)
  const onRequest = (): Promise<void> => rule(lab, { renewal: manual })
  return {
    ...{ lab, ready: onRequest, manual: onRequest },
    due: () => rule(lab, { renewal: { daysBeforeExpiry: 364.99999 } }),
    issued: async id => (await lab.scep.issued()).filter(({ subject }) => subject === `CN=${id}`),
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  }
}

const issuedBy = (scep: OwnScepServer, id: string): Issued[] =>
  scep.issued
    .filter(({ subject }) => subject === `CN=${id}`)
    .map(({ serialNumber: serial, subject, publicKey }) => ({
      ...{ serial, subject, pem: '' },
      publicKey: digestOf(publicKey.export({ type: 'spki', format: 'pem' })),
    }))

type OnOwn = Pick<Stage, 'ready' | 'due' | 'mend'>

/** By the tests' own server: a percent of the life of the first certificate has passed, since it is dated back, but not of the second. */
const byOwn =
  (trouble: (lab: Lab, scep: OwnScepServer) => OnOwn) =>
  async (t: Test): Promise<Stage> => {
    const lab = await raise(t)
    const scep = await ownScepServer(lab, { challenge })
    const rules = (renewal: object) => rule(lab, { url: scep.url, polling: { every: 5 }, renewal })
    const { ready, due, ...more } = trouble(lab, scep)
    return {
      lab,
      ready: async () => {
        await ready()
        await scep.tell({ backdate: 3600 })
        await rules(manual)
      },
      manual: () => rules(manual),
      due: async () => {
        await due()
        await scep.tell({ backdate: 1 })
        await rules({ percent: 1 })
      },
      issued: id => Promise.resolve(issuedBy(scep, id)),
      [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
      ...more,
    }
  }

/** To the request, to the poll for it, and to the request again; the next poll brings the certificate, and the CA after this one. */
const inTrouble = byOwn((_, scep) => ({
  ready: () => scep.tell({ answers: [], withholdNext: true }),
  due: () => scep.tell({ answers: ['fault', 'refused', 'pending'], withholdNext: false }),
}))

/** The next CA takes over at the SCEP server, and RADIUS is told of it only when a login has failed and the sensor is back. */
const refusedByRadius = byOwn((lab, scep) => ({
  ready: () => scep.tell({ switchOver: false }),
  due: async () => {
    await lab.radius.configure({ clientCa: [lab.scep.ca, scep.ca] })
    await scep.tell({ switchOver: true })
  },
  mend: async id => {
    const heard = (wanted: (event: SensorEvent) => boolean, sentence: string): Promise<SensorEvent> =>
      lab.operator.heard<SensorEvent>(`sensors/${id}/events`, wanted, sentence, 150_000)
    const refused = await heard(isFailed('prove'), 'RADIUS refuses the new certificate')
    const isBack = ({ event, number }: SensorEvent): boolean => event === 'leased' && number > refused.number
    await heard(isBack, 'the sensor is back on the old one')
    await lab.radius.configure({ clientCa: [lab.scep.ca, scep.ca, scep.nextCa] })
  },
}))

export const plain: Course = { sentence: 'a renewal', longest: 90_000, raise: smoothly }
export const withSpareKey: Course = {
  sentence: 'a renewal with a spare key',
  spareKeys: true,
  longest: 90_000,
  raise: smoothly,
}

export const troubled: Course[] = [
  {
    sentence: 'a renewal that is turned away, then unknown, then pending, before a CA that is replaced',
    said: ['next-ca'],
    longest: 120_000,
    raise: inTrouble,
  },
  {
    sentence: 'a renewal by the next CA, which RADIUS does not believe yet',
    said: ['next-ca'],
    longest: 120_000,
    raise: refusedByRadius,
  },
]
