import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { CredentialFacts } from './triage.ts'

/** A credential as it is about to be handed to the supplicant, in bytes: nothing is read from anywhere. */
export interface Credential {
  /** PEM with the leaf first and its chain after it, or one DER certificate. */
  certificate: Uint8Array
  /** PEM, or DER as PKCS#8 or PKCS#1 / SEC 1. */
  key: Uint8Array
  passphrase?: string
  /** The CAs that may have issued the server's certificate, PEM or one DER. */
  serverCa?: Uint8Array
  /** Handed over as a blob, of which the supplicant reads the first certificate only. */
  serverCaAsBlob?: boolean
  /** WPA3-Enterprise 192-bit: P-384, or RSA of 3072 bits and more. */
  suiteB192?: boolean
}

export type ProblemCode =
  | 'certificate-unreadable'
  | 'certificate-expired'
  | 'certificate-not-yet-valid'
  | 'certificate-weak'
  | 'certificate-purpose'
  | 'chain-broken'
  | 'key-unreadable'
  | 'key-mismatch'
  | 'key-weak'
  | 'ca-unreadable'
  | 'ca-expired'
  | 'ca-not-a-ca'
  | 'ca-without-root'
  | 'ca-several-in-blob'

export interface Problem {
  code: ProblemCode
  /** An error makes the join fail for certain; a warning may. */
  severity: 'error' | 'warning'
  text: string
}

export interface Preflight {
  problems: Problem[]
  /** For `triage`, should the join fail all the same. */
  facts: Pick<CredentialFacts, 'certificate' | 'problems'>
}

/**
 * Looks at a credential before the supplicant does, because the supplicant keeps silent about what it cannot read.
 * `now` is milliseconds since the epoch; with `clockTrusted` false, "not yet valid" is not judged. Pure.
 */
