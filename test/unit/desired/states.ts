/** Desired states to begin with. */
import type { Test } from 'tap'
import { DesiredState, type DesiredSettings } from '../../../agent/desired/state.ts'
import { bytes, corp, onboarding, sensor } from './documents.ts'

const topics = { desired: 'sonde/sensors/s/desired', network: (id: string) => `sonde/networks/${id}` }
const interfaces = [{ name: 'eth0', kind: 'wired' as const }]
export const open = (t: Test, more: Partial<DesiredSettings> = {}) =>
  DesiredState.open({ directory: more.directory ?? t.testdir(), topics, interfaces, ...more })

/** A state with `corp` in force, confirmed by the broker. */
export async function ready(
  t: Test,
  version = 1,
  more: Partial<DesiredSettings> = {},
): Promise<DesiredState> {
  const state = await open(t, more)
  state.offerSensorDocument(bytes(sensor(version, 'corp')))
  state.offerNetwork('corp', bytes(corp))
  state.offerNetwork('onboarding', bytes(onboarding))
  state.reached(state.view.applied.state, 0, true)
  return state
}
