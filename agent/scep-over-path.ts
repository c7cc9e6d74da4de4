/** The SCEP server of a network, over the path that is there. */
import { checkpoint } from './checkpoint.ts'
import type { Scep } from './desired/profile.ts'
import type { Path } from './path/index.ts'
import { openTransport, type Transport, type TransportOptions } from './scep/index.ts'

/** Each exchange passes a checkpoint, also over a connection that is still open. An https server may have its certificate from the CA that the operator uploaded. */
export function scepOverPath(
  { url, caIdentifier, caCertificates }: Scep,
  path: Path,
  options?: Omit<TransportOptions, 'onSend'>,
): Transport {
  const wire = path.wire(url.startsWith('https:') ? 'https:' : 'http:')
  const onSend = (name: string): void => {
    checkpoint(`send ${name}`)
  }
  return openTransport({ url, caIdentifier }, { ...wire, tlsRoots: caCertificates }, { ...options, onSend })
}
