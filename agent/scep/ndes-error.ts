/** The number with which NDES says why it refuses (szOID_ENROLL_SCEP_ERROR): an HRESULT of winerror.h as a signed decimal. */

export interface NdesError {
  /** `0x80094012`, and what it means where that is known. */
  words: string
  /** Who has to do what, where that is known. */
  hint: string | undefined
}

const enroll =
  'Give the accounts of NDES, that of its service and that of its RA certificates, the Enroll right'

/** Those that another than the sensor has to mend, or another setting of it. */
const known: Record<string, readonly [meaning: string, hint: string]> = {
  '0x80094001': [
    'the subject is invalid or too long',
    'Choose another common name for this network, as the certificate template asks',
  ],
  '0x80094011': ['the CA does not let NDES enrol', `${enroll} on the CA`],
  '0x80094012': ['the certificate template does not let NDES enrol', `${enroll} on the certificate template`],
  '0x80094014': [
    'an administrator of the CA has denied it',
    'Ask the administrator of the CA why, and let it issue without approval',
  ],
  '0x80094016': [
    'the key or the signature is too weak',
    'Choose a longer key, and SHA-256 or better, for this network',
  ],
  '0x80094800': [
    'the CA does not offer the certificate template',
    'Publish the template on the CA, or correct the names of templates in the registry of NDES (Cryptography\\MSCEP)',
  ],
  '0x80094803': [
    'the certificate template asks for an alternative name',
    'Give this network an alternative name, as the certificate template asks',
  ],
  '0x80094811': [
    'the key is shorter than the certificate template asks',
    'Choose a longer key for this network',
  ],
  '0x800706ba': [
    'NDES does not reach its CA',
    'See that the CA runs, and that NDES reaches it by RPC: routing, firewall',
  ],
}

/** Undefined for what is no such number. */
export function ndesError(text: string | undefined): NdesError | undefined {
  if (text === undefined || !/^-?\d{1,10}$/.test(text)) return undefined
  const number = Number(text)
  if (number < -(2 ** 31) || number >= 2 ** 32) return undefined
  const name = `0x${(number >>> 0).toString(16).padStart(8, '0')}`
  const [meaning, hint] = known[name] ?? []
  return { words: meaning === undefined ? name : `${name}, ${meaning}`, hint }
}
