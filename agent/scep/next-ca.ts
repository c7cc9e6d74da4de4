/** GetNextCACert (RFC 8894 §4.7): the CA of tomorrow, vouched for by the CA of today (B-17). */
import type { X509Certificate } from 'node:crypto'
import { isCa } from './certificate.ts'
import { reading, ScepError } from './errors.ts'
import { readSignedData, signerOf, verifies } from './signed-data.ts'
import type { Transport } from './transport.ts'
import { isTrustedSigner, type Trust } from './trust.ts'

/**
 * Fetches the certificates that take over, for servers that advertise GetNextCACert. They are to be trusted beside the present
 * ones from now on (`TrustSettings.next`), not instead of them. Throws `next-ca-untrusted` when no present CA signed them.
 */
export async function getNextCaCertificates(
  transport: Transport,
  trust: Trust,
  signal: AbortSignal,
): Promise<X509Certificate[]> {
  const reply = await transport.get('GetNextCACert', signal)
  return readNextCa(reply.body, trust)
}

/**
 * Trust for a request to the next CA before it has taken over (RFC 8894 §5.1, figure 9): the CA tells by whom the envelope is for
 * which key shall issue. `trust` was established with `next` among `TrustSettings.next`.
 */
export const addressedToNextCa = (trust: Trust, next: X509Certificate): Trust => ({
  ...trust,
  recipient: next,
  issuer: next,
})

/** Reads and verifies the body of the reply. */
export const readNextCa = (body: Buffer, trust: Trust): X509Certificate[] =>
  reading('The reply to GetNextCACert', 'ca-reply-malformed', () => verifiedNextCa(body, trust))

function verifiedNextCa(body: Buffer, trust: Trust): X509Certificate[] {
  const data = readSignedData(body)
  const [signer] = data.signers
  const certificate = signer && signerOf(signer, [...trust.certificates, ...data.certificates])
  if (!signer || !certificate) throw untrusted('it is not signed by a known certificate')
  if (!isCa(certificate) || !isTrustedSigner(trust, certificate))
    throw untrusted('its signer is not the present CA')
  if (!verifies(signer, data.content, certificate.publicKey)) throw untrusted('its signature is wrong')
  // RFC 8894 §4.7.1 puts a certificate bag inside; older servers leave the content empty and use the outer bag.
  const { content } = data
  const bag = content && content.length > 0 ? readSignedData(content).certificates : data.certificates
  const next = bag.filter(isCa)
  if (next.length === 0) throw untrusted('it holds no CA certificate')
  return next
}

const untrusted = (detail: string): ScepError =>
  new ScepError({
    code: 'next-ca-untrusted',
    kind: 'server-fault',
    title: 'The next CA certificate is not trusted',
    detail,
    hint: 'Ask the CA administrator for the new CA certificate and upload it',
  })
