import { getCaCaps, openTransport } from '../scep/index.ts'
import type { Scep } from '../desired/profile.ts'
import type { Probe } from './probe.ts'

/** The SCEP server must be reachable over the tested network, or the certificate cannot be renewed there (S2-52). */
export const scepReachable = (settings: Scep): Probe => ({
  probe: 'scep-reachable',
  run: async (path, signal) => {
    const wire = path.wire(settings.url.startsWith('https:') ? 'https:' : 'http:')
    using transport = openTransport({ url: settings.url, caIdentifier: settings.caIdentifier }, wire)
    const caps = await getCaCaps(transport, signal)
    return caps.answered
      ? `GetCACaps: ${caps.keywords.join(' ')}`
      : 'the server answered without capabilities'
  },
})
