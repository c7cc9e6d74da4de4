/** GetCACert (RFC 8894 §4.2): one certificate, or a degenerate SignedData. The bytes decide, not the Content-Type (B-10). */
import type { X509Certificate } from 'node:crypto'
import { BerError, members, readFirst, tag } from './ber.ts'
import { pemBlocks } from './certificate.ts'
import { reading, ScepError, type Warning } from './errors.ts'
import { certificateOf, readSignedData } from './signed-data.ts'
import type { Reply, Transport } from './transport.ts'
import { replyNotScep } from './not-scep.ts'

export interface CaReply {
  /** In the server's order, which means nothing. */
  certificates: X509Certificate[]
  warnings: Warning[]
  /** The server's clock (HTTP Date). */
  date: Date | undefined
}

/** Fetches the CA's certificates, and the RA's. They are not verified here: see establishTrust. */
export async function getCaCertificates(transport: Transport, signal: AbortSignal): Promise<CaReply> {
  const reply = await transport.get('GetCACert', signal)
  return { ...readCaReply(reply), date: reply.date }
}

/** Reads the body of a GetCACert reply. Throws `ca-reply-malformed` or `reply-not-scep`. */
export function readCaReply(reply: Reply): Pick<CaReply, 'certificates' | 'warnings'> {
  const warnings: Warning[] = []
  const certificates = reading('The reply to GetCACert', 'ca-reply-malformed', () =>
    fromBytes(reply, warnings),
  )
  if (certificates.length === 0)
    throw new ScepError({
      code: 'ca-reply-malformed',
      kind: 'server-fault',
      title: 'The reply to GetCACert cannot be read',
      detail: 'it holds no certificate',
      hint: 'Check the CA identifier: some servers answer an unknown one with an empty list',
    })
  return { certificates, warnings }
}

function fromBytes(reply: Reply, warnings: Warning[]): X509Certificate[] {
  const bytes = reply.body
  if (bytes.length === 0) throw new BerError('it is empty')
  const pem = bytes.toString('latin1')
  if (/^\s*-----BEGIN /.test(pem) || pem.includes('-----BEGIN CERTIFICATE-----'))
    return fromPem(pem, warnings)
  if (bytes[0] !== tag.sequence) throw replyNotScep('GetCACert', reply)
  const one = readFirst(bytes)
  if (one.bytes.length < bytes.length)
    warnings.push({ code: 'reply-padded', text: 'The reply to GetCACert has bytes after its end' })
  return members(one)[0]?.tag === tag.oid ? fromBag(one.bytes, warnings) : [certificateOf(one.bytes)]
}

const fromPem = (text: string, warnings: Warning[]): X509Certificate[] => [
  ...pemBlocks(text, 'CERTIFICATE').map(certificateOf),
  ...['PKCS7', 'CMS'].flatMap(label => pemBlocks(text, label)).flatMap(bag => fromBag(bag, warnings)),
]

function fromBag(bag: Buffer, warnings: Warning[]): X509Certificate[] {
  const { certificates, unreadable } = readSignedData(bag)
  const [reason] = unreadable
  if (certificates.length === 0 && reason !== undefined) throw new BerError(reason)
  for (const each of unreadable)
    warnings.push({
      code: 'unrelated-certificate',
      text: `One certificate of GetCACert is left aside: ${each}`,
    })
  return certificates
}
