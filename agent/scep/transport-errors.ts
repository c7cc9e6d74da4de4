/** What the network and HTTP can do wrong, as ScepErrors. */
import type { IncomingMessage } from 'node:http'
import { ScepError, serverWords, type ScepCode, type ScepProblem } from './errors.ts'
import { pageWords } from './not-scep.ts'

const unreachable = (code: ScepCode, detail: string, hint: string, cause?: unknown): ScepError =>
  new ScepError(
    { code, kind: 'unreachable', title: 'The SCEP server cannot be reached', detail, hint },
    { cause },
  )

export const connectTimeout = (host: string, milliseconds: number): ScepError =>
  noAnswer(`no connection to ${host} within ${seconds(milliseconds)}`)

const noAnswer = (detail: string, cause?: unknown): ScepError =>
  unreachable(
    'connect-timeout',
    detail,
    'Check that this network has a way to the SCEP server: routing, firewall, port',
    cause,
  )

export const replyTimeout = (host: string, milliseconds: number): ScepError =>
  unreachable(
    'reply-timeout',
    `${host} did not finish its answer within ${seconds(milliseconds)}`,
    'Look at the load and the log of the SCEP server',
  )

const seconds = (milliseconds: number): string => `${String(milliseconds / 1000)} s`

export const tooLarge = (most: number): ScepError =>
  new ScepError({
    code: 'reply-too-large',
    kind: 'server-fault',
    title: 'The answer is too large for SCEP',
    detail: `it is larger than ${String(most)} bytes`,
    hint: 'Check the SCEP server URL: something else answers there',
  })

const resolving = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENODATA',
  'ESERVFAIL',
  'EREFUSED',
  'ETIMEOUT',
  'ECONNREFUSED_DNS',
  'ENONAME',
  'EAI_NODATA',
])
const connecting = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'EACCES',
  'EPERM',
  'EINVAL',
])

/** What Node says so that nobody understands it. */
const inWords: Record<string, string> = {
  aborted: 'the connection ended in the middle of the answer',
  'socket hang up': 'the connection was closed without an answer',
}

/** Whether a connection was closed by the other side. */
export const wasClosed = (error: unknown): boolean => ['ECONNRESET', 'EPIPE'].includes(codeOf(error))

/** A Node error of socket, resolver, TLS or HTTP parser. Its text may hold addresses, never a secret. */
export function networkError(error: unknown, host: string): ScepError {
  const code = codeOf(error)
  const said = error instanceof Error ? serverWords(error.message) : String(error)
  const words = `${host}: ${inWords[said] ?? (said || code)}`
  if (
    resolving.has(code) ||
    (error instanceof Error && 'syscall' in error && /^(getaddrinfo|query)/.test(String(error.syscall)))
  )
    return unreachable(
      'dns-failed',
      `the name ${host} cannot be resolved (${code})`,
      'Check the host name and the name servers of this network',
      error,
    )
  if (code === 'ETIMEDOUT') return noAnswer(words, error)
  if (connecting.has(code))
    return unreachable(
      'connect-failed',
      words,
      'Check that the SCEP server runs and that this network has a way to it',
      error,
    )
  if (code === 'EPROTO' || code.startsWith('ERR_SSL'))
    return notTls(`${host}: ${/:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(said)?.[1] ?? said}`, error)
  if (/^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code)) {
    const outOfDate = /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/.test(code)
    return new ScepError(
      {
        code: 'connect-failed',
        kind: outOfDate ? 'server-fault' : 'misconfigured',
        title: 'The SCEP server cannot be reached',
        detail: words,
        hint: outOfDate
          ? 'Look at the clock of the sensor and at the dates of the https certificate, or use http: SCEP protects its messages itself'
          : 'Give the CA of the https server, or use http: SCEP protects its messages itself',
      },
      { cause: error },
    )
  }
  return unreachable(
    'connection-lost',
    words,
    code.startsWith('HPE_')
      ? 'Check scheme and port of the SCEP server URL: what answers there does not speak HTTP as it should'
      : 'Look at the log of the SCEP server, and of what stands between',
    error,
  )
}

const notTls = (detail: string, cause: unknown): ScepError =>
  new ScepError(
    {
      code: 'connect-failed',
      kind: 'misconfigured',
      title: 'The SCEP server cannot be reached',
      detail,
      hint: 'Check scheme and port of the SCEP server URL: TLS did not come about; http needs none, SCEP protects its messages itself',
    },
    { cause },
  )

function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0])
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** Throws for anything but 200. */
export function refuseStatus(response: IncomingMessage, body: Buffer, url: URL): void {
  const status = response.statusCode ?? 0
  if (status === 200) return
  if (status >= 300 && status < 400) throw redirected(status, response.headers.location ?? '', url)
  const words = pageWords(body)
  const retryAfter = secondsUntil(response.headers['retry-after'] ?? '', response.headers.date)
  throw new ScepError({
    code: 'http-status',
    title: 'The SCEP server answered with an error',
    detail: `HTTP ${String(status)} ${serverWords(response.statusMessage ?? '')}`.trim(),
    ...statusMeaning(status, url),
    serverText: words || undefined,
    httpStatus: status,
    retryAfter: Number.isInteger(retryAfter) && retryAfter > 0 ? Math.min(retryAfter, 86_400) : undefined,
  })
}

/** Retry-After is seconds, or a time by the server's own clock (RFC 9110 §10.2.3). */
function secondsUntil(retryAfter: string, date: string | undefined): number {
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter)
  return Math.ceil((Date.parse(retryAfter) - Date.parse(date ?? '')) / 1000)
}

function redirected(status: number, location: string, url: URL): ScepError {
  const target = URL.canParse(location, url.href) ? new URL(location, url) : undefined
  return new ScepError({
    code: 'redirected',
    kind: 'misconfigured',
    title: 'The SCEP server redirects, which is not followed',
    detail: `HTTP ${String(status)} to ${target ? `${target.protocol}//${target.host}${target.pathname}` : 'nowhere'}`,
    hint: 'A captive portal may be answering; if the server has moved, set the SCEP server URL to its new place',
    httpStatus: status,
  })
}

function statusMeaning(status: number, url: URL): Pick<ScepProblem, 'kind' | 'hint'> {
  if (/\/mscep_admin\b/i.test(url.pathname))
    return {
      kind: 'misconfigured',
      hint: 'mscep_admin is where NDES gives out passwords: its SCEP server is at /certsrv/mscep/mscep.dll/pkiclient.exe',
    }
  if (status === 401 || status === 403)
    return { kind: 'rejected', hint: 'The web server in front of SCEP forbids this sensor or this URL' }
  if (status === 407)
    return { kind: 'misconfigured', hint: 'A proxy answers; the SCEP server must be reachable without one' }
  if (status === 429 || status >= 500)
    return {
      kind: 'server-fault',
      hint: 'Look at the log of the SCEP server; some answer a wrong challenge password in this way',
    }
  return {
    kind: 'misconfigured',
    hint: `Check the path ${url.pathname} of the SCEP server URL, with its program extension, and the CA identifier`,
  }
}
