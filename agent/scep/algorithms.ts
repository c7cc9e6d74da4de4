/**
 * Everything this client knows of one algorithm, in one place: what Node calls it, its OIDs, the capability that
 * advertises it (RFC 8894 §3.5.2) and whether it is a reported weakness.
 */

export const digests = {
  'SHA-1': { node: 'sha1', oid: '1.3.14.3.2.26', bytes: 20, capability: 'SHA-1', weak: true },
  'SHA-256': { node: 'sha256', oid: '2.16.840.1.101.3.4.2.1', bytes: 32, capability: 'SHA-256', weak: false },
  'SHA-384': { node: 'sha384', oid: '2.16.840.1.101.3.4.2.2', bytes: 48, capability: undefined, weak: false },
  'SHA-512': { node: 'sha512', oid: '2.16.840.1.101.3.4.2.3', bytes: 64, capability: 'SHA-512', weak: false },
} as const
export type Digest = keyof typeof digests

/** `request`: may be asked for. Single DES is read as 3DES with the key three times over, since OpenSSL 3 has no DES-CBC. */
export const ciphers = {
  'AES-128': {
    node: 'aes-128-cbc',
    oid: '2.16.840.1.101.3.4.1.2',
    keyBytes: 16,
    ivBytes: 16,
    capability: 'AES',
    weak: false,
    request: true,
  },
  'AES-192': {
    node: 'aes-192-cbc',
    oid: '2.16.840.1.101.3.4.1.22',
    keyBytes: 24,
    ivBytes: 16,
    capability: 'AES',
    weak: false,
    request: true,
  },
  'AES-256': {
    node: 'aes-256-cbc',
    oid: '2.16.840.1.101.3.4.1.42',
    keyBytes: 32,
    ivBytes: 16,
    capability: 'AES',
    weak: false,
    request: true,
  },
  '3DES': {
    node: 'des-ede3-cbc',
    oid: '1.2.840.113549.3.7',
    keyBytes: 24,
    ivBytes: 8,
    capability: 'DES3',
    weak: true,
    request: true,
  },
  DES: {
    node: 'des-ede3-cbc',
    oid: '1.3.14.3.2.7',
    keyBytes: 8,
    ivBytes: 8,
    capability: undefined,
    weak: true,
    request: false,
  },
  'AES-128-GCM': {
    node: 'aes-128-gcm',
    oid: '2.16.840.1.101.3.4.1.6',
    keyBytes: 16,
    ivBytes: 12,
    capability: undefined,
    weak: false,
    request: false,
  },
  'AES-256-GCM': {
    node: 'aes-256-gcm',
    oid: '2.16.840.1.101.3.4.1.46',
    keyBytes: 32,
    ivBytes: 12,
    capability: undefined,
    weak: false,
    request: false,
  },
} as const
export type Cipher = keyof typeof ciphers
export type RequestCipher = Exclude<Cipher, 'DES' | AuthenticatedCipher>
export type AuthenticatedCipher = 'AES-128-GCM' | 'AES-256-GCM'

export const keyTransports = {
  PKCS1: { oaep: undefined },
  'OAEP-SHA-1': { oaep: 'SHA-1' },
  'OAEP-SHA-256': { oaep: 'SHA-256' },
  'OAEP-SHA-384': { oaep: 'SHA-384' },
  'OAEP-SHA-512': { oaep: 'SHA-512' },
} as const
export type KeyTransport = keyof typeof keyTransports

/** Signature algorithm OIDs: which digest they name, if they name one (`rsaEncryption` leaves it to digestAlgorithm). */
export const signatures: Record<string, { key: 'rsa' | 'rsa-pss' | 'ec'; digest: Digest | undefined }> = {
  '1.2.840.113549.1.1.1': { key: 'rsa', digest: undefined },
  '1.2.840.113549.1.1.5': { key: 'rsa', digest: 'SHA-1' },
  '1.3.14.3.2.29': { key: 'rsa', digest: 'SHA-1' },
  '1.2.840.113549.1.1.11': { key: 'rsa', digest: 'SHA-256' },
  '1.2.840.113549.1.1.12': { key: 'rsa', digest: 'SHA-384' },
  '1.2.840.113549.1.1.13': { key: 'rsa', digest: 'SHA-512' },
  '1.2.840.113549.1.1.10': { key: 'rsa-pss', digest: undefined },
  '1.2.840.10045.4.1': { key: 'ec', digest: 'SHA-1' },
  '1.2.840.10045.4.3.2': { key: 'ec', digest: 'SHA-256' },
  '1.2.840.10045.4.3.3': { key: 'ec', digest: 'SHA-384' },
  '1.2.840.10045.4.3.4': { key: 'ec', digest: 'SHA-512' },
}

