/**
 * Before the first sensor document: the networks of the settings, so that a sensor whose only interface is a tested
 * one can join something and fetch its documents (docs/mqtt.md, bootstrap).
 */
import { parseNetworkProfile, sha256 } from './desired/parse.ts'
import type { Settings } from './config.ts'
import type { Desired, Network } from './types.ts'

export function withBootstrap(desired: Desired, settings: Settings): Desired {
  if (desired.source !== 'none' || !settings.bootstrap) return desired
  const enrollment = Object.entries(settings.bootstrap.networks).flatMap(([id, document]): Network[] => {
    const text = Buffer.from(JSON.stringify(document))
    const parsed = parseNetworkProfile(text, id)
    if (!parsed.ok) return []
    const profile = parsed.document.value
    const { interfaces } = settings
    const own = interfaces.find(({ name, kind }) => name === profile.interface || kind === profile.interface)
    return own ? [{ id, assignment: '', interface: own.name, sha256: sha256(text), profile }] : []
  })
  return { ...desired, source: 'bootstrap', enrollment }
}
