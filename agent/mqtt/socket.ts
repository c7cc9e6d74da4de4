/** The socket an MQTT connection runs on: over the main table or the path of a joined network, with TLS on top or not. */
import { X509Certificate } from 'node:crypto'
import net from 'node:net'
import tls from 'node:tls'

/** Opens a TCP connection; over a joined network the path gives its own (design: the broker link takes its path explicitly). */
export type Reach = (host: string, port: number, signal: AbortSignal) => Promise<net.Socket>

/**
 * Judges the certificates that a broker has shown, its own first, by another clock than the system's; `ca` as in TlsSettings.
 * The name has been compared. Throws Untrusted.
 */
export type Judge = (chain: X509Certificate[], ca: string | undefined) => void

/** Codes are Node's. */
export class Untrusted extends Error {
  readonly code: 'CERT_UNTRUSTED' | 'CERT_HAS_EXPIRED' | 'CERT_NOT_YET_VALID'
  constructor(code: Untrusted['code'], message: string) {
    super(message)
    this.name = 'Untrusted'
    this.code = code
  }
}

export interface TlsSettings {
  /** PEM; without it the system's certificate authorities. */
  ca?: string | undefined
  certificate?: string | undefined
  key?: string | undefined
  /** Has the last word where nothing but a date is wrong by the system clock. */
  judge?: Judge | undefined
}

/** Over the main routing table. */
export const directly: Reach = async (host, port, signal) => {
  const socket = net.connect({ host, port, noDelay: true })
  await opened(socket, 'connect', signal)
  return socket
}

/** A socket ready for MQTT. Nothing is left open when it throws. */
export async function openSocket(
  url: URL,
  reach: Reach,
  settings: TlsSettings,
  signal: AbortSignal,
): Promise<net.Socket> {
  const secure = url.protocol === 'mqtts:'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const connect = async (): Promise<net.Socket> => {
    const plain = await reach(host, Number(url.port || (secure ? 8883 : 1883)), signal)
    return plain.setNoDelay(true)
  }
  if (!secure) return connect()
  try {
    return await wrapped(await connect(), host, settings, signal)
  } catch (error) {
    const { judge } = settings
    if (judge === undefined || !isAboutDates(error)) throw error
    return wrapped(await connect(), host, settings, signal, judge)
  }
}

const isAboutDates = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'CERT_NOT_YET_VALID' || error.code === 'CERT_HAS_EXPIRED')

/** TLS over the socket. With `judge` OpenSSL's own judgement is not heard, and nothing is sent before the other one. */
async function wrapped(
  plain: net.Socket,
  host: string,
  settings: TlsSettings,
  signal: AbortSignal,
  judge?: Judge,
): Promise<net.Socket> {
  const socket = tls.connect({
    socket: plain,
    host,
    ...(net.isIP(host) === 0 && { servername: host }),
    ...(settings.ca !== undefined && { ca: settings.ca }),
    ...(settings.certificate !== undefined && { cert: settings.certificate }),
    ...(settings.key !== undefined && { key: settings.key }),
    minVersion: 'TLSv1.2',
    ...(judge && { rejectUnauthorized: false }),
  })
  try {
    await opened(socket, 'secureConnect', signal)
    if (!judge) return socket
    const shown = socket.getPeerCertificate(true)
    const stranger = tls.checkServerIdentity(host, shown)
    if (stranger) throw stranger
    judge(chainOf(shown), settings.ca)
    return socket
  } catch (error) {
    socket.destroy()
    plain.destroy()
    throw error
  }
}

/** Node links each certificate to the one above it, and the last to itself. */
function chainOf(shown: tls.DetailedPeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = []
  for (let each = shown; ; each = each.issuerCertificate) {
    chain.push(new X509Certificate(each.raw))
    // Of an issuer that was not shown there is none, which the types leave out.
    const above = each.issuerCertificate as tls.DetailedPeerCertificate | undefined
    if (above === undefined || above === each) return chain
  }
}

function opened(socket: net.Socket, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error): void => {
      socket.off(event, succeeded).off('error', done).off('close', closed)
      signal.removeEventListener('abort', aborted)
      if (error === undefined) {
        resolve()
        return
      }
      // Whoever destroys a socket may still get an error from it; nobody is there to hear it.
      socket.on('error', () => undefined).destroy()
      reject(error)
    }
    const succeeded = (): void => done()
    const closed = (): void => done(new Error('the connection was closed before it was open'))
    const aborted = (): void => done(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    if (signal.aborted) {
      aborted()
      return
    }
    socket.once(event, succeeded).once('error', done).once('close', closed)
    signal.addEventListener('abort', aborted)
  })
}
