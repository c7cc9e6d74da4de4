/**
 * HTTP to one SCEP server over the caller's path (RFC 8894 §4.1, B-01 … B-08): no proxy, no redirect, deadlines and a size limit
 * on everything, connections kept only for the transaction.
 */
import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import { rootCertificates } from 'node:tls'
import { isAbortError, ScepError } from './errors.ts'
import { errorWithoutSecret } from './secret.ts'
import {
  connectTimeout,
  networkError,
  refuseStatus,
  replyTimeout,
  tooLarge,
  wasClosed,
} from './transport-errors.ts'
import { parseServerUrl, requestPath, type ScepServer } from './url.ts'

/** The path: from which address, in which family and with which resolver. */
export interface Wire {
  localAddress?: string | undefined
  family?: 4 | 6 | undefined
  lookup?: LookupFunction | undefined
  /** The caller's own connections, e.g. one that checks where each would leave; it is left open by `close`. */
  agent?: http.Agent | undefined
  /** CA certificates (PEM) that an https server may have its own from, beside those that Node knows. */
  tlsRoots?: readonly string[] | undefined
}

/** Milliseconds and bytes. */
export interface Limits {
  connect: number
  /** From the request to the last byte of the reply. */
  reply: number
  /** GetCACaps alone: IIS may never answer it. */
  caps: number
  bytes: number
}
export const defaultLimits: Limits = { connect: 10_000, reply: 30_000, caps: 5_000, bytes: 1_048_576 }

export interface Reply {
  status: number
  contentType: string
  body: Buffer
  /** The server's clock (HTTP Date). */
  date: Date | undefined
}

/** Called after every exchange. `name` is the operation, or the messageType for PKIOperation. */
export interface Step {
  name: string
  url: string
  milliseconds: number
  outcome: 'answered' | 'failed'
  /** The pkiMessage and the body of the reply, for a dump. */
  sent?: Buffer | undefined
  received?: Buffer | undefined
  error?: ScepError | undefined
}

export interface TransportOptions {
  limits?: Partial<Limits> | undefined
  /** Called before every exchange, with its `name`. */
  onSend?: ((name: string) => void) | undefined
  onStep?: ((step: Step) => void) | undefined
}

export interface Transport extends Disposable {
  readonly server: ScepServer
  /** scheme, host and path: for people, without credentials. */
  readonly display: string
  get(operation: 'GetCACaps' | 'GetCACert' | 'GetNextCACert', signal: AbortSignal): Promise<Reply>
  /** Sends a pkiMessage, by POST or by GET (base64). No error repeats the `secret` that is in it. */
  pkiOperation(
    name: string,
    message: Buffer,
    post: boolean,
    signal: AbortSignal,
    secret?: string,
  ): Promise<Reply>
  /** Ends the kept connections. */
  close(): void
}

/** Opens nothing yet: the first request does. Throws `url-invalid`. */
export function openTransport(
  server: ScepServer,
  wire: Wire = {},
  options: TransportOptions = {},
): Transport {
  const url = parseServerUrl(server.url)
  const limits = { ...defaultLimits, ...options.limits }
  const own = keepingAgent(url)
  const agent = wire.agent ?? own
  const display = `${url.protocol}//${url.host}${url.pathname}`
  const identifier = server.caIdentifier === '' ? undefined : server.caIdentifier

  const exchange = async (name: string, target: Target, signal: AbortSignal): Promise<Reply> => {
    options.onSend?.(name)
    const started = performance.now()
    const progress: Progress = { left: false }
    const step = (rest: Pick<Step, 'outcome' | 'received' | 'error'>): void =>
      options.onStep?.({
        name,
        url: display,
        milliseconds: performance.now() - started,
        sent: target.body,
        ...rest,
      })
    try {
      const within = name === 'GetCACaps' ? { ...limits, reply: limits.caps } : limits
      const reply = await send(url, target, { agent, wire, limits: within }, signal, progress)
      step({ outcome: 'answered', received: reply.body })
      return reply
    } catch (error) {
      const known = error instanceof ScepError ? error : networkError(error, url.hostname)
      const problem = errorWithoutSecret(progress.left ? known : unsent(known), target.secret)
      if (isAbortError(error)) throw error
      step({ outcome: 'failed', error: problem })
      throw problem
    }
  }
  const close = (): void => {
    own.destroy()
  }
  return {
    server,
    display,
    get: (operation, signal) =>
      exchange(operation, { method: 'GET', path: requestPath(url, operation, identifier) }, signal),
    pkiOperation: (name, message, post, signal, secret) =>
      exchange(
        name,
        post
          ? { method: 'POST', path: requestPath(url, 'PKIOperation', undefined), body: message, secret }
          : { method: 'GET', path: requestPath(url, 'PKIOperation', message.toString('base64')), secret },
        signal,
      ),
    close,
    [Symbol.dispose]: close,
  }
}

