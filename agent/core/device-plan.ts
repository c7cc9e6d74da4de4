/** What belongs to no interface: warnings, and credentials of networks that are no longer listed. Pure. */
import type { Actual, Desired, Network } from '../types.ts'
import type { Plan } from './plan.ts'
import type { Step } from './step.ts'
import { expiryWarning, nextWarningAt, watchedOf } from './validity.ts'
import { Waking } from './waking.ts'
import { networksOf } from './want.ts'

export function planDevice(desired: Desired, actual: Actual, now: number): Plan {
  const wake = new Waking(now)
  const warnings = networksOf(desired).flatMap(network => warning(network, actual, now, wake))
  return { steps: [...warnings, ...forgotten(desired, actual)], wakeAt: wake.at }
}

function warning(network: Network, actual: Actual, now: number, wake: Waking): Step[] {
  const history = actual.history[network.id]
  const said = history?.warned ?? {}
  return watchedOf(actual.credentials[network.id], history).flatMap((certificate): Step[] => {
    wake.by(nextWarningAt(certificate, now))
    const days = expiryWarning(certificate, now)
    const { fingerprint } = certificate
    if (days === undefined || said[fingerprint] === days) return []
    return [{ action: 'warn', interface: '', network: network.id, days, fingerprint }]
  })
}

function forgotten(desired: Desired, actual: Actual): Step[] {
  if (!actual.confirmed || desired.source === 'none') return []
  const listed = new Set([...networksOf(desired), ...desired.held].map(network => network.id))
  return Object.keys(actual.credentials)
    .filter(network => !listed.has(network))
    .map(network => ({ action: 'forget', interface: '', network }))
}
