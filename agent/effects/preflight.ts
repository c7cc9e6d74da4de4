/** Everything an enrolment needs, up to but not including the password, over a network that is joined now. */
import * as scep from '../scep/index.ts'
import type { Path } from '../path/index.ts'
import { scepOverPath } from '../scep-over-path.ts'
import type { Network } from '../types.ts'
import { trustSettings } from './authorities.ts'
import type { Context } from './context.ts'

interface Check {
  check: 'caps' | 'ca' | 'chain' | 'algorithms' | 'clock'
  state: 'ok' | 'warn' | 'fail'
  text: string
}

export interface Preflight {
  outcome: 'done' | 'refused'
  text: string
  data?: { over: string | undefined; checks: Check[] }
}

/** Refused where neither the network nor its enrollment network is joined. Never sends a request. */
export async function preflight(network: Network, signal: AbortSignal, context: Context): Promise<Preflight> {
  const settings = network.profile.scep
  const wanted = [settings?.enrollmentNetwork, network.id]
  const port = [...context.ports.values()].find(
    ({ joined, path }) => path && wanted.includes(joined?.network),
  )
  if (!settings || !port?.path)
    return { outcome: 'refused', text: `neither ${wanted.join(' nor ')} is joined at this moment` }
  const checks: Check[] = []
  try {
    await look(network, port.path, checks, signal, context)
  } catch (error) {
    if (!(error instanceof scep.ScepError)) throw error
    checks.push({ check: 'chain', state: 'fail', text: `${error.problem.title}: ${error.problem.detail}` })
  }
  const failed = checks.filter(check => check.state === 'fail')
  const text = failed.length > 0 ? `${String(failed.length)} checks failed` : 'nothing stands in the way'
  return { outcome: 'done', text, data: { over: port.joined?.network, checks } }
}

async function look(
  { id, profile }: Network,
  path: Path,
  checks: Check[],
  signal: AbortSignal,
  context: Context,
): Promise<void> {
  const settings = profile.scep
  if (!settings) return
  const { caCertificates: roots, rootFingerprint: fingerprint } = settings
  using transport = scepOverPath(settings, path)
  const folder = context.credentials.of(id)
  const [caps, reply, pinned, next] = await Promise.all([
    scep.getCaCaps(transport, signal),
    scep.getCaCertificates(transport, signal),
    folder.notes.pin(),
    folder.notes.nextAuthorities(),
  ])
  checks.push({
    check: 'caps',
    state: caps.answered ? 'ok' : 'warn',
    text: caps.answered ? caps.keywords.join(' ') : 'the server says nothing of its capabilities',
  })
  checks.push({ check: 'ca', state: 'ok', text: `${String(reply.certificates.length)} certificates` })
  const date = reply.date ?? caps.date
  if (date) checks.push(clockCheck(date.getTime() - context.now()))
  const how = trustSettings({ roots, fingerprint }, pinned, next)
  const trust = scep.establishTrust(reply, how, context.clock.trustedDate())
  checks.push({ check: 'chain', state: 'ok', text: `trusted by ${trust.basis}` })
  for (const { text } of trust.warnings) checks.push({ check: 'chain', state: 'warn', text })
  const { encryption, digest } = scep.algorithmsFor(caps, settings)
  const doubts = scep.algorithmWarnings(caps, encryption, digest)
  for (const { text } of doubts) checks.push({ check: 'algorithms', state: 'warn', text })
}

const clockCheck = (difference: number): Check => ({
  check: 'clock',
  state: Math.abs(difference) < 60_000 ? 'ok' : 'warn',
  text: `the server's clock differs by ${String(Math.round(difference / 1000))} s`,
})
