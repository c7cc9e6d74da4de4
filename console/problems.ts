/** Everything that is wrong, out of what sensors report. Pure. */
import type { Reported, ReportedNetwork } from '../agent/desired/reported.ts'
import type { FleetSensor } from './fleet.ts'

export interface ShownProblem {
  sensor: string
  network: string
  /** A warning is of what works, and should not stay so. */
  severity: 'error' | 'warning'
  code: string
  title: string
  detail: string
  hint: string
  since?: string
  count?: number
}

export const problemColour = { error: 'red', warning: 'yellow' } as const

/** Everything wrong with a sensor: networks, documents, and what they wait for. */
export const problemsOf = (sensor: FleetSensor, now = Date.now()): ShownProblem[] =>
  found(sensor, now).map(problem => ({ network: '', severity: 'error', ...problem, sensor: sensor.id }))

type Found = Omit<ShownProblem, 'sensor' | 'network' | 'severity'> &
  Partial<Pick<ShownProblem, 'network' | 'severity'>>

function found(sensor: FleetSensor, now: number): Found[] {
  const { reported, odd = [] } = sensor
  const seen = reported === undefined ? [] : [...ofInterfaces(reported), ...ofNetworks(reported)]
  const documents = (reported?.problems ?? []).map(({ topic, path, message, hint = '' }): Found => ({
    network: lastLevel(topic),
    code: 'document-refused',
    title: 'A document was refused',
    detail: `${topic} ${path}: ${message}`,
    hint,
  }))
  const awaiting = (reported?.awaiting ?? []).map(({ network, why }): Found => ({
    network,
    code: 'awaiting',
    title: 'A profile is missing',
    detail: why,
    hint: `publish it: sonde fleet network add ${network}`,
  }))
  const rejected = reported?.rejected
    ? [
        {
          code: 'reverted',
          title: 'A state cut the sensor off and was taken back',
          detail: `version ${String(reported.rejected.desired?.version ?? 0)}`,
          hint: 'correct the documents and publish them again',
        },
      ]
    : []
  const link = reported?.link ? [reported.link.problem] : []
  const unreadable = odd.map(detail => ({
    code: 'report-unreadable',
    title: 'The report cannot be read',
    detail,
    hint: 'look who writes the topics of this sensor, and whether its agent is newer than this program',
  }))
  const why = [...documents, ...awaiting, ...rejected, ...link, ...unreadable, ...silence(sensor, now)]
  return [...seen, ...why, ...(why.length === 0 ? behind(sensor) : [])]
}

/** A document that is not in force, and that the sensor does not speak of: it has not reached it, or has this very moment. */
function behind({ reported, desired }: FleetSensor): Found[] {
  if (reported === undefined || desired === undefined) return []
  const { epoch = -1, version = 0 } = reported.applied.desired ?? {}
  if (epoch > desired.epoch || (epoch === desired.epoch && version >= desired.version)) return []
  const detail = `version ${String(desired.version)} is published, and ${version === 0 ? 'none' : `version ${String(version)}`} in force`
  return [
    {
      ...{
        severity: 'warning',
        code: 'not-applied',
        title: 'The sensor has not taken up its document',
        detail,
      },
      hint: 'if it stays so, look at the rights of the sensor on the broker',
    },
  ]
}

function silence(sensor: FleetSensor, now: number): Found[] {
  const { reported, desired, presence } = sensor
  const hint = 'look at its power and its path to the broker'
  if (presence?.state === 'away') {
    const { until } = presence
    if (until === undefined || Date.parse(until) >= now) return []
    return [{ code: 'late', title: 'The sensor is not back', detail: `it should be since ${until}`, hint }]
  }
  if (presence?.state === 'online') return silent(sensor, now)
  if (desired === undefined && reported === undefined) return []
  const detail = reported ? `last report ${reported.at}` : 'it has never reported'
  return [{ code: 'offline', title: 'The sensor is offline', detail, hint }]
}

/** Milliseconds; what changes is reported, and of a sensor that only idles its temperature and its memory do. */
const longSilence = 6 * 3_600_000

/** A broker that was killed keeps the presence of a sensor whose power went meanwhile: nobody publishes its Will any more. */
function silent({ reported, desired }: FleetSensor, now: number): Found[] {
  const most = Math.max(longSilence, 2000 * (desired?.testEvery ?? 0))
  if (reported?.clock.trusted !== true || now - Date.parse(reported.at) < most) return []
  const detail = `it is said to be online, and its last report is of ${reported.at}`
  const hint = 'look at its power and its path to the broker'
  return [{ severity: 'warning', code: 'silent', title: 'The sensor reports nothing any more', detail, hint }]
}

/** An interface that wpa_supplicant does not have: nothing that is tested over it can be. */
const ofInterfaces = ({ interfaces }: Reported): Found[] =>
  Object.values(interfaces).flatMap(({ problem }) => problem ?? [])

const ofNetworks = ({ networks }: Reported): Found[] =>
  Object.entries(networks).flatMap(([network, seen]) =>
    ofNetwork(seen).map(problem => ({ ...problem, network })),
  )

/** What keeps a network from being begun with. */
const held = (phase: ReportedNetwork['phase'], detail: string): Found =>
  phase === 'suspended'
    ? {
        ...{ severity: 'warning', code: 'network-suspended', title: 'The network is suspended', detail },
        hint: 'publish its profile again, or take the network off the sensor',
      }
    : {
        ...{ code: 'network-waiting', title: 'The network cannot be tested by this sensor', detail },
        hint: 'correct "interface" in its profile, or the interfaces in the settings of the sensor',
      }

/** A network may be joined, and its test, its renewal or the proof of a new certificate fail all the same (S2-57, S2-66). */
function ofNetwork({ phase, why, problem, renewal, lastTest, notices = [] }: ReportedNetwork): Found[] {
  if (why !== undefined) return [held(phase, why)]
  const { lastFailure, candidate } = renewal ?? {}
  const failed = lastTest?.probes.filter(({ passed }) => !passed) ?? []
  return [
    ...(problem ? [problem] : []),
    ...(lastFailure ? [lastFailure] : []),
    ...(candidate?.problem
      ? [{ ...candidate.problem, detail: `with the new certificate: ${candidate.problem.detail}` }]
      : []),
    ...(lastTest?.passed === false && problem === undefined
      ? [
          {
            code: 'test-failed',
            title: 'The test failed',
            detail: failed.map(({ probe, detail }) => `${probe}: ${detail}`).join('; '),
            hint: 'the network is joined: look at what was tested, and at the way to it',
            since: lastTest.at,
          },
        ]
      : []),
    ...notices.flatMap(({ severity, code, text }) =>
      severity === 'info' ? [] : [{ severity, code, title: text, detail: '', hint: '' }],
    ),
  ]
}

const lastLevel = (topic: string): string => {
  const [kind, id] = topic.split('/').slice(-2)
  return kind === 'networks' ? (id ?? '') : ''
}
