/** Folds what the sensor says into the lines of the story. Pure. */
import type { Finding } from '../../agent/errors.ts'
import type { CertificateFacts, TestResult } from '../../agent/types.ts'
import {
  begin,
  drop,
  end,
  failAll,
  isDone,
  type Reply,
  type Reported,
  type SensorEvent,
  type Story,
} from './story.ts'

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const number = (value: unknown): number => (typeof value === 'number' ? value : 0)

/** The story after one more event of the sensor. Events it does not know change nothing. */
export const tell = (story: Story, event: SensorEvent): Story =>
  conclude(after(story, event), Date.parse(event.at))

/** The story after one more reported state. */
export const report = (story: Story, reported: Reported, at: number): Story =>
  conclude({ ...story, report: reported }, at)

/** The story after the sensor's answer to a command: one that failed has been an event already, one that was refused is none. */
export function answer(story: Story, { outcome, text: title }: Reply, at: number): Story {
  if (outcome !== 'refused') return story
  const finding: Finding = {
    ...{ code: 'refused', title, detail: 'the sensor refuses the command' },
    ...{ hint: 'look at the reported state of the network', side: 'configuration', retry: 'change' },
  }
  return { ...failAll(story, at), failure: { doing: 'have a command executed', finding } }
}

/** The end: the report that has the network joined with this story's certificate, after the test of this story. */
function conclude(story: Story, at: number): Story {
  const { certificate, tested, report } = story
  const network = report?.networks[tested]
  if (certificate === undefined || network?.certificate?.fingerprint !== certificate.fingerprint) return story
  if (network.phase !== 'joined' || network.lastTest?.passed !== true || !story.passed) return story
  if (isDone(story, 'reported')) return story
  const detail =
    story.chapter === 'renewal'
      ? `serial ${certificate.serial} in force`
      : `document version ${String(report?.applied.desired?.version)}`
  return end(story, 'reported', at, { title: 'state reported', detail })
}

function after(story: Story, event: SensorEvent): Story {
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
      return begin(story, 'key', keyTitles.generated, at)
    case 'key-ready':
      return keyReady(story, data, at)
    case 'joined':
      return end(story, `join ${network}`, at, { detail: server(data) })
    case 'leased':
      return leased(story, event, at)
    case 'certificate-in-use':
      return proved(story, data['stages'] as Record<string, number>, at)
    case 'scep-exchange':
      return exchanged(story, event, at)
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
      const what = own ? 'certificate, network block' : 'network block'
      return begin(story, `install ${network}`, `${what} installed`, at)
    }
    case 'join':
      return begin(story, `join ${network}`, `${role} network joined by ${own ? 'EAP-TLS' : 'PEAP'}`, at)
    case 'lease':
      return begin(story, `lease ${network}`, `DHCP lease on the ${role} network`, at)
    case 'prove':
      return begin(story, `join ${network}`, 'EAP-TLS with the new certificate', at)
    case 'enroll':
    case 'renew':
      return begin(begin(story, 'GetCACaps', 'GetCACaps', at), 'GetCACert', 'GetCACert', at)
    case 'test':
      return begin(story, 'test', `${role} network tested`, at)
    default:
      return story
  }
}

const keyTitles = {
  generated: 'private key generated meanwhile',
  spare: 'private key made while idle',
} as const

function keyReady(story: Story, data: Record<string, unknown>, at: number): Story {
  const origin = text(data['origin'])
  const title = origin === 'spare' ? keyTitles.spare : keyTitles.generated
  const detail = `${text(data['kind']).toUpperCase()}, ${origin}`
  return request(end(story, 'key', at, { title, detail, ms: number(data['ms']) }), at)
}

function exchanged(story: Story, { severity, data = {} }: SensorEvent, at: number): Story {
  const operation = text(data['operation'])
  const how = {
    title: operation,
    detail: text(data['url']).replace(/^https?:\/\//, ''),
    ms: number(data['ms']),
    ...(severity === 'warning' && { state: 'failed' as const }),
  }
  const get = operation.startsWith('Get')
  const told = end(story, get ? operation : 'request', at, how)
  if (!get) return { ...told, operation }
  return operation === 'GetCACert' ? request(told, at) : told
}

/** The request is made as soon as there are a key and the CA's certificates. */
function request(story: Story, at: number): Story {
  if (!isDone(story, 'key') || !isDone(story, 'GetCACert')) return story
  return begin(story, 'request', story.chapter === 'renewal' ? 'renewal request' : 'PKCSReq', at)
}

function leased(story: Story, { network = '', text: detail, data }: SensorEvent, at: number): Story {
  const told = end(story, `lease ${network}`, at, { detail })
  const gap = data?.['gapMs']
  if (network !== story.tested || typeof gap !== 'number') return told
  if (story.chapter !== 'renewal') return { ...told, gap }
  const title = 'gap: the time without an address'
  return { ...end(told, 'gap', at, { title, ms: gap }), gap }
}

/** A resumed TLS session shows no certificate: only a full authentication has the stage `verified`. */
export const isFull = (stages: Readonly<Record<string, number>> = {}): boolean =>
  stages['verified'] !== undefined

function proved(story: Story, stages: Record<string, number>, at: number): Story {
  const detail = isFull(stages) ? 'full authentication' : 'a resumed session'
  return { ...end(story, `join ${story.tested}`, at, { detail }), proof: stages }
}

function issued(story: Story, certificate: CertificateFacts, at: number): Story {
  const told = end(drop(story, 'request'), 'certificate', at, {
    title: story.chapter === 'renewal' ? 'new certificate issued' : 'certificate issued',
    detail: certificate.key,
    facts: certificateFacts(certificate),
  })
  return { ...told, certificate }
}

export function certificateFacts(certificate: CertificateFacts): [string, string][] {
  const day = (time: number): string => new Date(time).toISOString().slice(0, 10)
  const { serial, subject, issuer, names, notBefore, notAfter } = certificate
  const days = Math.round((notAfter - notBefore) / 86_400_000)
  return [
    ['serial', serial],
    ['subject', subject],
    ['issuer', issuer],
    ['names', names.join(', ') || 'none'],
    ['validity', `${day(notBefore)} to ${day(notAfter)} (${days} days)`],
  ]
}

/** FreeRADIUS' certificate as OpenSSL writes its subject: `/O=Lab/CN=radius.example.org`. */
function server(data: Record<string, unknown>): string {
  const name = /CN=([^/]+)/.exec(text(data['server']))?.[1]
  return name ?? ''
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
  if (!failed) return { ...told, passed: true }
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
