import { dueAt } from '../core/renewal.ts'
import type { StepOf } from '../core/step.ts'
import { findNetwork } from '../core/want.ts'
import type { Context } from './context.ts'

/** S1-26: a certificate near its end is said in time, with the forecast: when renewal is due, and what stands in its way. */
export async function warn(step: StepOf<'warn'>, context: Context): Promise<void> {
  const network = findNetwork(context.desired(), step.network)
  const state = await context.credentials.of(step.network).read()
  const certificate = state.current?.certificate
  if (!network || !certificate) return
  const rule = network.profile.scep?.renewal ?? { when: 'manual' }
  const due = dueAt(certificate, rule)
  const failed = context.memory.of(step.network).failedRenewal
  const forecast = due === undefined ? 'renewal only on request' : `renewal due on ${day(due)}`
  const obstacle = failed ? `; the last attempt on ${day(failed.last)} failed: ${failed.finding.title}` : ''
  const accepted = `last password accepted on ${day(certificate.notBefore)}`
  context.memory.warned(step.network, { fingerprint: step.fingerprint, days: step.days })
  context.say({
    event: 'certificate-expires',
    severity: step.days <= 3 ? 'error' : 'warning',
    network: step.network,
    text: `the certificate of ${step.network} expires on ${day(certificate.notAfter)}: ${forecast}, ${accepted}${obstacle}`,
    data: { notAfter: certificate.notAfter, ...(due !== undefined && { due }), threshold: step.days },
  })
}

const day = (time: number): string => new Date(time).toISOString().slice(0, 16).replace('T', ' ') + ' UTC'
