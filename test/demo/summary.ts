/** What is said at the end. Pure. */
import type { Side } from '../../agent/errors.ts'
import type { Counters, LinkCount } from '../lab/counters.ts'
import type { Told } from './enrolment.ts'
import type { Failure, Story } from './story.ts'
import { certificateFacts } from './telling.ts'
import { chart, duration, fit, paint, sentence, type Look } from './timeline.ts'

/** Both chapters, and the milliseconds of all of it, the laboratory included. */
export interface Whole {
  enrolled: Told
  renewed: Told
  ms: number
}

/** Milliseconds from `from` to the end of the line `id`. */
function until({ lines }: Story, id: string, from: number): number {
  const line = lines.findLast(one => one.id === id)
  return (line?.from ?? 0) + (line?.ms ?? 0) - from
}

/** The figures of the whole: milliseconds, and facts of both certificates. */
export function totals({ enrolled, renewed, ms }: Whole) {
  const [first, second] = [enrolled.story, renewed.story]
  const start = (story: Story, id: string): number => story.lines.find(line => line.id === id)?.from ?? 0
  return {
    joinedMs: until(first, `lease ${first.tested}`, start(first, 'documents')),
    renewedMs: until(second, `lease ${second.tested}`, start(second, 'command')),
    gapMs: second.gap ?? 0,
    totalMs: ms,
    operation: second.operation,
    certificates: [first.certificate, second.certificate],
    packets: { enrolment: enrolled.packets, renewal: renewed.packets },
  }
}

export function success(whole: Whole, look: Look): string {
  const { enrolled, renewed } = whole
  const { joinedMs, renewedMs, gapMs, totalMs } = totals(whole)
  const { tested } = enrolled.story
  const joined = `${tested} joined with a certificate of its own, ${duration(joinedMs)} after its documents`
  const again = `renewed over ${tested} itself in ${duration(renewedMs)}, ${duration(gapMs)} of them without an address`
  const all = `all of it, the laboratory included, took ${duration(totalMs)}`
  const warnings = [...new Set([...enrolled.story.warnings, ...renewed.story.warnings])]
  return [
    '',
    ...[joined, again, all].map(text => sentence(' ', text, look)),
    '',
    ...certificates(enrolled.story, renewed.story, look),
    '',
    ...chart(enrolled.story.lines, look),
    '',
    ...packets(whole, look),
    ...(warnings.length > 0 ? ['', ...warnings.map(text => noticed(text, look))] : []),
    '',
  ].join('\n')
}

const noticed = (text: string, look: Look): string => sentence(` ${paint('!', 'yellow', look)} `, text, look)

/** Letters of a column of certificates: half a fingerprint. */
const half = 32

/** Both certificates, side by side in 80 columns. */
function certificates(first: Story, second: Story, look: Look): string[] {
  const facts = (story: Story): Map<string, string[]> => {
    const { certificate } = story
    if (!certificate) return new Map()
    const key = story.lines.find(line => line.id === 'key')?.detail ?? certificate.key
    const rows = certificateFacts(certificate).map(([name, value]): [string, string[]] => [
      name,
      name === 'names' ? value.split(', ') : [value.replace(/ \(.*/, '')],
    ])
    const print = [certificate.fingerprint.slice(0, half), certificate.fingerprint.slice(half)]
    return new Map([...rows, ['key', [key]], ['asked by', [story.operation ?? '']], ['SHA-256', print]])
  }
  const [one, other] = [facts(first), facts(second)]
  const row = (name: string, left: string, right: string): string =>
    `   ${paint(fit(name, 10), 'dim', look)} ${fit(left, half)} ${fit(right, half).trimEnd()}`
  return [
    row('', 'the first certificate', 'the renewed one'),
    ...[...one].flatMap(([name, left]) => {
      const right = other.get(name) ?? []
      return Array.from({ length: Math.max(left.length, right.length) }, (_, at) =>
        row(at === 0 ? name : '', left[at] ?? '', right[at] ?? ''),
      )
    }),
  ]
}

const kinds = ['ip', 'dhcp', 'dns', 'scep', 'broker'] as const satisfies (keyof LinkCount)[]

function packets({ enrolled, renewed }: Whole, look: Look): string[] {
  const row = (name: string, values: readonly (string | number)[]): string =>
    `   ${fit(name, 36)}${values.map(value => String(value).padStart(8)).join('')}`
  const rows = ({ enroll, tested, management }: Counters): string[] =>
    Object.entries({
      '  enrollment network, br-enroll': enroll,
      '  tested network, br-tested': tested,
      '  management network, eth1': management,
    }).map(([name, count]) =>
      row(
        name,
        kinds.map(kind => count[kind]),
      ),
    )
  return [
    row('packets of the sensor', ['IP', 'DHCP', 'DNS', 'SCEP', 'broker']),
    paint('   until the network was joined and tested', 'dim', look),
    ...rows(enrolled.packets),
    paint('   during the renewal, and the test after it', 'dim', look),
    ...rows(renewed.packets),
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
  const lines = rows.map(([name, value]) => sentence(`   ${paint(fit(name, 11), 'dim', look)} `, value, look))
  return ['', paint(` The demonstration failed`, 'red', look), '', ...lines, ''].join('\n')
}

/** A failure that the sensor itself cannot report: of the laboratory, of the agent's process, or of time. */
export const ownFailure = (doing: string, title: string, detail: string, hint: string): Failure => ({
  doing,
  finding: { code: 'demonstration', title, detail, hint, side: 'sensor', retry: 'never' },
  fault: 'the laboratory on this machine, or the agent',
})

/** What a machine can be short of, and what to do about it. */
const shortages = {
  files: { words: /EMFILE|ENFILE/, hint: 'let a process open more files: ulimit -n 1024' },
  room: {
    words: /ENOSPC|EDQUOT/,
    hint: 'make room on the disk of the logs, or set TMPDIR to a folder elsewhere',
  },
  memory: { words: /EAGAIN|ENOMEM/, hint: 'let it have more memory, or more processes: ulimit -u' },
} as const

/** The same failure where the machine is short of something, which is at fault then. */
export const forWantOf = (what: keyof typeof shortages, failure: Failure): Failure => ({
  ...failure,
  finding: { ...failure.finding, hint: shortages[what].hint },
  fault: 'this machine',
})

/** An error that nobody has foreseen. */
export function unforeseen(doing: string, detail: string): Failure {
  const hint = 'look at the logs: the laboratory or the agent did not do what it should'
  const failure = ownFailure(doing, 'The demonstration could not go on', detail, hint)
  const kinds = Object.keys(shortages) as (keyof typeof shortages)[]
  const short = kinds.find(kind => shortages[kind].words.test(detail))
  return short ? forWantOf(short, failure) : failure
}