/** What is written as signatureAlgorithm of certificates and requests. */
export const signatureOids = {
  rsa: {
    'SHA-1': '1.2.840.113549.1.1.5',
    'SHA-256': '1.2.840.113549.1.1.11',
    'SHA-384': '1.2.840.113549.1.1.12',
    'SHA-512': '1.2.840.113549.1.1.13',
  },
  ec: {
    'SHA-1': '1.2.840.10045.4.1',
    'SHA-256': '1.2.840.10045.4.3.2',
    'SHA-384': '1.2.840.10045.4.3.3',
    'SHA-512': '1.2.840.10045.4.3.4',
  },
} as const satisfies Record<string, Record<Digest, string>>

export const oids = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  envelopedData: '1.2.840.113549.1.7.3',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  challengePassword: '1.2.840.113549.1.9.7',
  extensionRequest: '1.2.840.113549.1.9.14',
  rsaEncryption: '1.2.840.113549.1.1.1',
  rsaesOaep: '1.2.840.113549.1.1.7',
  mgf1: '1.2.840.113549.1.1.8',
  messageType: '2.16.840.1.113733.1.9.2',
  pkiStatus: '2.16.840.1.113733.1.9.3',
  failInfo: '2.16.840.1.113733.1.9.4',
  senderNonce: '2.16.840.1.113733.1.9.5',
  recipientNonce: '2.16.840.1.113733.1.9.6',
  transactionID: '2.16.840.1.113733.1.9.7',
  failInfoText: '1.3.6.1.5.5.7.24.1',
  /** Of NDES: a signed decimal, its HRESULT (szOID_ENROLL_SCEP_ERROR). */
  serverError: '1.3.6.1.4.1.311.21.33',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
  subjectKeyIdentifier: '2.5.29.14',
  crlDistributionPoints: '2.5.29.31',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  anyExtendedKeyUsage: '2.5.29.37.0',
  certificateTemplateName: '1.3.6.1.4.1.311.20.2',
  userPrincipalName: '1.3.6.1.4.1.311.20.2.3',
  hmacSha1: '1.2.840.113549.2.7',
  pbkdf2: '1.2.840.113549.1.5.12',
  pwriKek: '1.2.840.113549.1.9.16.3.9',
} as const

/** Node's names of what may stand as PRF in PBKDF2 (RFC 8018 §B.1). */
export const prfs: Record<string, string> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
}

const entries = <K extends string, V>(table: Record<K, V>): [K, V][] => Object.entries(table) as [K, V][]

/** The digest of an OID, or undefined for one that is not in the table (MD5 is not, on purpose). */
export const digestByOid = (oid: string): Digest | undefined =>
  entries(digests).find(([, digest]) => digest.oid === oid)?.[0]

export const cipherByOid = (oid: string): Cipher | undefined =>
  entries(ciphers).find(([, cipher]) => cipher.oid === oid)?.[0]

/** Algorithms that are refused have names too: an error that says "MD5" helps more than one that says an OID. */
export const algorithmName = (oid: string): string =>
  digestByOid(oid) ??
  cipherByOid(oid) ??
  {
    '1.2.840.113549.2.5': 'MD5',
    '2.16.840.1.101.3.4.2.4': 'SHA-224',
    '1.2.840.113549.1.1.4': 'md5WithRSAEncryption',
    '1.2.840.113549.3.2': 'RC2-CBC',
    '1.2.840.113549.3.4': 'RC4',
    '2.16.840.1.101.3.4.1.26': 'AES-192-GCM',
  }[oid] ??
  oid
