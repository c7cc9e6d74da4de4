/** The URLs of a SCEP server (RFC 8894 §4.1, B-02, B-04, B-05). */
import { ScepError } from './errors.ts'

export interface ScepServer {
  url: string
  /** Sent as `message=` with GetCACaps, GetCACert and GetNextCACert; '' leaves it out. */
  caIdentifier: string
}

export type Operation = 'GetCACaps' | 'GetCACert' | 'GetNextCACert' | 'PKIOperation'

/** Where a server is, without credentials, query or operation: for messages. Throws `url-invalid`. */
export function parseServerUrl(written: string): URL {
  const url = URL.canParse(written.trim()) ? new URL(written.trim()) : undefined
  if (!url) throw unusable('it is no URL')
  if ((url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '')
    throw unusable(`it begins with ${url.protocol}`)
  if (!decodes(url.username) || !decodes(url.password))
    throw unusable('user and password before the @ are not percent-encoded')
  url.hash = ''
  return url
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

const unusable = (detail: string): ScepError =>
  new ScepError({
    code: 'url-invalid',
    kind: 'misconfigured',
    title: 'The SCEP server URL cannot be used',
    detail,
    hint: 'Give the whole URL, e.g. http://ndes.example.org/certsrv/mscep/mscep.dll/pkiclient.exe',
  })

/**
 * Path and query of one operation. A trailing `?`, an existing query and a URL without a path are all at home: the query of the
 * URL is kept (OpenXPKI's `?mac=…`) except an operation or message of its own, and no path means /cgi-bin/pkiclient.exe.
 */
export function requestPath(url: URL, operation: Operation, message: string | undefined): string {
  const path = url.pathname === '/' && url.search === '' ? '/cgi-bin/pkiclient.exe' : url.pathname
  const kept = url.search
    .slice(1)
    .split('&')
    .filter(part => part !== '' && part !== '?' && !/^\??(operation|message)=/i.test(part))
  const parts = [
    ...kept,
    `operation=${operation}`,
    ...(message === undefined ? [] : [`message=${encodeURIComponent(message)}`]),
  ]
  return `${path}?${parts.join('&')}`
}
