/** Debian's scepserver and scepclient on loopback. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as nextTurn } from 'node:timers/promises'
import { daemon } from '../daemon.ts'
import { freePort } from '../free-port.ts'

export interface DebianServer extends AsyncDisposable {
  url: string
  depot: string
  /** PEM file of its CA. */
  ca: string
}

export interface DebianOptions {
  /** An empty folder of the caller's. */
  folder: string
  challenge?: string
  /** Days before expiry from which a subject may have another certificate; 0: always. */
  allowRenew?: number
  /** Bits of the CA's RSA key. */
  caKey?: number
}

/** Resolves once somebody accepts connections on a port of loopback. */
async function accepts(port: number, signal: AbortSignal): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect', { signal })
      return
    } catch {
      signal.throwIfAborted()
      await nextTurn(5)
    } finally {
      socket.destroy()
    }
  }
}

/** Makes a CA and serves it. */
export async function debianServer({
  folder,
  challenge,
  allowRenew = 0,
  caKey = 2048,
}: DebianOptions): Promise<DebianServer> {
  const depot = join(folder, 'depot')
  const made = spawnSync('scepserver', ['ca', '-init', '-depot', depot, '-keySize', String(caKey)])
  if (made.status !== 0) throw new Error(`scepserver ca -init: ${made.stderr.toString()}`)
  const port = await freePort()
  const process = await daemon({
    name: 'scepserver',
    command: 'scepserver',
    args: [
      '-depot',
      depot,
      '-port',
      String(port),
      '-allowrenew',
      String(allowRenew),
      ...(challenge === undefined ? [] : ['-challenge', challenge]),
    ],
    // It says that it listens a moment before it does.
    ready: () => accepts(port, AbortSignal.timeout(5_000)),
    logFile: join(folder, 'scepserver.log'),
  })
  return {
    url: `http://127.0.0.1:${port}/scep`,
    depot,
    ca: join(depot, 'ca.pem'),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  }
}

export interface ClientOptions {
  url: string
  challenge: string
  commonName: string
  key: string
  /** Where its certificate, CSR and self-signed certificate go: a fresh folder each time. */
  folder: string
}

/** Runs scepclient to its end: its exit code, what it said, and how long it took in milliseconds (wall and processor). */
export async function scepClient({ url, challenge, commonName, key, folder }: ClientOptions) {
  const args = [
    '-server-url',
    url,
    '-challenge',
    challenge,
    '-cn',
    commonName,
    '-private-key',
    key,
    '-certificate',
    join(folder, 'client.pem'),
  ]
  const began = performance.now()
  const child = spawn('scepclient', args, { cwd: folder })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, said, wall: performance.now() - began, certificate: join(folder, 'client.pem') }
}
