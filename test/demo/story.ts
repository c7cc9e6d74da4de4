/** Folds what the sensor says on its `events` topic into the lines a person watches. Pure. */
import type { Finding } from '../../agent/errors.ts'
import type { CertificateFacts, TestResult } from '../../agent/types.ts'

/** An event as it is published (docs/mqtt.md). */
export interface SensorEvent {
  /** ISO 8601. */
  at: string
  event: string
  network?: string
  severity: 'debug' | 'info' | 'warning' | 'error'
  text: string
  data?: Record<string, unknown>
}

export interface Line {
  /** What it is about; the event that ends it names the same. */
  id: string
  title: string
  state: 'running' | 'done' | 'failed'
  /** Milliseconds since the epoch. */
  from: number
  /** Milliseconds it took; undefined while it runs and for what takes no time of its own. */
  ms?: number
  detail: string
  facts: readonly (readonly [name: string, value: string])[]
}

/** What ended the story before its end, with the sentence of what was being done. */
export interface Failure {
  doing: string
  finding: Finding
  /** Said instead of the finding's side: what failed was not the sensor's to judge. */
  fault?: string
}

export interface Story {
  /** The tested network; every other one serves its enrolment. */
  tested: string
  lines: readonly Line[]
  warnings: readonly string[]
  certificate?: CertificateFacts
  failure?: Failure
}

export const newStory = (tested: string): Story => ({ tested, lines: [], warnings: [] })

/** A line begins; one with the same id that had not ended begins again. */
export function begin(story: Story, id: string, title: string, from: number): Story {
  const others = story.lines.filter(line => line.id !== id || line.state !== 'running')
  return { ...story, lines: [...others, { id, title, state: 'running', from, detail: '', facts: [] }] }
}

type End = Partial<Pick<Line, 'title' | 'state' | 'ms' | 'detail' | 'facts'>>

/** The running line `id` ends at `at`; without one, a line of no length is added. */
export function end(story: Story, id: string, at: number, how: End = {}): Story {
  const running = story.lines.find(line => line.id === id && line.state === 'running')
  const line: Line = running ?? { id, title: id, state: 'running', from: at, detail: '', facts: [] }
  const ended: Line = { ...line, state: 'done', ...(running && { ms: at - line.from }), ...how }
  const lines = running
    ? story.lines.map(one => (one === running ? ended : one))
    : [...story.lines, { ...ended, from: at - (how.ms ?? 0) }]
  return { ...story, lines }
}

const drop = (story: Story, id: string): Story => ({
  ...story,
  lines: story.lines.filter(line => line.id !== id || line.state !== 'running'),
})

/** Everything that runs has failed with it. */
const failAll = (story: Story, at: number): Story =>
  story.lines
    .filter(line => line.state === 'running')
    .reduce((told, { id }) => end(told, id, at, { state: 'failed' }), story)

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const number = (value: unknown): number => (typeof value === 'number' ? value : 0)

/** The story after one more event of the sensor. Events it does not know change nothing. */
export function tell(story: Story, event: SensorEvent): Story {
  const { network = '', data = {} } = event
  const at = Date.parse(event.at)
  const problem = data['problem'] as Finding | undefined
  if (event.severity === 'error' && problem) return failing(story, event, problem)
  switch (event.event) {
    case 'step-started':
      return stepStarted(story, text(data['action']), network, at)
    case 'step-interrupted':
      return { ...story, lines: story.lines.filter(line => line.state !== 'running') }
    case 'key-started':
      return begin(story, 'key', 'private key generated meanwhile', at)
    case 'key-ready':
      return keyReady(story, data, at)
    case 'joined':
      return end(story, `join ${network}`, at, { detail: server(data) })
    case 'leased':
      return end(story, `lease ${network}`, at, { detail: event.text })
    case 'scep-exchange':
      return exchanged(story, data, at)
    case 'scep-warning':
      return { ...story, warnings: [...story.warnings, event.text] }
    case 'certificate-issued':
      return issued(story, data['certificate'] as CertificateFacts, at)
    case 'installed':
      return end(story, `install ${network}`, at, { detail: handed(data) })
    case 'test-passed':
    case 'test-failed':
      return tested(story, event, at)
    default:
      return story
  }
}

