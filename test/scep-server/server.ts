/**
 * A SCEP server that does on command what no real one does: NDES, ClearPass, EJBCA and OpenXPKI shapes, PENDING, RA certificates,
 * every failInfo, wrong replies. Strict about requests: what it objects to is in `violations`. Debian's scepclient enrols with it too.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import type { X509Certificate } from 'node:crypto'
import { bag, certificate, type CertificateOptions } from './authority.ts'
import { certRep, envelope, type CertRepOptions, type EnvelopeOptions } from './cert-rep.ts'
import { readRequest, type ReceivedRequest } from './read-request.ts'
import { plainShape, type Shape } from './shapes.ts'

/** What is answered to one pkiMessage: the options of a CertRep, laid over the correct ones, or a whole HTTP reply. */
export type Answer =
  | (Partial<CertRepOptions> & {
      envelope?: Partial<EnvelopeOptions>
      /** It leaves no earlier than this resolves. */
      after?: Promise<void>
      http?: never
      bytes?: never
    })
  | { http: (response: ServerResponse) => void; bytes?: never }
  | { bytes: Buffer; http?: never }

type CertRepAnswer = Exclude<Answer, { http: unknown } | { bytes: Buffer }>

export interface Options {
  shape?: Shape
  challenge?: string
  /** Answers to the pkiMessages, in order; the correct one when there is none left. */
  answers?: ((request: ReceivedRequest) => Answer)[]
  /** Laid over what is issued: dates, extensions. Asked at each. */
  issue?: () => Partial<CertificateOptions>
  /** Told of every pkiMessage, and of every certificate. */
  received?: (request: ReceivedRequest) => void
  gave?: (certificate: X509Certificate) => void
  /** The HTTP Date of every answer. Asked at each; the time when undefined. */
  date?: () => Date | undefined
  /** Replaces the answer to other operations; '' is a request without one. */
  get?: Record<string, (response: ServerResponse, url: URL) => void>
}

export interface Request {
  method: string
  url: string
  headers: IncomingMessage['headers']
}

/** Counts what clients open, and waits until they have closed it. */
class Connections {
  opened = 0
  readonly #open = new Set<Socket>()

