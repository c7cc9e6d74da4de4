/** One sensor on the screen, as `sonde fleet show` and `sonde status` have it (S2-61). */
import type { Reported, ReportedNetwork } from '../agent/desired/reported.ts'
import type { FleetSensor } from './fleet.ts'
import type { Io } from './io.ts'
import { problemsOf, problemColour } from './problems.ts'
import { coloured, stateOf, versionOf } from './sensors.ts'
import { distance, paint, printable, table } from './table.ts'

type Line = (name: string, value: string | undefined) => void

export function describe(sensor: FleetSensor, io: Io): void {
  const line: Line = (name, value) => {
    if (value !== undefined && value !== '')
      io.out(`${paint(printable(name).padEnd(12), 'bold', io.colour)} ${printable(value)}\n`)
  }
  const { reported, presence, desired } = sensor
  line('Sensor', sensor.id)
  line('State', presence && stateOf(sensor))
  line('Version', desired ? versionOf(sensor) : reported?.applied.desired?.version.toString())
  if (reported) {
    about(reported, line)
    networks(reported, io)
    for (const [id, network] of Object.entries(reported.networks)) certificate(id, network, line, io)
  }
  const problems = problemsOf(sensor)
  if (problems.length > 0) io.out('\n')
  for (const { network, severity, code, title, detail, hint } of problems) {
    const head = printable(`${network} ${title} (${code})`.trim())
    io.out(`${paint(head, problemColour[severity], io.colour)}\n`)
    for (const text of [detail, hint]) if (text !== '') io.out(`  ${printable(text)}\n`)
  }
}

function about({ about, interfaces, clock, health, at }: Reported, line: Line): void {
  line('Name', about.name)
  line('Serial', about.serial)
  line('Model', about.model)
  line('Host', about.hostname)
  line('Agent', `${about.version}, since ${about.startedAt}`)
  for (const [port, mac] of Object.entries(about.macs)) {
    const { address, gateway } = interfaces[port] ?? {}
    line(port, [mac, address, gateway && `by ${gateway}`].filter(Boolean).join(' '))
  }
  line('Clock', `${clock.trusted ? 'trusted' : 'not trusted'} (${clock.source})`)
  if (health) {
    const { temperature, load, memoryAvailable, diskAvailable, uptime } = health
    const free = `${String(memoryAvailable)} MB of memory and ${String(diskAvailable)} MB of disk free`
    const warmth = temperature === undefined ? '' : `, ${String(temperature)} °C`
    line('Uptime', distance(0, uptime * 1000))
    line('Health', `load ${String(load)}, ${free}${warmth}`)
  }
  line('Reported', `${at} (${distance(Date.now(), Date.parse(at))})`)
}

function networks({ networks }: Reported, io: Io): void {
  const rows = Object.entries(networks).map(([id, { role, phase, certificate, renewal, lastTest }]) => {
    const tested = lastTest === undefined ? '' : lastTest.passed ? 'passed' : 'failed'
    const renewed = certificate && (renewal?.next ?? renewal?.due ?? 'on request')
    return [id, role, coloured(phase), tested, certificate?.notAfter ?? '', renewed ?? '']
  })
  const heads = ['NETWORK', 'ROLE', 'PHASE', 'TEST', 'EXPIRES', 'RENEWED']
  io.out(`\n${table(heads, rows, { columns: io.columns, colour: io.colour })}`)
}

/** With everything an operator compares it by. */
function certificate(id: string, { certificate, renewal }: ReportedNetwork, line: Line, io: Io): void {
  if (certificate === undefined) return
  const { subject, issuer, serial, names, key, notBefore, notAfter, fingerprint, sha1 } = certificate
  io.out('\n')
  line('Certificate', `of ${id}: ${subject}`)
  line('Issuer', issuer)
  line('Serial', pairs(serial))
  line('Names', names.join(', '))
  line('Key', key)
  line('Valid', `${notBefore} to ${notAfter}`)
  line('SHA-256', pairs(fingerprint))
  line('SHA-1', pairs(sha1))
  line('Renewal', renewal && `${renewal.rule}; ${renewal.forecast}`)
}

/** As openssl and the pages of CAs show it. An older agent may not say all of it. */
const pairs = (hex: string | undefined): string | undefined => hex?.toUpperCase().match(/../g)?.join(':')
