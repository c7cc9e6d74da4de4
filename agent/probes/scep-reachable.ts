import { getCaCaps } from '../scep/index.ts'
import { scepOverPath } from '../scep-over-path.ts'
import type { Scep } from '../desired/profile.ts'
import type { Probe } from './probe.ts'

/** The SCEP server must be reachable over the tested network, or the certificate cannot be renewed there (S2-52). */
export const scepReachable = (settings: Scep): Probe => ({
  probe: 'scep-reachable',
  run: async (path, signal) => {
    using transport = scepOverPath(settings, path)
    const caps = await getCaCaps(transport, signal)
    return caps.answered
      ? `GetCACaps: ${caps.keywords.join(' ')}`
      : 'the server answered without capabilities'
  },
})
