/** The SCEP server of a network, over the path that is there. */
import type { Scep } from './desired/profile.ts'
import type { Path } from './path/index.ts'
import { openTransport, type Transport, type TransportOptions } from './scep/index.ts'

/** An https server may have its certificate from the CA that the operator uploaded. */
export function scepOverPath(
  { url, caIdentifier, caCertificates }: Scep,
  path: Path,
  options?: TransportOptions,
): Transport {
  const wire = path.wire(url.startsWith('https:') ? 'https:' : 'http:')
  return openTransport({ url, caIdentifier }, { ...wire, tlsRoots: caCertificates }, options)
}
