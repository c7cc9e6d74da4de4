/** What is said at the end. Pure. */
import type { Side } from '../../agent/errors.ts'
import type { Counters, LinkCount } from '../lab/counters.ts'
import { certificateFacts, type Failure, type Story } from './story.ts'
import { chart, duration, fit, paint, type Look } from './timeline.ts'

export function success(story: Story, counters: Counters, look: Look): string {
  const { certificate, tested, lines } = story
  const leased = lines.findLast(line => line.id === `lease ${tested}`)
  const ms = (leased?.from ?? 0) + (leased?.ms ?? 0) - (look.zero ?? 0)
  const title = `${tested} joined with a certificate of its own, ${duration(ms)} after its documents were published`
  const facts = certificate
    ? [...certificateFacts(certificate), ['SHA-256', certificate.fingerprint] as const]
    : []
  return [
    '',
    paint(` ${title}`, 'bold', look),
    '',
    ...facts.map(([name, value]) => `   ${paint(fit(name, 9), 'dim', look)} ${value}`),
    '',
    ...chart(lines, look),
    '',
    ...packets(counters),
    ...(story.warnings.length > 0 ? ['', ...story.warnings.map(text => noticed(text, look))] : []),
    '',
  ].join('\n')
}

const noticed = (text: string, look: Look): string => ` ${paint('!', 'yellow', look)} ${text}`

const kinds = ['ip', 'dhcp', 'dns', 'scep', 'broker'] as const satisfies (keyof LinkCount)[]

function packets(counters: Counters): string[] {
  const row = (name: string, values: readonly (string | number)[]): string =>
    `   ${fit(name, 34)}${values.map(value => String(value).padStart(8)).join('')}`
  const of = (count: LinkCount): number[] => kinds.map(kind => count[kind])
  return [
    row('packets of the sensor', ['IP', 'DHCP', 'DNS', 'SCEP', 'broker']),
    row('enrollment network, over eth0', of(counters.enroll)),
    row('tested network, over eth0', of(counters.tested)),
    row('management network, over eth1', of(counters.management)),
  ]
}

const sides: Readonly<Record<Side, string>> = {
  sensor: 'the sensor',
  server: 'the server',
  network: 'the network',
  clock: "the sensor's clock",
  configuration: 'the configuration',
}

/** What failed, whose fault it is, what to do, and where the logs are. */
export function failed({ doing, finding, fault }: Failure, logs: string, look: Look): string {
  const rows: [string, string][] = [
    ['failed', doing],
    ['why', `${finding.title} (${finding.code})`],
    ['seen', finding.detail],
    ['at fault', fault ?? sides[finding.side]],
    ['what to do', finding.hint],
    ['logs', logs],
  ]
  const lines = rows.map(([name, value]) => `   ${paint(fit(name, 11), 'dim', look)} ${value}`)
  return ['', paint(` The demonstration failed`, 'red', look), '', ...lines, ''].join('\n')
}

/** A failure that the sensor itself cannot report: of the laboratory, of the agent's process, or of time. */
export const ownFailure = (doing: string, title: string, detail: string, hint: string): Failure => ({
  doing,
  finding: { code: 'demonstration', title, detail, hint, side: 'sensor', retry: 'never' },
  fault: 'the laboratory on this machine, or the agent',
})
