import { getCaCaps, getCaCertificates } from '../scep/index.ts'
import { scepOverPath } from '../scep-over-path.ts'
import type { Scep } from '../desired/profile.ts'
import type { Probe } from './probe.ts'

/** The SCEP server must be reachable over the tested network, or the certificate cannot be renewed there (S2-52). */
export const scepReachable = (settings: Scep): Probe => ({
  probe: 'scep-reachable',
  run: async (path, signal) => {
    using transport = scepOverPath(settings, path)
    const caps = await getCaCaps(transport, signal)
    if (caps.answered) return `GetCACaps: ${caps.keywords.join(' ')}`
    // A server may know nothing of capabilities, and be silent or hang up when asked: as one does that is not there.
    const { certificates } = await getCaCertificates(transport, signal)
    return `GetCACert: ${String(certificates.length)} certificates`
  },
})
