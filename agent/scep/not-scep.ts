/** A reply that is no SCEP at all: a login page, a proxy's error, an empty body. */
import { ScepError, serverWords } from './errors.ts'
import type { Reply } from './transport.ts'

/** The error for it, with the first words of the page. */
export function replyNotScep(operation: string, reply: Reply): ScepError {
  const words = pageWords(reply.body)
  const type = reply.contentType || 'no Content-Type'
  return new ScepError({
    code: 'reply-not-scep',
    kind: 'misconfigured',
    title: 'The answer does not come from a SCEP server',
    detail: `${operation} was answered with ${reply.body.length === 0 ? 'nothing' : `${String(reply.body.length)} bytes`} (${serverWords(type)})`,
    hint: operation.startsWith('Get')
      ? 'Check the SCEP server URL (path and program extension), and that no proxy or captive portal answers in its place'
      : 'Look at the log of the SCEP server, which has answered GetCACert: NDES answers so to what it cannot decrypt; or a proxy stands in the way of requests',
    serverText: words || undefined,
    httpStatus: reply.status,
  })
}

/** The visible words of a text or HTML body; nothing for binary. */
export function pageWords(body: Buffer): string {
  const text = body.subarray(0, 8192).toString('utf8')
  if (/[\u0000-\u0008\ufffd]/.test(text)) return ''
  const visible = text
    .replace(/<(script|style)\b[\s\S]*?(<\/\1>|$)/gi, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&nbsp;/g, ' ')
    .replace(/&amp;/g, '&')
  return serverWords(visible)
}