/** An idle connection is dropped before the server may drop it, so that a poll never meets a dead one. */
function keepingAgent(url: URL): http.Agent {
  const options = { keepAlive: true, maxSockets: mostKept, noDelay: true, timeout: 2_000 }
  if (url.protocol === 'http:') return new http.Agent(options)
  return new https.Agent(options)
}

interface Target {
  method: 'GET' | 'POST'
  path: string
  body?: Buffer
  secret?: string | undefined
}

interface Link {
  agent: http.Agent
  wire: Wire
  limits: Limits
}

interface Progress {
  /** Something of the message may have left. */
  left: boolean
}

const unsent = ({ problem, cause }: ScepError): ScepError =>
  new ScepError({ ...problem, unsent: true }, { cause })

/** Kept connections at most. */
const mostKept = 4

/** One request and its whole reply, over a connection that is kept or a new one. */
async function send(
  url: URL,
  target: Target,
  link: Link,
  signal: AbortSignal,
  progress: Progress,
): Promise<Reply> {
  signal.throwIfAborted()
  const { reply: most, bytes, connect } = link.limits
  const deadline = AbortSignal.timeout(most)
  const stop = AbortSignal.any([signal, deadline])
  for (let tries = 0; ; tries += 1) {
    const request = start(url, target, link, stop)
    let answered = false
    try {
      watchConnect(request, connect, url.hostname)
      watchLeaving(request, url, progress)
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        request.once('response', resolve).on('error', reject)
        request.end(target.body)
      })
      answered = true
      return accepted(response, await readBody(response, bytes), url)
    } catch (error) {
      request.destroy()
      if (signal.aborted) throw signal.reason
      if (deadline.aborted) throw replyTimeout(url.hostname, most)
      // Servers close a kept connection when they like, also while we write to it: then nobody has read the message.
      if (answered || !request.reusedSocket || !wasClosed(error) || tries === mostKept) throw error
    }
  }
}

function start(url: URL, target: Target, { agent, wire }: Link, signal: AbortSignal): ClientRequest {
  const { request } = url.protocol === 'https:' ? https : http
  const { username, password } = url
  return request({
    agent,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port || undefined,
    ...(username || password
      ? { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` }
      : {}),
    method: target.method,
    path: target.path,
    // As lenient as other clients: what SCEP has to protect is signed or compared, whatever its way here.
    insecureHTTPParser: true,
    headers: {
      host: url.host,
      accept: '*/*',
      'accept-encoding': 'identity',
      ...(target.body
        ? { 'content-type': 'application/x-pki-message', 'content-length': String(target.body.length) }
        : {}),
    },
    ...(wire.localAddress === undefined ? {} : { localAddress: wire.localAddress }),
    ...(wire.family === undefined ? {} : { family: wire.family }),
    ...(wire.lookup === undefined ? {} : { lookup: wire.lookup }),
    ...(wire.tlsRoots?.length ? { ca: [...rootCertificates, ...wire.tlsRoots] } : {}),
    signal,
  })
}

/** The connect deadline runs from the request to the established connection; a kept connection has passed it. */
function watchConnect(request: ClientRequest, milliseconds: number, host: string): void {
  request.once('socket', socket => {
    if (!socket.connecting) return
    let whom = host
    socket.once('lookup', (_error, address: string) => {
      if (address) whom = `${host} (${address})`
    })
    const timer = setTimeout(() => request.destroy(connectTimeout(whom, milliseconds)), milliseconds)
    const stop = (): void => {
      clearTimeout(timer)
    }
    socket.once('connect', stop).once('close', stop)
  })
}

/** Once the connection is there, with TLS where that is wanted, what we write may be read, whatever becomes of it. */
function watchLeaving(request: ClientRequest, url: URL, progress: Progress): void {
  const leaves = (): void => {
    progress.left = true
  }
  request.once('socket', socket => {
    if (request.reusedSocket) leaves()
    else socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', leaves)
  })
}

async function readBody(response: IncomingMessage, most: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let length = Number(response.headers['content-length'] ?? 0)
  if (length > most) throw tooLarge(most)
  length = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    length += part.length
    if (length > most) throw tooLarge(most)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function accepted(response: IncomingMessage, body: Buffer, url: URL): Reply {
  refuseStatus(response, body, url)
  const date = new Date(response.headers.date ?? NaN)
  return {
    status: response.statusCode ?? 0,
    contentType: [response.headers['content-type'], response.headers['content-encoding']]
      .filter(Boolean)
      .join(', '),
    body,
    date: Number.isNaN(date.getTime()) ? undefined : date,
  }
}
