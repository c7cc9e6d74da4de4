import t from 'tap'
import { asAgentError } from '../../../agent/effects/findings.ts'
import { ScepError, type ScepCode, type ScepKind } from '../../../agent/scep/errors.ts'

const problem = (code: ScepCode, kind: ScepKind): ScepError =>
  new ScepError({ code, kind, title: 'T', detail: 'D', hint: 'H' })

t.test(
  'what answers in place of a SCEP server may be gone in a minute; a setting or a refusal may not',
  async t => {
    const cases: [ScepCode, ScepKind, 'backoff' | 'change'][] = [
      ['redirected', 'misconfigured', 'backoff'],
      ['reply-not-scep', 'misconfigured', 'backoff'],
      ['http-status', 'misconfigured', 'backoff'],
      ['http-status', 'server-fault', 'backoff'],
      ['connect-timeout', 'unreachable', 'backoff'],
      ['http-status', 'rejected', 'change'],
      ['url-invalid', 'misconfigured', 'change'],
      ['fingerprint-mismatch', 'misconfigured', 'change'],
      ['rejected', 'rejected', 'change'],
    ]
    for (const [code, kind, retry] of cases)
      t.match(
        asAgentError(problem(code, kind)),
        { finding: { code: `scep-${code}`, retry } },
        `${code}, ${kind}`,
      )
  },
)
