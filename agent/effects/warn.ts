import type { StepOf } from '../core/step.ts'
import { expiryNotice, forecast, watchedOf } from '../core/validity.ts'
import { findNetwork } from '../core/want.ts'
import type { Context } from './context.ts'

/** S1-26: a certificate near its end is said in time, with the forecast: when renewal is due, and what stands in its way. */
export async function warn(step: StepOf<'warn'>, context: Context): Promise<void> {
  const { network: id, fingerprint, days } = step
  context.memory.warned(id, fingerprint, days)
  const network = findNetwork(context.desired(), id)
  const state = await context.credentials.of(id).read()
  const history = context.memory.of(id)
  const watched = watchedOf(state, history)
  const certificate = watched.find(each => each.fingerprint === fingerprint)
  if (!network || !certificate) return
  const now = context.now()
  const outlook = state.current
    ? forecast(state.current.certificate, network.profile.scep, history.failedRenewal, now)
    : 'there is no certificate'
  const { code, severity, text } = expiryNotice(certificate, days, outlook, now)
  const { role, subject, notAfter } = certificate
  const data = { role, subject, notAfter, threshold: days }
  context.say({ event: code, severity, network: id, text: `${id}: ${text}`, data })
}
