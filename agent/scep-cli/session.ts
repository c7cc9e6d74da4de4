/** One conversation with a server: transport, capabilities, CA certificates, trust; printed as it goes. */
import {
  certificatesFromPem,
  establishTrust,
  getCaCaps,
  getCaCertificates,
  openTransport,
  parseFingerprint,
  ScepError,
  type CaReply,
  type Capabilities,
  type ScepServer,
  type Transport,
  type Trust,
  type TrustSettings,
} from '../scep/index.ts'
import { numberOf, readText, sourceOf, UsageError, type Options } from './options.ts'
import { dump, stepLine, warningLines, type Io } from './output.ts'

export interface Peer {
  transport: Transport
  caps: Capabilities
  reply: CaReply
  trust: Trust
}

/** The server named by the only positional word. */
export function serverOf(options: Options): ScepServer {
  const [url, ...more] = options.positionals
  if (url === undefined || more.length > 0) throw new UsageError('exactly one SCEP server URL is needed')
  return { url, caIdentifier: options.text('ca-identifier') ?? 'CAIdentifier' }
}

export async function trustSettingsOf(options: Options): Promise<TrustSettings> {
  const roots = await Promise.all(options.all('ca').map(readText))
  certificatesFromPem(roots)
  const fingerprint = options.text('fingerprint') ?? null
  if (fingerprint !== null) readFingerprint('fingerprint', fingerprint)
  const pinned = options.text('pinned')
  if (pinned === undefined) return { roots, fingerprint }
  const { digest, value } = readFingerprint('pinned', pinned)
  if (digest !== 'SHA-256')
    throw new UsageError(`--pinned is a SHA-256, 64 hexadecimal digits, not ${digest}`)
  return { roots, fingerprint, pinned: value.toString('hex') }
}

/** Before anything is sent: a slip of the pen is no reason to ask a server. */
function readFingerprint(name: string, written: string): ReturnType<typeof parseFingerprint> {
  try {
    return parseFingerprint(written)
  } catch (error) {
    if (!(error instanceof ScepError)) throw error
    throw new UsageError(`--${name}: ${error.problem.detail}. ${error.problem.hint}`)
  }
}

/** The `secret` is the challenge password that will be sent. */
export function connect(
  server: ScepServer,
  options: Options,
  io: Io,
  tlsRoots: readonly string[],
  secret?: string,
): Transport {
  const reply = numberOf(options, 'timeout', 30) * 1000
  const silent = options.flag('json')
  return openTransport(
    server,
    { localAddress: sourceOf(options), tlsRoots },
    {
      limits: { reply, connect: Math.min(reply, 10_000), caps: Math.min(reply, 5_000) },
      onStep: step => {
        if (!silent) io.err(stepLine(step))
        if (options.flag('verbose')) io.err(dump(step, secret))
      },
    },
  )
}

/** Capabilities and CA certificates side by side, then whom to believe. The transport is the caller's to close. */
export async function meet(
  server: ScepServer,
  settings: TrustSettings,
  options: Options,
  io: Io,
  secret?: string,
): Promise<Peer> {
  const transport = connect(server, options, io, settings.roots, secret)
  try {
    const [caps, reply] = await Promise.all([
      getCaCaps(transport, io.signal),
      getCaCertificates(transport, io.signal),
    ])
    const trust = establishTrust(reply, settings, new Date())
    if (!options.flag('json')) io.err(warningLines(trust.warnings))
    return { transport, caps, reply, trust }
  } catch (error) {
    transport.close()
    throw error
  }
}
