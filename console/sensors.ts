/** The texts of tables and of `show`. Pure. */
import type { FleetSensor } from './fleet.ts'
import { problemsOf } from './problems.ts'
import { distance, type Cell, type Colour } from './table.ts'

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
  const problems = problemsOf(sensor)
  const errors = problems.some(({ severity }) => severity === 'error')
  return [
    id,
    reported?.about.name ?? '',
    coloured(sensor.presence?.state ?? 'unknown'),
    versionOf(sensor),
    networks.map(([name]) => name).join(' '),
    worst === undefined ? '' : coloured(worst[1].phase),
    problems.length === 0 ? '' : { text: String(problems.length), colour: errors ? 'red' : 'yellow' },
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
  const names = issuer.split(/(?<!\\), (?=[\w.-]+=)/).map(windowsName)
  return `X509:<I>${names.join(',')}<SR>${bytes.reverse().join('')}`
}

/** `O=Acme\, Inc.`, as OpenSSL writes it, as Windows does: `O="Acme, Inc."`. It compares the texts. */
function windowsName(relative: string): string {
  const [, key = '', value = ''] = /^([\w.-]+)=(.*)$/.exec(relative) ?? []
  const plain = value.replaceAll(/\\([^0-9A-Fa-f]|[0-9A-Fa-f]{2})/g, (_, escaped: string) =>
    escaped.length === 1 ? escaped : String.fromCharCode(parseInt(escaped, 16)),
  )
  const quoted = /[,+="<>#;\n]|^ | $/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain
  return `${windowsKeys[key] ?? key}=${quoted}`
}

const windowsKeys: Record<string, string> = {
  ST: 'S',
  emailAddress: 'E',
  street: 'STREET',
  GN: 'G',
  serialNumber: 'SERIALNUMBER',
}
