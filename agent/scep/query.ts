/** GetCert and GetCRL (RFC 8894 §4.5, §4.6): optional for servers; CRL distribution points are the better way (B-62). */
import { randomBytes, type KeyObject, type X509Certificate } from 'node:crypto'
import { encode, raw, sequence } from './der.ts'
import type { CertRep } from './cert-rep.ts'
import { fieldsOf } from './certificate.ts'
import { openEnvelope, unreadable } from './enveloped-data.ts'
import { BerError } from './ber.ts'
import { reading, ScepError } from './errors.ts'
import { exchange, type Peer, type Question, type RequestSettings } from './exchange.ts'
import { refusal } from './refusal.ts'
import { encodeSerial, readSignedData, type SignedData } from './signed-data.ts'

/** Who asks: a certificate the server knows, or a self-signed one, with its RSA key. */
export interface Asker {
  certificate: X509Certificate
  key: KeyObject
}

/** Fetches a certificate of the issuing CA by its serial number (hexadecimal). Throws ScepError. */
export async function getCertificate(
  peer: Peer,
  serialNumber: string,
  asker: Asker,
  settings: RequestSettings,
  signal: AbortSignal,
): Promise<X509Certificate> {
  const digits = serialNumber.replaceAll(/[\s:]/g, '')
  if (!/^[0-9a-f]{1,40}$/i.test(digits)) throw noSuch('serialNumber', `"${serialNumber}" is no serial number`)
  const serial = Buffer.from(digits.length % 2 ? `0${digits}` : digits, 'hex')
  const positive = (serial[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.alloc(1), serial]) : serial
  const found = await ask(
    peer,
    { type: 'GetCert', data: issuerAndSerial(fieldsOf(peer.trust.issuer).subject, positive) },
    asker,
    settings,
    signal,
  )
  const certificate = found.certificates.find(each => fieldsOf(each).serial.equals(positive))
  if (!certificate) throw noSuch('reply', 'the server sent another certificate')
  return certificate
}

/** Fetches the CRL that covers `certificate`, as DER. Its signature is for the caller to check. Throws ScepError. */
export async function getCrl(
  peer: Peer,
  certificate: X509Certificate,
  asker: Asker,
  settings: RequestSettings,
  signal: AbortSignal,
): Promise<Buffer> {
  const { issuer, serial } = fieldsOf(certificate)
  const found = await ask(
    peer,
    { type: 'GetCRL', data: issuerAndSerial(issuer, serial) },
    asker,
    settings,
    signal,
  )
  const [crl] = found.crls
  if (!crl) throw noSuch('reply', 'the server sent no CRL')
  return crl
}

const issuerAndSerial = (issuer: Buffer, serial: Buffer): Buffer =>
  encode(sequence(raw(issuer), raw(encodeSerial(serial))))

function ask(
  peer: Peer,
  question: Pick<Question, 'type' | 'data'>,
  asker: Asker,
  settings: RequestSettings,
  signal: AbortSignal,
): Promise<SignedData> {
  const transactionId = randomBytes(32).toString('hex')
  return exchange(
    peer,
    { ...question, transactionId, signer: asker },
    settings,
    certRep => content(certRep, asker, question.type),
    signal,
  )
}

function content(certRep: CertRep, asker: Asker, type: Question['type']): SignedData {
  switch (certRep.status) {
    case 'PENDING':
      throw noSuch('reply', `the server answered ${type} with PENDING`)
    case 'FAILURE':
      throw refusal(certRep, { renewal: false, firstEc: false, type })
    case 'SUCCESS': {
      const opened = reading("The CertRep's envelope", 'reply-malformed', () =>
        openEnvelope(certRep.envelope, asker),
      )
      try {
        return readSignedData(opened.content)
      } catch (error) {
        throw error instanceof BerError ? unreadable(error) : error
      }
    }
  }
}

const noSuch = (what: string, detail: string): ScepError =>
  new ScepError({
    code: 'certificate-missing',
    kind: what === 'reply' ? 'server-fault' : 'misconfigured',
    title: 'The certificate or CRL could not be fetched by SCEP',
    detail,
    hint: 'Fetch it from the distribution point that the certificate names',
  })
