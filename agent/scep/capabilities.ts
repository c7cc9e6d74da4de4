/** GetCACaps (RFC 8894 §3.5): what a server says it can do. No answer is an answer: nothing is advertised (B-03). */
import { isAbortError, ScepError, type Warning } from './errors.ts'
import { ciphers, digests, type Cipher, type Digest, type RequestCipher } from './algorithms.ts'
import type { Transport } from './transport.ts'

export interface Capabilities {
  /** Whether the server answered GetCACaps with a list. */
  answered: boolean
  /** As sent, trimmed, at most 64. */
  keywords: string[]
  /** The server's clock (HTTP Date). */
  date?: Date | undefined
}

/** Asks for the capabilities. Throws only when the server cannot be reached at all. */
export async function getCaCaps(transport: Transport, signal: AbortSignal): Promise<Capabilities> {
  try {
    const reply = await transport.get('GetCACaps', signal)
    return { ...readCapabilities(reply.body.toString('utf8')), date: reply.date }
  } catch (error) {
    if (isAbortError(error) || !(error instanceof ScepError) || !isSilence(error)) throw error
    return noCapabilities
  }
}

export const noCapabilities: Capabilities = { answered: false, keywords: [] }

/** IIS may answer an unknown operation with an error page, hang up or not answer at all; the other operations still work. */
const isSilence = ({ code }: ScepError): boolean =>
  code === 'http-status' ||
  code === 'connection-lost' ||
  code === 'reply-timeout' ||
  code === 'reply-too-large'

/** Reads the body: lines of one keyword, any line end, any case, unknown ones kept, a byte order mark or NUL left out. An HTML page is no list. */
export function readCapabilities(body: string): Capabilities {
  if (/<[a-z!]/i.test(body)) return noCapabilities
  const keywords = body
    .split(/[\r\n]+/)
    .map(line => line.replace(/^[\s\0]+|[\s\0]+$/g, ''))
    .filter(line => /^[\x21-\x7e]{1,64}$/.test(line))
    .slice(0, 64)
  return { answered: keywords.length > 0, keywords }
}

/** Whether a keyword is advertised; `SCEPStandard` implies what RFC 8894 §3.5.2 says it does. */
export function advertises(caps: Capabilities, keyword: string): boolean {
  const has = (name: string): boolean => caps.keywords.some(each => each.toLowerCase() === name.toLowerCase())
  const standard = ['AES', 'POSTPKIOperation', 'SHA-256'].includes(keyword) && has('SCEPStandard')
  return standard || has(keyword)
}

/** POST is a MUST where it is offered (B-01). */
export const usesPost = (caps: Capabilities): boolean => advertises(caps, 'POSTPKIOperation')

/** The best of what is advertised: AES-128 before 3DES, SHA-256 before SHA-512 before SHA-1 (B-30, B-31). */
export function automaticEncryption(caps: Capabilities): RequestCipher {
  return advertises(caps, 'AES') || (!advertises(caps, 'DES3') && !caps.answered) ? 'AES-128' : '3DES'
}

export function automaticDigest(caps: Capabilities): Digest {
  if (advertises(caps, 'SHA-256') || !caps.answered) return 'SHA-256'
  return advertises(caps, 'SHA-512') ? 'SHA-512' : 'SHA-1'
}

/** A chosen algorithm is used although it is weak or not advertised, and said so. */
export function algorithmWarnings(caps: Capabilities, encryption: Cipher, digest: Digest): Warning[] {
  const chosen = [
    { name: encryption, ...ciphers[encryption], code: 'weak-encryption' as const },
    { name: digest, ...digests[digest], code: 'weak-digest' as const },
  ]
  return chosen.flatMap(({ name, weak, capability, code }): Warning[] => [
    ...(weak ? [{ code, text: `Requests use ${name}, which is weak` }] : []),
    ...(caps.answered && (capability === undefined || !advertises(caps, capability))
      ? [{ code: 'not-advertised' as const, text: `The SCEP server does not advertise ${name}` }]
      : []),
  ])
}
