/** One effect per action of the plan. */
import type { Effects, StepOf } from '../core/step.ts'
import { isAbortError } from '../errors.ts'
import { ScepError } from '../scep/index.ts'
import type { Context } from './context.ts'
import { enroll } from './enroll.ts'
import { asAgentError } from './findings.ts'
import { forget, install, join, lease, prove, strayed, uninstall } from './join.ts'
import { inspect } from './inspect.ts'
import { renew } from './renew.ts'
import { test } from './test.ts'
import { warn } from './warn.ts'

export type { Context } from './context.ts'
export { ahead } from './ahead.ts'
export { asAgentError } from './findings.ts'
export { Port } from './port.ts'
export { preflight } from './preflight.ts'
export { TrustFiles } from './trust-files.ts'

export const effectsOf = (context: Context): Effects => ({
  uninstall: async step => {
    await uninstall(step, context).catch(rethrow)
  },
  install: async step => {
    await install(step, context).catch(rethrow)
  },
  join: (step, signal) => join(step, signal, context),
  lease: (step, signal) => lease(step, signal, context),
  enroll: (step, signal) => overPath(step, signal, context, () => enroll(step, signal, context)),
  renew: (step, signal) => overPath(step, signal, context, () => renew(step, signal, context)),
  prove: (step, signal) => prove(step, signal, context),
  inspect: (step, signal) => inspect(step, signal, context),
  warn: step => warn(step, context),
  test: (step, signal) => test(step, signal, context),
  forget: step => forget(step, context),
})

/**
 * A transaction that failed for an address of another segment is begun again with a new address, at once. Who asked for one
 * that was interrupted is not forgotten.
 */
async function overPath(
  step: StepOf<'enroll'> | StepOf<'renew'>,
  signal: AbortSignal,
  context: Context,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    const unreachable = error instanceof ScepError && error.kind === 'unreachable'
    if (unreachable && (await context.ports.get(step.interface)?.gaveUpStray(signal))) throw strayed()
    if (!signal.aborted && !isAbortError(error)) await context.renewals.ended(step.action, step.network)
    rethrow(error)
  }
  await context.renewals.ended(step.action, step.network)
}

const rethrow = (error: unknown): never => {
  throw asAgentError(error)
}
