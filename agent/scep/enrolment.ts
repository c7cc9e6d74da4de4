/**
 * Everything of a request that must be on disk before the POST leaves: it is made here, as plain text values.
 *
 * After a restart the same enrolment is polled, or sent again with the same key and transactionID (RFC 8894 §3.2.1.1, §4.4).
 */
import { createHash, createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto'
import { oids, type Digest } from './algorithms.ts'
import { fieldsOf, pem, pemBlocks } from './certificate.ts'
import {
  certificationRequest,
  keyKind,
  publicKeyInfo,
  readRequest,
  signerCertificate,
  type RequestFields,
} from './certification-request.ts'
import { BerError } from './ber.ts'
import { reading, ScepError } from './errors.ts'
import { generateKey } from './key-generation.ts'
import { distinguishedName, subjectAltName, type AlternativeName, type Subject } from './names.ts'

/** One open request, JSON all through. It holds the challenge password (in `csr`): file mode 0600. */
export interface Enrolment {
  format: 1
  messageType: 'PKCSReq' | 'RenewalReq'
  /** Whether it replaces a certificate: a refusal has another title then (S2-57). */
  renewal: boolean
  transactionId: string
  /** PEM CERTIFICATE REQUEST; carries the key the certificate is for. */
  csr: string
  /** PEM: the self-signed certificate, or at renewal the current one. */
  signerCertificate: string
  /** PEM PKCS#8, only when the signer's key exists nowhere else: the RSA key that stands in for an EC key. */
  signerKey?: string
}

interface Common {
  /** The private key the certificate is for. */
  key: KeyObject
  challengePassword?: string | undefined
  /** Digest of the signatures of CSR and self-signed certificate (S2-37). */
  signature: Digest
  /** Microsoft certificate template name. */
  template?: string | undefined
  /** OIDs of extendedKeyUsage; clientAuth when omitted. */
  purposes?: readonly string[] | undefined
  /** notBefore of the self-signed certificate, less a day; the time of the call when omitted. */
  validFrom?: Date | undefined
  /** For an EC key: the RSA key that signs the message and opens the reply; made here when omitted. */
  transportKey?: KeyObject | undefined
}

export interface EnrolmentRequest extends Common {
  subject: Subject
  names: readonly AlternativeName[]
}

/** Makes a PKCSReq for a new certificate. Throws `name-invalid`, `key-unsupported`. */
export function prepareEnrolment(request: EnrolmentRequest): Promise<Enrolment> {
  const alternativeNames = request.names.length > 0 ? subjectAltName(request.names) : undefined
  return selfSigned(request, distinguishedName(request.subject), alternativeNames, false)
}

export interface RenewalRequest extends Common {
  /** PEM of the certificate in force; its subject and names are asked for again, byte for byte (B-72). */
  currentCertificate: string
  /** `RenewalReq` and `PKCSReq` are signed with the current key; `re-enrol` is a PKCSReq with a self-signed certificate. */
  method: 'RenewalReq' | 'PKCSReq' | 're-enrol'
}

/**
 * Makes the request that renews a certificate (RFC 8894 §2.5). The reply is opened by the key of `currentCertificate`, so that
 * key goes to requestCertificate. An EC certificate cannot open a reply: it is renewed as `re-enrol` whatever the method.
 */
export async function prepareRenewal(request: RenewalRequest): Promise<Enrolment> {
  const current = reading('The current certificate', 'enrolment-invalid', () =>
    certificateFromPem(request.currentCertificate),
  )
  const { subject, alternativeNames } = fieldsOf(current)
  if (request.method === 're-enrol' || current.publicKey.asymmetricKeyType !== 'rsa')
    return selfSigned(request, subject, alternativeNames, true)
  const csr = await buildRequest(request, subject, alternativeNames)
  return {
    format: 1,
    messageType: request.method,
    renewal: true,
    transactionId: transactionIdOf(request.key),
    csr: pem('CERTIFICATE REQUEST', csr),
    signerCertificate: pem('CERTIFICATE', current.raw),
  }
}

async function selfSigned(
  request: Common,
  subject: Buffer,
  alternativeNames: Buffer | undefined,
  renewal: boolean,
): Promise<Enrolment> {
  const kind = checkKey(request.key)
  const signerKey = kind === 'rsa' ? request.key : (request.transportKey ?? (await generateKey('rsa-2048')))
  const [csr, certificate] = await Promise.all([
    buildRequest(request, subject, alternativeNames),
    signerCertificate(subject, signerKey, request.signature, request.validFrom ?? new Date()),
  ])
  return {
    format: 1,
    messageType: 'PKCSReq',
    renewal,
    transactionId: transactionIdOf(request.key),
    csr: pem('CERTIFICATE REQUEST', csr),
    signerCertificate: pem('CERTIFICATE', certificate),
    ...(kind === 'rsa' ? {} : { signerKey: signerKey.export({ type: 'pkcs8', format: 'pem' }).toString() }),
  }
}

const buildRequest = (
  request: Common,
  subject: Buffer,
  alternativeNames: Buffer | undefined,
): Promise<Buffer> =>
  certificationRequest(
    {
      subject,
      alternativeNames,
      challengePassword: request.challengePassword,
      template: request.template,
      purposes: request.purposes ?? [oids.clientAuth],
      keyEncipherment: keyKind(request.key) === 'rsa',
    },
    request.key,
    request.signature,
  )

/** Hex of the SHA-256 of the public key: unique, since a key is used for one request only, and all PrintableString (B-21). */
export const transactionIdOf = (key: KeyObject): string =>
  createHash('sha256').update(publicKeyInfo(key)).digest('hex')

/** Throws `key-unsupported`. */
export function checkKey(key: KeyObject): 'rsa' | 'ec' {
  const curve = key.asymmetricKeyDetails?.namedCurve
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (key.type === 'private' && key.asymmetricKeyType === 'rsa' && bits >= 1024) return 'rsa'
  if (
    key.type === 'private' &&
    key.asymmetricKeyType === 'ec' &&
    (curve === 'prime256v1' || curve === 'secp384r1')
  )
    return 'ec'
  throw new ScepError({
    code: 'key-unsupported',
    kind: 'misconfigured',
    title: 'The key cannot be used for SCEP',
    detail:
      `it is ${key.type === 'private' ? '' : 'not a private key but '}${key.asymmetricKeyType ?? key.type} ${curve ?? (bits ? String(bits) : '')}`.trim(),
    hint: 'Use RSA of 1024 bits or more, EC P-256 or EC P-384',
  })
}

function certificateFromPem(text: string): X509Certificate {
  const [der] = pemBlocks(text, 'CERTIFICATE')
  if (!der) throw new BerError('there is no PEM certificate')
  try {
    return new X509Certificate(der)
  } catch (error) {
    throw new BerError(error instanceof Error ? error.message : String(error))
  }
}

/** The challenge password that an enrolment on disk carries. Throws `enrolment-invalid`. */
export const challengePasswordOf = ({ csr }: Enrolment): string | undefined =>
  reading('The open enrolment', 'enrolment-invalid', () => requestOf(csr).request.challengePassword)

function requestOf(text: string): { csr: Buffer; request: RequestFields } {
  const [csr] = pemBlocks(text, 'CERTIFICATE REQUEST')
  if (!csr) throw new BerError('there is no PEM request')
  return { csr, request: readRequest(csr) }
}

/** An enrolment with its parts read, as the messages need it. */
export interface OpenEnrolment {
  messageType: 'PKCSReq' | 'RenewalReq'
  transactionId: string
  csr: Buffer
  request: RequestFields
  /** The certificate that signs, and the key that signs and opens. */
  signer: { certificate: X509Certificate; key: KeyObject }
  renewal: boolean
  /** An EC certificate is asked for, and it is not one that replaces an EC certificate. */
  firstEc: boolean
}

/** Reads an enrolment from disk. `key` is that of the signer certificate. Throws `enrolment-invalid`. */
export function openEnrolment(enrolment: Enrolment, key: KeyObject): OpenEnrolment {
  return reading('The open enrolment', 'enrolment-invalid', () => {
    const { csr, request } = requestOf(enrolment.csr)
    const certificate = certificateFromPem(enrolment.signerCertificate)
    const signerKey = enrolment.signerKey === undefined ? key : createPrivateKey(enrolment.signerKey)
    if (!certificate.checkPrivateKey(signerKey))
      throw new BerError('the key is not that of the signer certificate')
    return {
      messageType: enrolment.messageType,
      transactionId: enrolment.transactionId,
      csr,
      request,
      signer: { certificate, key: signerKey },
      renewal: enrolment.renewal,
      firstEc:
        keyKind(createPublicKey({ key: request.publicKey, format: 'der', type: 'spki' })) === 'ec' &&
        (!enrolment.renewal || enrolment.signerKey === undefined),
    }
  })
}