/** Whatever still ran has failed with the step, which gets a line of its own: its parts may all have been answered. */
function failing(story: Story, event: SensorEvent, finding: Finding): Story {
  const at = Date.parse(event.at)
  const { title } = finding
  const doing = event.text.endsWith(`: ${title}`) ? event.text.slice(0, -title.length - 2) : event.text
  const told = end(failAll(story, at), 'failure', at, {
    ...{ title: doing, state: 'failed', detail: title },
    ms: number(event.data?.['ms']),
  })
  return { ...told, failure: { doing, finding } }
}

function stepStarted(story: Story, action: string, network: string, at: number): Story {
  const own = network === story.tested
  const role = own ? 'tested' : 'enrollment'
  switch (action) {
    case 'install': {
      const what = own ? 'certificate and network block' : 'network block'
      return begin(story, `install ${network}`, `${what} handed over`, at)
    }
    case 'join':
      return begin(story, `join ${network}`, `${role} network joined by ${own ? 'EAP-TLS' : 'PEAP'}`, at)
    case 'lease':
      return begin(story, `lease ${network}`, `DHCP lease on the ${role} network`, at)
    case 'enroll':
      return begin(begin(story, 'GetCACaps', 'GetCACaps', at), 'GetCACert', 'GetCACert', at)
    case 'test':
      return begin(story, 'test', `${role} network tested`, at)
    default:
      return story
  }
}

function keyReady(story: Story, data: Record<string, unknown>, at: number): Story {
  const detail = `${text(data['kind']).toUpperCase()}, ${text(data['origin'])}`
  return request(end(story, 'key', at, { detail, ms: number(data['ms']) }), at)
}

function exchanged(story: Story, data: Record<string, unknown>, at: number): Story {
  const operation = text(data['operation'])
  const how = { title: operation, detail: text(data['url']), ms: number(data['ms']) }
  const told = end(story, operation, at, how)
  return operation === 'GetCACert' ? request(told, at) : told
}

/** The request is made as soon as there are a key and the CA's certificates. */
function request(story: Story, at: number): Story {
  const ended = (id: string): boolean => story.lines.some(line => line.id === id && line.state === 'done')
  return ended('key') && ended('GetCACert') ? begin(story, 'PKCSReq', 'PKCSReq', at) : story
}

function issued(story: Story, certificate: CertificateFacts, at: number): Story {
  const told = end(drop(story, 'PKCSReq'), 'certificate', at, {
    title: 'certificate issued',
    detail: certificate.key,
    facts: certificateFacts(certificate),
  })
  return { ...told, certificate }
}

export function certificateFacts(certificate: CertificateFacts): [string, string][] {
  const day = (time: number): string => new Date(time).toISOString().slice(0, 10)
  const { subject, issuer, names, notBefore, notAfter } = certificate
  const days = Math.round((notAfter - notBefore) / 86_400_000)
  return [
    ['subject', subject],
    ['issuer', issuer],
    ['names', names.join(', ') || 'none'],
    ['validity', `${day(notBefore)} to ${day(notAfter)} (${days} days)`],
  ]
}

/** FreeRADIUS' certificate as OpenSSL writes its subject: `/O=Lab/CN=radius.example.org`. */
function server(data: Record<string, unknown>): string {
  const name = /CN=([^/]+)/.exec(text(data['server']))?.[1]
  return name === undefined ? '' : `server ${name}`
}

function handed(data: Record<string, unknown>): string {
  const blobs = data['blobs'] as string[]
  return blobs.length > 0 ? `blob ${blobs.join(', ')}; the key by path` : text(data['block'])
}

const probeTitles: Readonly<Record<string, string>> = {
  gateway: 'gateway answers',
  'scep-reachable': 'SCEP server reachable over it',
}

function tested(story: Story, event: SensorEvent, at: number): Story {
  const probes = (event.data?.['probes'] ?? []) as TestResult['probes']
  const told = probes.reduce(
    (so, { probe, passed, ms, detail }) =>
      end(so, probe, at, {
        ...{ title: probeTitles[probe] ?? probe, ms, detail },
        state: passed ? 'done' : 'failed',
      }),
    drop(story, 'test'),
  )
  const failed = probes.find(probe => !probe.passed)
  if (!failed) return told
  const finding: Finding = {
    code: 'test-failed',
    title: event.text,
    detail: failed.detail,
    hint: 'the network was joined: look at what lies behind it',
    side: 'network',
    retry: 'backoff',
  }
  return { ...told, failure: { doing: `test ${story.tested}`, finding } }
}
