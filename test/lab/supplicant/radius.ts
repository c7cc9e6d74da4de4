import { createHash, createHmac, randomBytes } from 'node:crypto'
import { createSocket, type RemoteInfo, type Socket as Datagram } from 'node:dgram'
import { connect, type Socket } from 'node:net'

/**
 * A RADIUS server for EAP-TLS that, unlike FreeRADIUS and hostapd, lets the TLS alert reach the supplicant before the
 * EAP-Failure. TLS itself is `openssl s_server` behind a Unix socket. It can also fall silent or refuse on command.
 */
export interface RadiusSettings {
  secret: string
  /** Unix socket of `openssl s_server`; without it no TLS is spoken. */
  tls?: string
  /** EAP type proposed after the identity; 13 is TLS. */
  method: number
  /** From which point on nothing is answered any more, or what is said to the identity at once. */
  behaviour?:
    'silent' | 'silent-after-identity' | 'silent-after-hello' | 'refuse-identity' | 'accept-identity'
}

const [REQUEST, RESPONSE, SUCCESS, FAILURE] = [1, 2, 3, 4]
const [IDENTITY, NAK, TLS] = [1, 3, 13]
const [USER_NAME, STATE, EAP_MESSAGE, AUTHENTICATOR] = [1, 24, 79, 80]

interface Session {
  tls: Socket | undefined
  received: Buffer[]
  outgoing: Buffer
  first: boolean
  verdict: 'accept' | 'reject' | undefined
}

/** Answers Access-Requests on 127.0.0.1:1812 until closed. */
export class RadiusServer {
  readonly #settings: RadiusSettings
  readonly #socket: Datagram = createSocket('udp4')
  readonly #sessions = new Map<string, Session>()

  constructor(settings: RadiusSettings) {
    this.#settings = settings
    this.#socket.on('message', (packet, from) => {
      void this.#received(packet, from)
    })
  }

  async listen(): Promise<void> {
    await new Promise<void>(resolve => this.#socket.bind(1812, '127.0.0.1', resolve))
  }

  async #received(packet: Buffer, from: RemoteInfo): Promise<void> {
    if (packet[0] !== 1 || this.#settings.behaviour === 'silent') return
    const attributes = parseAttributes(packet.subarray(20, packet.readUInt16BE(2)))
    const eap = Buffer.concat(attributes.filter(([type]) => type === EAP_MESSAGE).map(([, value]) => value))
    const state =
      attributes.find(([type]) => type === STATE)?.[1].toString('hex') ?? randomBytes(8).toString('hex')
    if (eap.length < 5 || eap[0] !== RESPONSE) return
    const answer = await this.#answer(state, eap)
    if (answer === undefined) return
    const code = answer[0] === SUCCESS ? 2 : answer[0] === FAILURE ? 3 : 11
    if (code !== 11) {
      this.#sessions.get(state)?.tls?.destroy()
      this.#sessions.delete(state)
    }
    this.#socket.send(reply(code, packet, answer, state, this.#settings.secret), from.port, from.address)
  }

  async #answer(state: string, eap: Buffer): Promise<Buffer | undefined> {
    const id = eap[1] ?? 0
    const request = (...bytes: number[]) => eapPacket(REQUEST, id + 1, Buffer.from(bytes))
    const { behaviour, method } = this.#settings
    if (eap[4] === IDENTITY) {
      if (behaviour === 'refuse-identity') return eapPacket(FAILURE, id)
      if (behaviour === 'accept-identity') return eapPacket(SUCCESS, id)
      if (behaviour === 'silent-after-identity') return undefined
      // The TLS behind serves one at a time, and there is one sensor: whoever begins anew has given up the old one.
      for (const session of this.#sessions.values()) session.tls?.destroy()
      this.#sessions.clear()
      this.#sessions.set(state, {
        tls: undefined,
        received: [],
        outgoing: Buffer.alloc(0),
        first: true,
        verdict: undefined,
      })
      return method === TLS
        ? request(TLS, 0x20)
        : request(method, ...(method === 4 ? [16, ...randomBytes(16)] : [0x20]))
    }
    const session = this.#sessions.get(state)
    if (session === undefined || eap[4] === NAK || eap[4] !== TLS) return eapPacket(FAILURE, id)
    if (behaviour === 'silent-after-hello') return undefined
    const flags = eap[5] ?? 0
    const data = eap.subarray(flags & 0x80 ? 10 : 6)
    if (data.length > 0) session.received.push(data)
    if (flags & 0x40) return request(TLS, 0)
    if (session.received.length > 0) {
      await this.#exchange(session, Buffer.concat(session.received))
      session.received = []
      session.first = true
    }
    if (session.outgoing.length > 0) return eapPacket(REQUEST, id + 1, nextFragment(session))
    if (session.verdict === undefined) return request(TLS, 0)
    return eapPacket(session.verdict === 'accept' ? SUCCESS : FAILURE, id)
  }

  /** Hands a flight of the client to TLS and waits for the whole flight that answers it. */
  async #exchange(session: Session, flight: Buffer): Promise<void> {
    const tls = (session.tls ??= connect(this.#settings.tls ?? ''))
    let answer = Buffer.alloc(0)
    await new Promise<void>(resolve => {
      const end = (verdict: Session['verdict']) => {
        session.verdict = verdict ?? session.verdict
        tls.removeAllListeners()
        tls.on('error', () => undefined)
        resolve()
      }
      tls.on('data', chunk => {
        answer = Buffer.concat([answer, chunk])
        const state = flightState(answer)
        if (state !== 'incomplete')
          end(state === 'alert' ? 'reject' : state === 'finished' ? 'accept' : undefined)
      })
      tls.once('end', () => {
        end('reject')
      })
      tls.once('error', () => {
        end('reject')
      })
      tls.write(flight)
    })
    session.outgoing = answer
  }
}

