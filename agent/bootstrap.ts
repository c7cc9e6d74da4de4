/**
 * Before the first sensor document: the networks of the settings, so that a sensor whose only interface is a tested
 * one can join something and fetch its documents (docs/mqtt.md, bootstrap).
 */
import { parseNetworkProfile, sha256 } from './desired/parse.ts'
import { askedName, interfaceFor } from './desired/view.ts'
import type { Settings } from './config.ts'
import type { Desired, Network } from './types.ts'

/** What no interface of this sensor goes with is held and said: nobody could tell from outside why a sensor does not come. */
export function withBootstrap(
  desired: Desired,
  { bootstrap, interfaces }: Pick<Settings, 'bootstrap' | 'interfaces'>,
): Desired {
  if (desired.source !== 'none' || !bootstrap) return desired
  const enrollment: Network[] = []
  const held: Desired['held'] = []
  for (const [id, document] of Object.entries(bootstrap.networks)) {
    const text = Buffer.from(JSON.stringify(document))
    const parsed = parseNetworkProfile(text, id)
    if (!parsed.ok) continue // among the problems: see DesiredState
    const profile = parsed.document.value
    const found = interfaceFor(profile, interfaces)
    if ('why' in found) held.push({ id, assignment: '', state: 'waiting', why: found.why })
    else {
      const name = askedName(profile, desired.name)
      enrollment.push({ id, assignment: '', interface: found.name, sha256: sha256(text), profile, ...name })
    }
  }
  return { ...desired, source: 'bootstrap', enrollment, held }
}
