/** The CAs of the tests' own SCEP server, and the RADIUS server's certificates that they issue. */
import { X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import {
  bag,
  fixtureKey,
  issuedBy,
  rootCa,
  type CertificateOptions,
  type FixtureKey,
  type Holder,
} from '../../scep-server/authority.ts'
import { sequence, tlv } from '../../scep-server/asn1.ts'
import { plainShape, type Shape } from '../../scep-server/shapes.ts'

const day = 86_400_000
type Dates = Required<Pick<CertificateOptions, 'notBefore' | 'notAfter'>>

/** A life of a year, of which so many days are left. */
export const left = (days: number): Dates => {
  const end = Date.now() + days * day
  return { notBefore: new Date(end - 365 * day), notAfter: new Date(end) }
}

/** A CA that stays the same over restarts of the daemon. */
export async function root(name: string, key: FixtureKey, file: string, dates: Dates): Promise<Holder> {
  const there = await readFile(file, 'utf8').catch(() => undefined)
  if (there !== undefined) return { certificate: new X509Certificate(there), key: fixtureKey(key) }
  const made = rootCa(name, fixtureKey(key), dates)
  await writeFile(file, made.certificate.toString())
  return made
}

/** The CA that does everything itself, like Debian's server. */
export const plain = (ca: Holder): Shape => ({
  ...plainShape(),
  caReply: { type: 'application/x-x509-ca-cert', body: ca.certificate.raw },
  ...{ ca, decrypter: ca, signer: ca },
})

/** A policy CA below the root, an issuing CA below that, and an RA that opens and signs; days that are left of the two. GetCACert has no order. */
export function tiers(above: Holder, days: { ca: number; ra: number }): Shape {
  const between = (issuer: Holder, name: string, key: FixtureKey, daysLeft: number): Holder =>
    issuedBy(issuer, name, fixtureKey(key), {
      ...{ ca: true, usage: ['keyCertSign', 'cRLSign'], ...left(daysLeft) },
    })
  const policy = between(above, 'Policy CA', 'rsa-2048-b', 300)
  const ca = between(policy, 'Issuing CA', 'rsa-2048-c', days.ca)
  const ra = issuedBy(ca, 'SCEP RA', fixtureKey('rsa-3072'), {
    ...{ ca: false, usage: ['digitalSignature', 'keyEncipherment'], ...left(days.ra) },
  })
  const body = bag([policy, ra, above, ca].map(each => each.certificate))
  return {
    ...plainShape(),
    caReply: { type: 'application/x-x509-ca-ra-cert', body },
    ...{ ca, decrypter: ra, signer: ra },
  }
}

const dnsName = (name: string): Buffer => sequence(tlv(0x82, Buffer.from(name, 'latin1')))

/** Writes a RADIUS server's certificate with its key and its CA, as FreeRADIUS takes them. */
export async function radiusServer(file: string, ca: Holder, dates: Dates): Promise<void> {
  const { certificate, key } = issuedBy(ca, 'radius.example.org', fixtureKey('rsa-2048-d'), {
    ca: false,
    usage: ['digitalSignature', 'keyEncipherment'],
    purposes: ['1.3.6.1.5.5.7.3.1'],
    names: dnsName('radius.example.org'),
    ...dates,
  })
  const parts = [certificate, key.export({ type: 'pkcs8', format: 'pem' }), ca.certificate]
  await writeFile(file, parts.map(String).join('\n'))
}