function nextFragment(session: Session): Buffer {
  const chunk = session.outgoing.subarray(0, 1_000)
  const total = session.outgoing.length
  session.outgoing = session.outgoing.subarray(1_000)
  const more = session.outgoing.length > 0
  const withLength = session.first && more
  session.first = false
  const length = Buffer.alloc(withLength ? 4 : 0)
  if (withLength) length.writeUInt32BE(total)
  return Buffer.concat([Buffer.from([TLS, (withLength ? 0x80 : 0) | (more ? 0x40 : 0)]), length, chunk])
}

/**
 * Whether a server's flight is all there. TLS 1.2: up to ServerHelloDone, or a record after ChangeCipherSpec. TLS 1.3
 * encrypts, but its Finished and its alert are told by their lengths (RFC 8446, sections 4.4.4 and 5.2).
 */
function flightState(bytes: Buffer): 'incomplete' | 'hello' | 'finished' | 'alert' {
  let changed = false
  let handshake = Buffer.alloc(0)
  for (let at = 0; at + 5 <= bytes.length;) {
    const [type, length] = [bytes[at], bytes.readUInt16BE(at + 3)]
    const body = bytes.subarray(at + 5, at + 5 + length)
    if (body.length < length) return 'incomplete'
    if (type === 21) return 'alert'
    if (type === 20) changed = true
    if (type === 22 && changed) return 'finished'
    if (type === 22) handshake = Buffer.concat([handshake, body])
    if (type === 23 && length === 19) return 'alert'
    if (type === 23 && (length === 53 || length === 69)) return 'hello'
    at += 5 + length
  }
  for (let at = 0; at + 4 <= handshake.length; at += 4 + handshake.readUIntBE(at + 1, 3))
    if (handshake[at] === 14) return 'hello'
  return 'incomplete'
}

function parseAttributes(bytes: Buffer): [number, Buffer][] {
  const found: [number, Buffer][] = []
  for (let at = 0; at + 2 <= bytes.length; at += bytes[at + 1] ?? 0) {
    if ((bytes[at + 1] ?? 0) < 2) break
    found.push([bytes[at] ?? 0, bytes.subarray(at + 2, at + (bytes[at + 1] ?? 0))])
  }
  return found
}

function eapPacket(code: number, id: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.from([code, id & 0xff, 0, 0])
  head.writeUInt16BE(4 + data.length, 2)
  return Buffer.concat([head, data])
}

const attribute = (type: number, value: Buffer): Buffer =>
  Buffer.concat([Buffer.from([type, value.length + 2]), value])

/** RFC 2865 section 3 and RFC 3579 section 3.2: both authenticators cover the request's. */
function reply(code: number, request: Buffer, eap: Buffer, state: string, secret: string): Buffer {
  const parts = []
  for (let at = 0; at < eap.length; at += 253) parts.push(attribute(EAP_MESSAGE, eap.subarray(at, at + 253)))
  if (code === 11) parts.push(attribute(STATE, Buffer.from(state, 'hex')))
  const user = parseAttributes(request.subarray(20)).find(([type]) => type === USER_NAME)
  if (code === 2 && user !== undefined) parts.push(attribute(USER_NAME, user[1]))
  parts.push(attribute(AUTHENTICATOR, Buffer.alloc(16)))
  const body = Buffer.concat(parts)
  const head = Buffer.from([code, request[1] ?? 0, 0, 0])
  head.writeUInt16BE(20 + body.length, 2)
  const asked = request.subarray(4, 20)
  createHmac('md5', secret)
    .update(head)
    .update(asked)
    .update(body)
    .digest()
    .copy(body, body.length - 16)
  const signature = createHash('md5').update(head).update(asked).update(body).update(secret).digest()
  return Buffer.concat([head, signature, body])
}
