/** From the libraries' own errors to the finding that is reported. */
import { isSupplicantError, triage, type CredentialFacts } from '../../supplicant/index.ts'
import { AgentError, type Finding, type Retry } from '../errors.ts'
import { PathError } from '../path/index.ts'
import { ScepError, type ScepCode, type ScepKind, type ScepProblem } from '../scep/index.ts'

/** The error as an AgentError with its finding; abort reasons and unknown errors are passed through as they are. */
export function asAgentError(error: unknown, credential: CredentialFacts = {}): unknown {
  if (error instanceof AgentError) return error
  const finding = findingOf(error, credential)
  return finding ? new AgentError(finding, { cause: error }) : error
}

function findingOf(error: unknown, credential: CredentialFacts): Finding | undefined {
  if (error instanceof PathError) {
    const { code, title, detail, hint, side, retry } = error
    return { code, title, detail, hint, side, retry }
  }
  // What the path says of a name or a route is closer to the cause than that the SCEP server cannot be reached.
  if (error instanceof ScepError)
    return error.cause instanceof PathError ? findingOf(error.cause, credential) : scepFinding(error)
  if (isSupplicantError(error)) {
    const found = error.attempt && triage(error.attempt, credential)
    if (found) return joinFinding(found)
    if (error.code === 'invalid-block' || error.code === 'invalid-argument')
      return {
        code: error.code,
        title: 'The network cannot be joined as it is described',
        detail: error.message,
        hint: 'correct the setting that the detail names, in the network profile or in the settings of the sensor',
        side: 'configuration',
        retry: error.retry,
      }
    return {
      code: error.code,
      title: 'wpa_supplicant cannot do what is asked',
      detail: error.message,
      hint: 'check that wpa_supplicant runs with D-Bus (-u) and that the agent may talk to it (group netdev)',
      side: 'sensor',
      retry: error.retry,
    }
  }
  return undefined
}

function joinFinding(found: NonNullable<ReturnType<typeof triage>>): Finding {
  const { code, title, detail, hint, side, retry, likely, evidence } = found
  const causes = likely.length > 0 ? [`likely: ${likely.join('; ')}`] : []
  return { code, title, detail, hint, side, retry, evidence: [...causes, ...evidence] }
}

/** A refusal is not repeated by itself: the password or the server has to change first (S2-57..59). */
const retryOf: Record<ScepKind, Retry> = {
  rejected: 'change',
  misconfigured: 'change',
  pending: 'backoff',
  unreachable: 'backoff',
  'too-early': 'backoff',
  'server-fault': 'backoff',
}

/** A captive portal, a proxy or a server that is being set up answers so: nobody changes a document for that. */
const passing: readonly ScepCode[] = ['redirected', 'reply-not-scep', 'http-status']

const retryFor = ({ code, kind }: ScepProblem): Retry =>
  kind === 'misconfigured' && passing.includes(code) ? 'backoff' : retryOf[kind]

function scepFinding({ problem }: ScepError): Finding {
  const { code, kind, title, hint } = problem
  const { pkiStatus, failInfo, serverText, retryAfter } = problem
  const evidence = [
    ...(pkiStatus === undefined ? [] : [`pkiStatus ${pkiStatus}`]),
    ...(failInfo === undefined ? [] : [`failInfo ${failInfo}`]),
    ...(serverText === undefined ? [] : [`the server's words: ${serverText}`]),
  ]
  return {
    code: `scep-${code}`,
    title,
    detail: problem.detail,
    hint,
    side: kind === 'unreachable' ? 'network' : kind === 'misconfigured' ? 'configuration' : 'server',
    retry: retryFor(problem),
    ...(retryAfter !== undefined && { retryAfter }),
    ...(evidence.length > 0 && { evidence }),
  }
}