export function preflight(credential: Credential, now: number, clockTrusted = true): Preflight {
  const problems: Problem[] = []
  const chain = certificates(credential.certificate)
  const [leaf] = chain
  if (leaf === undefined)
    problems.push(error('certificate-unreadable', 'the client certificate is no certificate'))
  else
    problems.push(
      ...datesOf(leaf, now, clockTrusted),
      ...strengthOf(leaf),
      ...purposeOf(leaf),
      ...linksOf(chain, now),
    )
  const key = keyOf(credential)
  if (key === undefined) problems.push(error('key-unreadable', keyProblem(credential)))
  else problems.push(...keyProblems(key, leaf, credential.suiteB192 === true))
  if (credential.serverCa !== undefined) problems.push(...caProblems(credential.serverCa, credential, now))
  const texts = problems.filter(({ severity }) => severity === 'error').map(({ text }) => text)
  return {
    problems,
    facts: { ...(leaf === undefined ? {} : { certificate: factsOf(chain, leaf) }), problems: texts },
  }
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** All certificates in a PEM text or one DER; empty when there is none that can be read. */
function certificates(bytes: Uint8Array): X509Certificate[] {
  const blocks = Buffer.from(bytes).toString('latin1').match(PEM)
  try {
    return (blocks ?? [Buffer.from(bytes)]).map(block => new X509Certificate(block))
  } catch {
    return []
  }
}

function keyOf({ key, passphrase }: Credential): KeyObject | undefined {
  const secret = passphrase === undefined ? {} : { passphrase }
  const bytes = Buffer.from(key)
  if (isPem(key)) return attempt(() => createPrivateKey({ key: bytes, ...secret }))
  for (const type of ['pkcs8', 'pkcs1', 'sec1'] as const) {
    const found = attempt(() => createPrivateKey({ key: bytes, format: 'der', type, ...secret }))
    if (found === undefined) continue
    // Node opens an encrypted DER key, the supplicant does not: unencrypted, it opens without the passphrase as well.
    return attempt(() => createPrivateKey({ key: bytes, format: 'der', type }))
  }
  return undefined
}

const isPem = (bytes: Uint8Array): boolean => Buffer.from(bytes).includes('-----BEGIN')

/** A SEQUENCE, as every key in DER is one. */
const isDer = (bytes: Uint8Array): boolean => bytes[0] === 0x30

function keyProblem({ key, passphrase }: Credential): string {
  const text = isPem(key) ? Buffer.from(key).toString('latin1') : ''
  if (text.includes('ENCRYPTED'))
    return passphrase === undefined
      ? 'the private key is encrypted and there is no passphrase'
      : 'the passphrase does not open the private key'
  if (isDer(key) && passphrase !== undefined)
    return 'the supplicant cannot read an encrypted DER key: use PEM'
  return 'the private key is no private key'
}

function keyProblems(key: KeyObject, leaf: X509Certificate | undefined, suiteB192: boolean): Problem[] {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {}
  const found: Problem[] = []
  if (leaf !== undefined && !leaf.checkPrivateKey(key))
    found.push(error('key-mismatch', 'the private key does not belong to the client certificate'))
  if (modulusLength !== undefined && modulusLength < 2048)
    found.push(warning('key-weak', `an RSA key of ${modulusLength} bits is refused by many servers`))
  if (suiteB192 && namedCurve !== 'secp384r1' && (modulusLength ?? 0) < 3072)
    found.push(error('key-weak', '192-bit security needs a P-384 key, or RSA of 3072 bits and more'))
  return found
}

function datesOf(leaf: X509Certificate, now: number, clockTrusted: boolean): Problem[] {
  if (Date.parse(leaf.validTo) < now)
    return [error('certificate-expired', `the client certificate expired on ${leaf.validTo}`)]
  if (clockTrusted && Date.parse(leaf.validFrom) > now)
    return [
      error('certificate-not-yet-valid', `the client certificate is not valid before ${leaf.validFrom}`),
    ]
  return []
}

const CLIENT_AUTH = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0']

function purposeOf(leaf: X509Certificate): Problem[] {
  // Node names the list of extended key usages `keyUsage`, and leaves it out where the certificate has none.
  const usages = leaf.keyUsage as string[] | undefined
  if (usages === undefined || usages.some(usage => CLIENT_AUTH.includes(usage))) return []
  return [warning('certificate-purpose', 'the client certificate is not meant for client authentication')]
}

/** Object identifiers of signatures with MD5 and SHA-1, in DER. */
const WEAK: [string, string][] = [
  ['06092a864886f70d010104', 'MD5'],
  ['06092a864886f70d010105', 'SHA-1'],
  ['06072a8648ce3d0401', 'SHA-1'],
]

function strengthOf(leaf: X509Certificate): Problem[] {
  const algorithm = signatureAlgorithm(leaf.raw)
  const weak = WEAK.find(([oid]) => algorithm.startsWith(oid))
  return weak === undefined
    ? []
    : [
        error(
          'certificate-weak',
          `the client certificate is signed with ${weak[1]}, which the supplicant refuses`,
        ),
      ]
}

/** The signatureAlgorithm of a certificate (RFC 5280 section 4.1.1.2) as hex; Node 20 does not tell it. */
function signatureAlgorithm(der: Buffer): string {
  const outer = header(der, 0)
  const body = header(der, outer.start)
  const algorithm = header(der, body.end)
  return der.subarray(algorithm.start, algorithm.end).toString('hex')
}

function header(der: Buffer, at: number): { start: number; end: number } {
  const first = der[at + 1] ?? 0
  if (first < 0x80) return { start: at + 2, end: at + 2 + first }
  const octets = first & 0x7f
  const start = at + 2 + octets
  return { start, end: start + der.readUIntBE(at + 2, octets) }
}

function linksOf(chain: X509Certificate[], now: number): Problem[] {
  return chain.slice(0, -1).flatMap((certificate, at) => {
    const issuer = chain[at + 1]
    if (issuer === undefined) return []
    if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey))
      return [
        warning('chain-broken', `${oneLine(issuer.subject)} did not issue ${oneLine(certificate.subject)}`),
      ]
    return Date.parse(issuer.validTo) < now
      ? [warning('chain-broken', `${oneLine(issuer.subject)} in the chain expired on ${issuer.validTo}`)]
      : []
  })
}

function caProblems(bytes: Uint8Array, { serverCaAsBlob = false }: Credential, now: number): Problem[] {
  const all = certificates(bytes)
  if (all.length === 0) return [error('ca-unreadable', 'the server CA is no certificate')]
  const found = all.flatMap(ca => [
    ...(Date.parse(ca.validTo) < now
      ? [warning('ca-expired', `the server CA ${oneLine(ca.subject)} has expired`)]
      : []),
    ...(ca.ca ? [] : [warning('ca-not-a-ca', `${oneLine(ca.subject)} is not a CA`)]),
  ])
  if (all.every(ca => ca.subject !== ca.issuer))
    found.push(
      warning('ca-without-root', 'no root is among the server CAs: the supplicant trusts no CA below one'),
    )
  if (all.length > 1 && serverCaAsBlob)
    found.push(
      error('ca-several-in-blob', `a blob holds one CA, not ${all.length}: hand them over as a file`),
    )
  return found
}

const factsOf = (
  chain: X509Certificate[],
  leaf: X509Certificate,
): NonNullable<CredentialFacts['certificate']> => ({
  notBefore: Date.parse(leaf.validFrom),
  notAfter: Date.parse(leaf.validTo),
  issuers: [...new Set(chain.map(certificate => certificate.issuer))],
})

const oneLine = (name: string): string => name.replaceAll('\n', ', ')
const error = (code: ProblemCode, text: string): Problem => ({ code, severity: 'error', text })
const warning = (code: ProblemCode, text: string): Problem => ({ code, severity: 'warning', text })

function attempt<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch {
    return undefined
  }
}