  add(socket: Socket): void {
    this.opened += 1
    this.#open.add(socket)
    socket.once('close', () => this.#open.delete(socket))
  }

  async allClosed(): Promise<void> {
    await Promise.all([...this.#open].map(socket => once(socket, 'close')))
  }
}

export class ScepTestServer implements AsyncDisposable {
  readonly requests: Request[] = []
  readonly messages: ReceivedRequest[] = []
  readonly violations: string[] = []
  readonly issued: X509Certificate[] = []
  readonly connections = new Connections()
  readonly shape: Shape
  readonly #options: Options
  readonly #server: Server
  readonly #pending = new Map<string, ReceivedRequest>()

  constructor(options: Options = {}) {
    this.#options = options
    this.shape = options.shape ?? plainShape()
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        this.violations.push(`cannot be read: ${String(error)}`)
        response.writeHead(500).end('internal error')
      })
    })
    this.#server.on('connection', socket => this.connections.add(socket))
  }

  get url(): string {
    const { address, port, family } = this.#server.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}${this.shape.path}`
  }

  /** On a free port of the loopback interface unless told. */
  async listen(port = 0, host = '127.0.0.1'): Promise<this> {
    await new Promise<void>(resolve => this.#server.listen(port, host, resolve))
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    this.requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers })
    const operation = url.searchParams.get('operation') ?? ''
    const body: Buffer[] = []
    for await (const part of request as AsyncIterable<Buffer>) body.push(part)
    this.#checkUrl(request, url)
    const date = this.#options.date?.()
    if (date) response.setHeader('date', date.toUTCString())
    const own = this.#options.get?.[operation]
    if (own) own(response, url)
    else if (operation === 'GetCACaps') this.#caps(response)
    else if (operation === 'GetCACert')
      response.writeHead(200, { 'content-type': this.shape.caReply.type }).end(this.shape.caReply.body)
    else if (operation === 'PKIOperation')
      await this.#reply(this.#message(request, url, Buffer.concat(body)), response)
    else response.writeHead(400).end('no operation provided')
  }

  #message(request: IncomingMessage, url: URL, body: Buffer): ReceivedRequest {
    const post = request.method === 'POST'
    const type = request.headers['content-type']
    if (post && type !== 'application/x-pki-message') this.violations.push(`Content-Type is ${String(type)}`)
    const bytes = post ? body : Buffer.from(url.searchParams.get('message') ?? '', 'base64')
    return readRequest(bytes, this.shape.decrypter)
  }

  #checkUrl(request: IncomingMessage, url: URL): void {
    const raw = request.url ?? ''
    const expected = new URL(this.shape.path, 'http://127.0.0.1')
    if (raw.includes('??')) this.violations.push(`the URL has "??": ${raw}`)
    if (url.pathname !== expected.pathname) this.violations.push(`the path is ${url.pathname}`)
    for (const [key, value] of expected.searchParams)
      if (url.searchParams.get(key) !== value) this.violations.push(`the query lost ${key}`)
    const message = url.searchParams.get('message')
    if (
      url.searchParams.get('operation') === 'GetCACert' &&
      this.shape.message !== undefined &&
      message !== this.shape.message
    )
      this.violations.push(`GetCACert has message=${String(message)}`)
  }

  #caps(response: ServerResponse): void {
    const { caps } = this.shape
    if (caps === undefined) response.writeHead(500).end('<html><body>Internal error</body></html>')
    else response.writeHead(200, { 'content-type': 'text/plain' }).end(caps)
  }

  async #reply(request: ReceivedRequest, response: ServerResponse): Promise<void> {
    this.messages.push(request)
    this.violations.push(...request.violations)
    this.#options.received?.(request)
    const answer: Answer = this.#options.answers?.shift()?.(request) ?? {}
    if (answer.http) {
      answer.http(response)
      return
    }
    const bytes = answer.bytes ?? this.#certRep(request, answer)
    if (!answer.bytes) await answer.after
    response.writeHead(200, { 'content-type': 'application/x-pki-message' }).end(bytes)
  }

  #certRep(request: ReceivedRequest, answer: CertRepAnswer): Buffer {
    const { envelope: envelopeOptions, after: _, ...options } = answer
    const refused = this.#refused(request)
    const pkiStatus = 'pkiStatus' in options ? options.pkiStatus : refused ? '2' : '0'
    if (pkiStatus === '3' && request.csr) this.#pending.set(request.transactionID, request)
    const content =
      pkiStatus === '0' && !('content' in options)
        ? envelope(bag(this.#issue(request)), { recipient: request.signer, ...envelopeOptions })
        : undefined
    return certRep({
      signer: this.shape.signer,
      messageType: '3',
      pkiStatus,
      transactionID: request.transactionID,
      recipientNonce: request.senderNonce,
      ...(refused && pkiStatus === '2' ? { failInfo: '2' } : {}),
      content,
      ...options,
    })
  }

  #refused(request: ReceivedRequest): boolean {
    const { challenge } = this.#options
    return challenge !== undefined && request.csr !== undefined && request.csr.challengePassword !== challenge
  }

  /** The certificate of the request, or of the pending one that is polled, and the CA's. */
  #issue(request: ReceivedRequest): X509Certificate[] {
    const csr = request.csr ?? this.#pending.get(request.transactionID)?.csr
    if (!csr) return []
    const names = csr.extensions.get('2.5.29.17')
    const issued = certificate({
      issuer: this.shape.ca,
      subject: csr.subject,
      publicKey: csr.publicKey,
      usage: ['digitalSignature', 'keyEncipherment'],
      purposes: ['1.3.6.1.5.5.7.3.2'],
      ...(names ? { names } : {}),
      ...this.#options.issue?.(),
    })
    this.issued.push(issued)
    this.#options.gave?.(issued)
    return [issued]
  }
}

export const scepTestServer = (options: Options = {}): Promise<ScepTestServer> =>
  new ScepTestServer(options).listen()
