/** The socket an MQTT connection runs on: over the main table or the path of a joined network, with TLS on top or not. */
import net from 'node:net'
import tls from 'node:tls'

/** Opens a TCP connection; over a joined network the path gives its own (design: the broker link takes its path explicitly). */
export type Reach = (host: string, port: number, signal: AbortSignal) => Promise<net.Socket>

export interface TlsSettings {
  /** PEM; without it the system's certificate authorities. */
  ca?: string | undefined
  certificate?: string | undefined
  key?: string | undefined
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
  const plain = await reach(host, Number(url.port || (secure ? 8883 : 1883)), signal)
  plain.setNoDelay(true)
  if (!secure) return plain
  const socket = tls.connect({
    socket: plain,
    host,
    ...(net.isIP(host) === 0 && { servername: host }),
    ...(settings.ca !== undefined && { ca: settings.ca }),
    ...(settings.certificate !== undefined && { cert: settings.certificate }),
    ...(settings.key !== undefined && { key: settings.key }),
    minVersion: 'TLSv1.2',
  })
  try {
    await opened(socket, 'secureConnect', signal)
  } catch (error) {
    plain.destroy()
    throw error
  }
  return socket
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
