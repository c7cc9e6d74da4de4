import type { StepOf } from '../core/step.ts'
import { findNetwork } from '../core/want.ts'
import type { Target } from '../desired/sensor.ts'
import { gateway } from '../probes/gateway.ts'
import { runProbe, type Probe } from '../probes/probe.ts'
import { scepReachable } from '../probes/scep-reachable.ts'
import { target } from '../probes/target.ts'
import type { Network } from '../types.ts'
import type { Context } from './context.ts'
import { lostMeanwhile, strayed } from './join.ts'

const probesFor = ({ profile }: Network, targets: readonly Target[]): Probe[] => [
  gateway,
  ...(profile.scep ? [scepReachable(profile.scep)] : []),
  ...targets.map(target),
]

/** Runs every probe over the joined network, side by side. A probe that fails is a result, not a failed step; one that lost its path is neither. */
export async function test(step: StepOf<'test'>, signal: AbortSignal, context: Context): Promise<void> {
  const desired = context.desired()
  const network = findNetwork(desired, step.network)
  const port = context.ports.get(step.interface)
  if (!network || !port?.path || !port.joined) throw new DOMException('the network was left', 'AbortError')
  const { path, joined } = port
  const probes = await Promise.all(
    probesFor(network, desired.targets).map(probe => runProbe(probe, path, signal)),
  )
  const passed = probes.every(probe => probe.passed)
  if (!passed && (await port.gaveUpStray(signal))) throw strayed()
  if (!passed && path.lost.aborted) throw lostMeanwhile()
  const of = { revision: joined.revision, targets: JSON.stringify(desired.targets) }
  context.memory.tested(step.network, { at: context.now(), passed, probes }, of)
  const failed = probes.filter(probe => !probe.passed).map(probe => `${probe.probe}: ${probe.detail}`)
  context.say({
    event: passed ? 'test-passed' : 'test-failed',
    severity: passed ? 'info' : 'error',
    network: step.network,
    interface: step.interface,
    text: passed
      ? `${step.network} passed its test`
      : `${step.network} failed its test: ${failed.join('; ')}`,
    data: { probes },
  })
}
