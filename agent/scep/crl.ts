/** CRLs from distribution points (RFC 5280 sections 4.2.1.13 and 5): where they are, what is on them. */
import { verify, type X509Certificate } from 'node:crypto'
import { BerError, bits, date, Fields, members, oidText, read, tag, type Element } from './ber.ts'
import { digests, oids, signatures } from './algorithms.ts'
import { fieldsOf, readExtensions } from './certificate.ts'

export interface Crl {
  thisUpdate: Date
  /** Absent in CRLs that do not say when the next one comes. */
  nextUpdate: Date | undefined
  /** Serial numbers in hex, as contents octets, with the time of revocation. */
  revoked: ReadonlyMap<string, Date>
}

/** The http URLs of the certificate's CRL distribution points, in order; LDAP and the rest are left out. */
export function distributionPoints(certificate: X509Certificate): string[] {
  const tbs = new Fields(read(certificate.raw), 'Certificate').take('tbsCertificate')
  const extensions = members(tbs).find(({ tag: each }) => each === tag.context(3))
  const value = readExtensions(extensions).get(oids.crlDistributionPoints)
  return value ? members(read(value)).flatMap(fullNames) : []
}

/** `DistributionPoint ::= SEQUENCE { distributionPoint [0] { fullName [0] GeneralNames | … }, … }` */
function fullNames(point: Element): string[] {
  const name = members(point).find(({ tag: each }) => each === tag.context(0))
  const full = name && members(name).find(({ tag: each }) => each === tag.context(0))
  const uris = full ? members(full).filter(({ tag: each }) => each === tag.contextPrimitive(6)) : []
  return uris.map(({ content }) => content.toString('latin1')).filter(uri => uri.startsWith('http://'))
}

/** Reads a CRL (DER) and checks that `issuer` signed it. Throws BerError for anything else. */
export function readCrl(der: Buffer, issuer: X509Certificate): Crl {
  const list = new Fields(read(der), 'CertificateList')
  const tbs = list.take('tbsCertList', tag.sequence)
  const algorithm = new Fields(list.take('signatureAlgorithm'), 'signatureAlgorithm')
  const digest = signatures[oidText(algorithm.take('algorithm'))]?.digest
  const signature = bits(list.take('signatureValue', tag.bitString))
  if (digest === undefined) throw new BerError('the CRL is signed by an algorithm that is not known')
  const fields = new Fields(tbs, 'TBSCertList')
  fields.optional(tag.integer)
  fields.take('signature')
  if (!fields.take('issuer', tag.sequence).bytes.equals(fieldsOf(issuer).subject))
    throw new BerError('the CRL is of another issuer')
  if (!verify(digests[digest].node, tbs.bytes, issuer.publicKey, signature))
    throw new BerError('the signature of the CRL is wrong')
  const thisUpdate = date(fields.take('thisUpdate', tag.utcTime, tag.generalizedTime))
  const next = fields.optional(tag.utcTime, tag.generalizedTime)
  return { thisUpdate, nextUpdate: next && date(next), revoked: entries(fields.optional(tag.sequence)) }
}

function entries(list: Element | undefined): Map<string, Date> {
  const found = new Map<string, Date>()
  for (const entry of list ? members(list) : []) {
    const fields = new Fields(entry, 'revokedCertificate')
    const serial = fields.take('userCertificate', tag.integer).content.toString('hex')
    found.set(serial, date(fields.take('revocationDate', tag.utcTime, tag.generalizedTime)))
  }
  return found
}

/** When the certificate was revoked according to the CRL, or undefined. */
export const revokedAt = (crl: Crl, certificate: X509Certificate): Date | undefined =>
  crl.revoked.get(fieldsOf(certificate).serial.toString('hex'))
