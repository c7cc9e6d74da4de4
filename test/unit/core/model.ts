/** What each step does to the world when it goes well: the model against which the planner must converge. */
import { wantedRevision } from '../../../agent/core/want.ts'
import type { Step } from '../../../agent/core/step.ts'
import type { Actual, Desired, InterfaceState } from '../../../agent/types.ts'
import { findNetwork } from '../../../agent/core/want.ts'
import { day, issued, lease } from './world.ts'

const lifetime = 4 * day

export function apply(step: Step, desired: Desired, actual: Actual, now: number): Actual {
  const state = actual.interfaces[step.interface]
  const on = (change: (state: InterfaceState) => InterfaceState): Actual =>
    state ? { ...actual, interfaces: { ...actual.interfaces, [state.name]: change(state) } } : actual
  switch (step.action) {
    case 'uninstall':
      return on(({ joined, lease: held, ...rest }) => ({
        ...rest,
        blocks: rest.blocks.filter(b => b.network !== step.network || b.revision !== step.revision),
        ...(joined && joined.network !== step.network && { joined, ...(held && { lease: held }) }),
      }))
    case 'install':
      return on(before => ({
        ...before,
        blocks: [...before.blocks, { path: '/1', network: step.network, revision: step.revision }],
      }))
    case 'join':
      return on(({ lease: _, ...before }) => ({
        ...before,
        joined: { network: step.network, revision: step.revision, at: now },
      }))
    case 'lease':
      return on(before => ({ ...before, lease }))
    case 'renew': {
      const before = actual.credentials[step.network] ?? { assignment: '' }
      const { current } = issued('f2', before.assignment, { notBefore: now, notAfter: now + lifetime })
      const next = { ...before, ...(current && { candidate: current }) }
      return {
        ...actual,
        credentials: { ...actual.credentials, [step.network]: next },
        renewals: {
          ...actual.renewals,
          lastAttempt: now,
          requested: actual.renewals.requested.filter(id => id !== step.network),
        },
      }
    }
    case 'prove': {
      const { candidate, ...before } = actual.credentials[step.network] ?? { assignment: '' }
      const next = { ...before, ...(candidate && { current: candidate }) }
      const joined = apply({ ...step, action: 'join', why: '' }, desired, actual, now)
      return { ...joined, credentials: { ...actual.credentials, [step.network]: next } }
    }
    case 'inspect': {
      const inspected = { fingerprint: step.fingerprint, at: now }
      return {
        ...actual,
        history: { ...actual.history, [step.network]: { ...actual.history[step.network], inspected } },
      }
    }
    case 'warn': {
      const warned = { [step.fingerprint]: step.days }
      return {
        ...actual,
        history: { ...actual.history, [step.network]: { ...actual.history[step.network], warned } },
      }
    }
    case 'enroll': {
      const assignment = findNetwork(desired, step.network)?.assignment ?? ''
      return {
        ...actual,
        credentials: {
          ...actual.credentials,
          [step.network]: issued('f1', assignment, { notBefore: now, notAfter: now + lifetime }),
        },
      }
    }
    case 'test': {
      const network = findNetwork(desired, step.network)
      const revision = (network && wantedRevision(network, actual, now)) ?? ''
      const lastTest = { at: now, passed: true, probes: [], revision }
      return {
        ...actual,
        history: { ...actual.history, [step.network]: { ...actual.history[step.network], lastTest } },
      }
    }
    case 'forget': {
      const { [step.network]: _, ...credentials } = actual.credentials
      return { ...actual, credentials }
    }
  }
}
