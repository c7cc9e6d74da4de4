/** What the tests of the main job share: the documents published, and what the sensor reports, typed as far as they look. */
import t from 'tap'
import { documents } from '../documents.ts'
import type { Lab } from '../lab.ts'
import type { Document, Sensor } from '../sensor.ts'

// Most of the time is spent waiting for deadlines, so several labs stand side by side.
t.jobs = 8
t.setTimeout(280_000)

export type Documents = Awaited<ReturnType<typeof documents>>

export interface Problem {
  code: string
  title: string
  detail: string
  hint: string
  side: string
  since: string
  last: string
  count: number
  nextTry?: string
}

export interface ReportedCertificate {
  fingerprint: string
  subject: string
  issuer: string
  serial: string
  names: string[]
}

export interface ReportedNetwork {
  phase: string
  role: string
  alias?: string
  certificate?: ReportedCertificate
  renewal?: {
    rule: string
    due?: string
    next?: string
    forecast: string
    lastFailure?: Problem
    candidate?: ReportedCertificate & { proof: string; problem?: Problem }
  }
  notices?: { code: string; severity: string; text: string }[]
  lastTest?: { passed: boolean }
  problem?: Problem
}

export interface Reported {
  clock: { trusted: boolean; source: string; system: string; scepDateAhead?: number }
  networks: Record<string, ReportedNetwork>
  interfaces: Record<string, { joined?: string; address?: string; problem?: Problem }>
  problems: { topic: string; path: string; message: string; hint?: string }[]
  awaiting: { network: string; why: string }[]
  applied: { state: string; desired?: { version: number }; networks: Record<string, string> }
}

export interface SensorEvent {
  epoch: string
  number: number
  at: string
  event: string
  network?: string
  text: string
  data?: Record<string, unknown> & { ms?: number; action?: string; problem?: Problem; count?: number }
}

// The laboratory reads any JSON; what of it a test looks at is what it is about.
export const asReported = (document: Document): Reported => document as unknown as Reported
export const eventsOf = (sensor: Sensor): SensorEvent[] => sensor.events as unknown as SensorEvent[]

/** Publishes the networks and the sensor document, as an operator does. */
export async function publish(lab: Lab, docs: object, sensor = 'sensor-1'): Promise<void> {
  const { sensor: document, ...networks } = docs as Record<string, unknown>
  await Promise.all(Object.entries(networks).map(([id, profile]) => lab.operator.network(id, profile)))
  await lab.operator.desired(sensor, document)
}

/** A sensor document that lists these networks. */
export const listing = (networks: readonly string[], more: object = {}): object => ({
  ...{ schema: 1, version: 1 },
  networks: networks.map(network => ({ network, assignment: `first-${network}` })),
  ...more,
})

/** The first report in which the sensor is joined to the network and has tested it with success. */
export async function tested(sensor: Sensor, network = 'corp', ms = 30_000, since = 0): Promise<Reported> {
  const wanted = (document: Document): boolean => {
    const seen = asReported(document).networks[network]
    return seen?.lastTest?.passed === true && seen.phase === 'joined'
  }
  return asReported(await sensor.reported(wanted, `the sensor has joined and tested ${network}`, ms, since))
}

/** The report's problem of a network. */
export async function problem(
  sensor: Sensor,
  network: string,
  ms: number,
  since = 0,
  wanted: (problem: Problem) => boolean = () => true,
): Promise<Problem> {
  const read = (document: Document): Problem | undefined => asReported(document).networks[network]?.problem
  const has = (document: Document): boolean => {
    const found = read(document)
    return found !== undefined && wanted(found)
  }
  const found = read(await sensor.reported(has, `the sensor reports a problem of ${network}`, ms, since))
  if (found === undefined) throw new Error('unreachable: the report was chosen by its problem')
  return found
}

/** The first event of this kind. */
export async function event(
  sensor: Sensor,
  wanted: (event: SensorEvent) => boolean,
  sentence: string,
  ms = 30_000,
  since = 0,
): Promise<SensorEvent> {
  const heard = await sensor.event(
    document => wanted(document as unknown as SensorEvent),
    sentence,
    ms,
    since,
  )
  return heard as unknown as SensorEvent
}

/** A lab's documents with another `corp`. */
export async function documentsWith(lab: Lab, corp: object = {}, scep: object = {}): Promise<Documents> {
  const docs = await documents(lab)
  return { ...docs, corp: { ...docs.corp, ...corp, scep: { ...docs.corp.scep, ...scep } } }
}
