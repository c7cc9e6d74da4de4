/** What `sonde scep` prints: for people by default, one JSON document with --json. */
import {
  describe,
  withoutSecret,
  type Described,
  type ScepError,
  type ScepKind,
  type ScepProblem,
  type Step,
  type Warning,
} from '../scep/index.ts'

/** Exit codes as certmonger's submission programs have them. */
export const exit = { issued: 0, rejected: 2, unreachable: 3, misconfigured: 4, pending: 5 } as const

export const exitCodes: Record<ScepKind, number> = {
  rejected: exit.rejected,
  'too-early': exit.rejected,
  unreachable: exit.unreachable,
  'server-fault': exit.unreachable,
  misconfigured: exit.misconfigured,
  pending: exit.pending,
}

export interface Io {
  out: (text: string) => void
  err: (text: string) => void
  /** All of standard input. */
  input: () => Promise<Buffer>
  env: Readonly<Record<string, string | undefined>>
  signal: AbortSignal
}

/** A value as indented lines, `name: value`; what is undefined or empty is left out. */
export function lines(value: Described, indent = ''): string[] {
  if (value === undefined) return []
  if (Array.isArray(value)) return value.flatMap(each => bullet(each, indent))
  if (typeof value !== 'object') return [`${indent}${plain(value)}`]
  return Object.entries(value).flatMap(([name, each]) => {
    if (each === undefined || (Array.isArray(each) && each.length === 0)) return []
    if (Array.isArray(each) && each.every(one => typeof one !== 'object'))
      return [`${indent}${name}: ${each.map(plain).join(', ')}`]
    if (typeof each === 'object') return [`${indent}${name}:`, ...lines(each, `${indent}  `)]
    return [`${indent}${name}: ${plain(each)}`]
  })
}

/** Whoever wrote it must not be able to move the cursor or to begin a line. */
const plain = (value: unknown): string =>
  String(value).replace(/\p{Cc}/gu, each => `\\x${each.charCodeAt(0).toString(16).padStart(2, '0')}`)

function bullet(value: Described, indent: string): string[] {
  const [first = '', ...rest] = lines(value, `${indent}  `)
  return [`${indent}- ${first.trimStart()}`, ...rest]
}

/** One line for an exchange with the server, e.g. `✓ GetCACert   4 ms`. */
export const stepLine = (step: Step): string =>
  `${step.outcome === 'answered' ? '✓' : '✗'} ${step.name.padEnd(13)} ${String(Math.round(step.milliseconds)).padStart(5)} ms\n`

/** Both messages of an exchange, decoded as far as they can be; a server may say our own secret in them. */
export function dump(step: Step, secret: string | undefined): string {
  const part = (title: string, bytes: Buffer | undefined): string =>
    bytes && bytes.length > 0
      ? `--- ${title}, ${String(bytes.length)} bytes\n${withoutSecret(decoded(bytes), secret)}\n`
      : ''
  return part(`${step.name} sent`, step.sent) + part(`${step.name} received`, step.received)
}

function decoded(bytes: Buffer): string {
  try {
    return lines(describe(bytes), '  ').join('\n')
  } catch {
    const text = bytes.subarray(0, 2000).toString('latin1')
    return /^[\x09\x0a\x0d\x20-\x7e]*$/.test(text)
      ? `${text.trimEnd()}${bytes.length > 2000 ? '…' : ''}`.replace(/^/gm, '  ')
      : '  (cannot be decoded)'
  }
}

export const warningLines = (warnings: readonly Warning[]): string =>
  warnings.map(each => `! ${each.text} (${each.code})\n`).join('')

/** Says how it failed, as one document with --json, in which `facts` stand as well; returns the exit code. */
export function sayFailure(error: ScepError, json: boolean, io: Io, facts: object = {}): number {
  if (json) io.out(`${JSON.stringify({ outcome: 'failed', ...error.problem, ...facts })}\n`)
  else io.err(problemText(error.problem))
  return exitCodes[error.kind]
}

/** What went wrong, in the server's words too, and what to do. */
function problemText(problem: ScepProblem): string {
  const reply = [problem.pkiStatus, problem.failInfo].filter(each => each !== undefined).join(', ')
  const rows = [
    `✗ ${problem.title}: ${problem.detail}`,
    reply && `  the server answered ${reply}`,
    problem.serverText && `  in its own words: ${problem.serverText}`,
    `  ${problem.hint}`,
    `  (${problem.code}, ${problem.kind})`,
  ]
  return `${rows.filter(row => row !== '' && row !== undefined).join('\n')}\n`
}
