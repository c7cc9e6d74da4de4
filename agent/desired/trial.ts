/**
 * Last-known-good as a pure fold: a state that cuts the sensor off from the broker is taken back once.
 *
 * phase        in force     meaning
 * `confirmed`  proven       the broker was reached with it; nothing is ever taken back
 * `unproven`   new          applied, the broker not reached with it yet; `previous` is what to go back to
 * `reverted`   previous     tried instead of `setAside`, which is in quarantine
 * `restored`   new          going back did not help either: the new one stays until it is proven or replaced
 */
import type { Composition } from './compose.ts'

export type Phase = 'confirmed' | 'unproven' | 'reverted' | 'restored'

export interface Trial {
  phase: Phase
  inForce?: Composition
  /** The last proven one. */
  previous?: Composition
  /** In quarantine by its id, until the documents compose to something else. */
  setAside?: Composition
}

/** The composition the documents ask for now. Returns the same object when nothing changes. */
export function propose(trial: Trial, composition: Composition | undefined): Trial {
  const { inForce, previous, setAside, phase } = trial
  if (composition === undefined || composition.id === setAside?.id) return trial
  if (composition.id === inForce?.id) {
    // Back to what is in force already: whatever was set aside is no longer asked for.
    if (inForce === composition && setAside === undefined) return trial
    const { setAside: _, ...rest } = trial
    return { ...rest, phase: phase === 'reverted' ? 'restored' : phase, inForce: composition }
  }
  const proven = phase === 'confirmed' ? inForce : previous
  return proven === undefined
    ? { phase: 'unproven', inForce: composition }
    : { phase: 'unproven', inForce: composition, previous: proven }
}

/** The broker was reached with the state in force. */
export function prove(trial: Trial): Trial {
  if (trial.phase === 'confirmed' || trial.inForce === undefined) return trial
  const { previous: _, ...rest } = trial
  return { ...rest, phase: 'confirmed' }
}

/** The broker was not reached for the whole limit. */
export function giveUp(trial: Trial): Trial {
  switch (trial.phase) {
    case 'confirmed':
    case 'restored':
      return trial
    case 'unproven':
      return trial.previous === undefined || trial.inForce === undefined
        ? trial
        : { phase: 'reverted', inForce: trial.previous, previous: trial.previous, setAside: trial.inForce }
    case 'reverted': {
      const { setAside, ...rest } = trial
      return setAside === undefined ? trial : { ...rest, phase: 'restored', inForce: setAside }
    }
  }
}

/**
 * What of a state decides how the sensor is connected. A new challenge password, an alias, or what a test tries to reach cannot cut
 * it off: a broker that happens to go after such a change must not put it into quarantine.
 */
function wayOf({ sensor, networks, suspended }: Composition): string {
  const profiles = [...networks].map(([id, { value }]) => {
    const { alias: _, scep, ...rest } = value
    return [id, rest, scep && { ...scep, challengePassword: undefined }]
  })
  const { networks: assigned, name } = sensor.value
  return JSON.stringify([assigned, name, profiles, suspended])
}

/** Whether the state in force goes the way of the last proven one. */
export const isSameWay = ({ phase, inForce, previous }: Trial): boolean =>
  phase === 'unproven' &&
  inForce !== undefined &&
  previous !== undefined &&
  wayOf(inForce) === wayOf(previous)

/** Whether time without the broker counts against the state in force. */
export const onTrial = (trial: Trial): boolean =>
  (trial.phase === 'unproven' && trial.previous !== undefined && !isSameWay(trial)) ||
  trial.phase === 'reverted'
