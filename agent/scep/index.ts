/** The SCEP client (RFC 8894): what the rest of the program may use. */
export {
  openTransport,
  defaultLimits,
  type Transport,
  type TransportOptions,
  type Wire,
  type Limits,
  type Step,
  type Reply,
} from './transport.ts'
export { parseServerUrl, type ScepServer } from './url.ts'
export { getCaCaps, advertises, noCapabilities, type Capabilities } from './capabilities.ts'
export { getCaCertificates, type CaReply } from './ca-certificates.ts'
export { addressedToNextCa, getNextCaCertificates } from './next-ca.ts'
export { establishTrust, type Trust } from './trust.ts'
export { certificatesFromPem, issuersAboveChain, type TrustSettings, type Basis } from './anchors.ts'
export { parseFingerprint, sha256Fingerprint } from './fingerprint.ts'
export {
  prepareEnrolment,
  prepareRenewal,
  transactionIdOf,
  challengePasswordOf,
  checkKey,
  type Enrolment,
  type EnrolmentRequest,
  type RenewalRequest,
} from './enrolment.ts'
export { verifyServer } from './chain.ts'
export { requestCertificate, pollCertificate, type Outcome } from './request.ts'
export { distributionPoints, readCrl, revokedAt, type Crl } from './crl.ts'
export { getCertificate, getCrl, type Asker } from './query.ts'
export type { RequestSettings, Peer } from './exchange.ts'
export {
  renewalMethod,
  pollDelays,
  defaultPollLimits,
  pendingGivenUp,
  pollingUnsupported,
  capsWeakened,
  type PollLimits,
} from './policy.ts'
export type { Issued } from './issued.ts'
export { withoutSecret } from './secret.ts'
export { alternativeName, type AlternativeName, type MacCarrier, type Subject } from './names.ts'
export {
  endsTransaction,
  wasNotTaken,
  ScepError,
  type FailInfo,
  type PkiStatus,
  type ScepCode,
  type ScepKind,
  type ScepProblem,
  type Warning,
} from './errors.ts'
export type { Digest, KeyTransport, RequestCipher } from './algorithms.ts'
export { describe, describeCertificate, describeRequest, type Described } from './describe.ts'
export { algorithmWarnings } from './capabilities.ts'
export { algorithmsFor } from './exchange.ts'
export { generateKey, keyKinds, type KeyKind } from './key-generation.ts'
