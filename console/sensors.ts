/** Judging what sensors report; the texts of tables and of `show`. Pure. */
import type { Reported } from '../agent/desired/reported.ts'
import type { FleetSensor } from './fleet.ts'
import { distance, type Cell, type Colour } from './table.ts'

export interface ShownProblem {
  sensor: string
  network: string
  code: string
  title: string
  detail: string
  hint: string
  since?: string
  count?: number
}

/** Everything wrong with a sensor: networks, documents, and what they wait for. */
export function problemsOf({ id, reported, odd = [], desired, presence }: FleetSensor): ShownProblem[] {
  const sensor = id
  const seen =
    reported === undefined ? [] : [...ofInterfaces(sensor, reported), ...ofNetworks(sensor, reported)]
  const documents = (reported?.problems ?? []).map(({ topic, path, message, hint = '' }): ShownProblem => ({
    sensor,
    network: lastLevel(topic),
    code: 'document-refused',
    title: 'A document was refused',
    detail: `${topic} ${path}: ${message}`,
    hint,
  }))
  const awaiting = (reported?.awaiting ?? []).map(({ network, why }): ShownProblem => ({
    sensor,
    network,
    code: 'awaiting',
    title: 'A profile is missing',
    detail: why,
    hint: `publish it: sonde fleet network add ${network}`,
  }))
  const rejected = reported?.rejected
    ? [
        {
          sensor,
          network: '',
          code: 'reverted',
          title: 'A state cut the sensor off and was taken back',
          detail: `version ${String(reported.rejected.desired?.version ?? 0)}`,
          hint: 'correct the documents and publish them again',
        },
      ]
    : []
  const silent =
    desired !== undefined && presence?.state !== 'online' && presence?.state !== 'away'
      ? [
          {
            sensor,
            network: '',
            code: 'offline',
            title: 'The sensor is offline',
            detail: reported ? `last report ${reported.at}` : 'it has never reported',
            hint: 'look at its power and its path to the broker',
          },
        ]
      : []
  const link = reported?.link ? [{ sensor, network: '', ...reported.link.problem }] : []
  const unreadable = odd.map((detail): ShownProblem => ({
    ...{ sensor, network: '', code: 'report-unreadable', title: 'The report cannot be read' },
    ...{
      detail,
      hint: 'look who writes the topics of this sensor, and whether its agent is newer than this program',
    },
  }))
  return [...seen, ...documents, ...awaiting, ...rejected, ...link, ...unreadable, ...silent]
}

/** An interface that wpa_supplicant does not have: nothing that is tested over it can be. */
const ofInterfaces = (sensor: string, { interfaces }: Reported): ShownProblem[] =>
  Object.values(interfaces).flatMap(({ problem }) =>
    problem === undefined ? [] : [{ sensor, network: '', ...problem }],
  )

const ofNetworks = (sensor: string, { networks }: Reported): ShownProblem[] =>
  Object.entries(networks).flatMap(([network, { problem }]) =>
    problem === undefined ? [] : [{ sensor, network, ...problem }],
  )

const lastLevel = (topic: string): string => {
  const [kind, id] = topic.split('/').slice(-2)
  return kind === 'networks' ? (id ?? '') : ''
}

const colours: Record<string, Colour> = {
  joined: 'green',
  testing: 'green',
  failing: 'red',
  expired: 'red',
  offline: 'red',
  online: 'green',
  away: 'yellow',
  suspended: 'yellow',
  waiting: 'yellow',
  removed: 'yellow',
}

export const coloured = (word: string): Cell => {
  const colour = colours[word]
  return colour === undefined ? { text: word } : { text: word, colour }
}

/** With the end of a planned absence, and that it is late. */
export function stateOf({ presence }: FleetSensor, now = Date.now()): string {
  if (presence?.state !== 'away' || presence.until === undefined) return presence?.state ?? 'unknown'
  const { until } = presence
  return Date.parse(until) < now ? `away, and should be back since ${until}` : `away until ${until}`
}

/** `applied/wanted`, as one word where they agree. */
export function versionOf({ reported, desired }: FleetSensor): string {
  const applied = reported?.applied.desired?.version
  const wanted = desired?.version
  return applied === wanted ? String(wanted ?? '–') : `${String(applied ?? '–')} → ${String(wanted ?? '–')}`
}

/** One row of `list`. */
export function rowOf(sensor: FleetSensor, now: number): (Cell | string)[] {
  const { id, reported } = sensor
  const networks = Object.entries(reported?.networks ?? {}).filter(([, { role }]) => role === 'tested')
  const worst = networks.find(([, { phase }]) => phase === 'failing' || phase === 'expired') ?? networks[0]
  const problems = problemsOf(sensor).length
  return [
    id,
    reported?.about.name ?? '',
    coloured(sensor.presence?.state ?? 'unknown'),
    versionOf(sensor),
    networks.map(([name]) => name).join(' '),
    worst === undefined ? '' : coloured(worst[1].phase),
    problems === 0 ? '' : { text: String(problems), colour: 'red' },
    reported === undefined ? 'never' : distance(now, Date.parse(reported.at)),
  ]
}

export interface ShownCertificate {
  sensor: string
  network: string
  subject: string
  issuer: string
  notAfter: string
  fingerprint: string
  /** S2-13. */
  adMapping: string
}

/** S2-61: every certificate of the sensors, the soonest to expire first. */
export const certificatesOf = (sensors: readonly FleetSensor[]): ShownCertificate[] =>
  sensors
    .flatMap(({ id, reported }) =>
      Object.entries(reported?.networks ?? {}).flatMap(([network, { certificate }]): ShownCertificate[] =>
        certificate === undefined
          ? []
          : [
              {
                sensor: id,
                network,
                subject: certificate.subject,
                issuer: certificate.issuer,
                notAfter: certificate.notAfter,
                fingerprint: certificate.fingerprint,
                adMapping: adMapping(certificate),
              },
            ],
      ),
    )
    .sort((a, b) => Date.parse(a.notAfter) - Date.parse(b.notAfter))

/**
 * S2-13: the value of `altSecurityIdentities` that maps the certificate to an account of Active Directory, by issuer and serial
 * number (Microsoft KB5014754: the strong form, with the bytes of the serial number reversed).
 */
export function adMapping({ issuer, serial }: { issuer: string; serial: string }): string {
  const bytes = serial.toUpperCase().match(/../g) ?? []
  return `X509:<I>${issuer.replaceAll(', ', ',')}<SR>${bytes.reverse().join('')}`
}
