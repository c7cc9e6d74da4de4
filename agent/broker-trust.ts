/**
 * The certificate of the broker where the system clock, by which TLS judges it, is not to be believed: a sensor with one interface has nobody
 * who sets that clock, and would be cut off for good by a certificate that is younger. Everything but the time is judged as TLS does.
 */
import type { X509Certificate } from 'node:crypto'
import { rootCertificates } from 'node:tls'
import type { Clock } from './clock.ts'
import { Untrusted, type Judge } from './mqtt/socket.ts'
import { certificatesFromPem, verifyServer } from './scep/index.ts'

/** While the time is not known nothing is too early; and out of date is what is so by either clock. */
export const judgeBy =
  (clock: Pick<Clock, 'now'> & { reading: { trusted: boolean } }): Judge =>
  (chain, ca) => {
    const anchors = certificatesFromPem(ca === undefined ? rootCertificates : [ca])
    const verified = verifyServer(chain, anchors)
    if (!verified.ok) throw new Untrusted('CERT_UNTRUSTED', verified.reason)
    const { trusted } = clock.reading
    const now = trusted ? clock.now() : Math.max(clock.now(), Date.now())
    for (const certificate of verified.path) refuseDates(certificate, now, trusted)
  }

function refuseDates({ validFrom, validTo }: X509Certificate, now: number, trusted: boolean): void {
  const by = `by the time of the sensor, ${new Date(now).toISOString()}`
  if (now > Date.parse(validTo)) throw new Untrusted('CERT_HAS_EXPIRED', `certificate has expired, ${by}`)
  if (trusted && now < Date.parse(validFrom))
    throw new Untrusted('CERT_NOT_YET_VALID', `certificate is not yet valid, ${by}`)
}
