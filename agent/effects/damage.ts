/** A certificate that a worn card has taken is replaced by itself; that it was has to be said, because the card will go on. */
import type { Finding } from '../errors.ts'
import type { CredentialState } from '../types.ts'
import type { Context } from './context.ts'

/** Says it once in the life of the process, as an event and as a notice of the network. */
export function sayDamage(
  where: { network: string; interface: string },
  { damaged }: CredentialState,
  context: Context,
): void {
  const { network } = where
  if (damaged === undefined || context.memory.of(network).notices?.['damage'] !== undefined) return
  const problem = damage(network, damaged)
  const text = `${problem.detail}: a new certificate is obtained`
  context.memory.noticed(network, 'damage', [{ code: problem.code, severity: 'error', text }])
  context.say({ event: problem.code, severity: 'error', ...where, text, data: { problem } })
}

const damage = (network: string, files: readonly string[]): Finding => ({
  code: 'credential-damaged',
  title: 'The certificate on the sensor cannot be used any more',
  detail: `${files.join(', ')} of ${network} cannot be read`,
  hint: 'nothing for the certificate, a new one is obtained; but a card that loses files is worn out: replace it',
  side: 'sensor',
  retry: 'backoff',
})
