/**
 * Whether our certificate was revoked, by the CRL distribution points it names, where the network lets us ask (B-62); and the CA,
 * where it was not looked at lately.
 */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { checkpoint } from '../checkpoint.ts'
import { inspectEvery } from '../core/renewal.ts'
import type { StepOf } from '../core/step.ts'
import { minute } from '../core/validity.ts'
import type { Path } from '../path/index.ts'
import * as scep from '../scep/index.ts'
import type { Notice } from '../types.ts'
import { within } from '../within.ts'
import { lookAtCa } from './ca-look.ts'
import type { Context } from './context.ts'
import { lostMeanwhile } from './join.ts'

const by = 'revocation'
const mostBytes = 8 * 1024 * 1024

/**
 * Notices `certificate-revoked`, or that it cannot be found out; never fails the network. A certificate without distribution points,
 * or whose CRL cannot be had here, is none the worse for it.
 */
export async function inspect(step: StepOf<'inspect'>, signal: AbortSignal, context: Context): Promise<void> {
  const { network } = step
  const { current } = await context.credentials.of(network).read()
  const path = context.ports.get(step.interface)?.path
  if (current?.certificate.fingerprint !== step.fingerprint || !path)
    throw new DOMException('the network was left', 'AbortError')
  const files = context.credentials.of(network).files(current.generation)
  const certificate = new X509Certificate(await readFile(files.certificate))
  const urls = scep.distributionPoints(certificate)
  const [issuer] = scep.certificatesFromPem([await readFile(files.chain, 'utf8')])
  const notices =
    urls.length > 0 && issuer ? await look(urls, certificate, issuer, path, signal, context) : []
  if (path.lost.aborted) throw lostMeanwhile()
  sayNews(step, by, notices, context)
  const seen = context.memory.of(network).ca
  const recent = seen && context.now() - seen.at < inspectEvery(current.certificate) / 2
  if (!recent) sayNews(step, 'ca', await lookAtCa(network, path, signal, context), context)
  context.memory.inspected(network, { fingerprint: step.fingerprint, at: context.now() })
}

/** Each is said when it is found first, and reported as long as it is found. */
function sayNews(step: StepOf<'inspect'>, kind: string, notices: Notice[], context: Context): void {
  const { network, interface: name } = step
  const known = JSON.stringify(context.memory.of(network).notices?.[kind] ?? [])
  context.memory.noticed(network, kind, notices)
  if (JSON.stringify(notices) === known) return
  for (const { code, severity, text } of notices)
    context.say({ event: code, severity, network, interface: name, text: `${network}: ${text}` })
}

async function look(
  urls: readonly string[],
  certificate: X509Certificate,
  issuer: X509Certificate,
  path: Path,
  signal: AbortSignal,
  { clock }: Context,
): Promise<Notice[]> {
  let failure = ''
  for (const url of urls)
    try {
      const crl = scep.readCrl(await fetched(url, path, signal), issuer)
      const revoked = scep.revokedAt(crl, certificate)
      if (revoked) return [revokedNotice(revoked)]
      const now = clock.trustedDate()
      if (!now || !crl.nextUpdate || now <= crl.nextUpdate) return []
      failure = `its CRL is of ${minute(crl.thisUpdate.getTime())} and out of date`
    } catch (error) {
      signal.throwIfAborted()
      failure = `${url}: ${error instanceof Error ? error.message : String(error)}`
    }
  const text = `whether the certificate was revoked cannot be found out over this network: ${failure}`
  return [{ code: 'revocation-unknown', severity: 'info', text }]
}

const revokedNotice = (at: Date): Notice => ({
  code: 'certificate-revoked',
  severity: 'error',
  text: `the certificate was revoked by its CA on ${minute(at.getTime())}: request a new one (request-certificate)`,
})

async function fetched(url: string, path: Path, signal: AbortSignal): Promise<Buffer> {
  using late = within(10_000, signal, path.lost)
  checkpoint(`fetch ${url}`)
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { ...path.wire('http:'), signal: late.signal }, resolve).once('error', reject)
  })
  if (response.statusCode !== 200) {
    response.destroy()
    throw new Error(`HTTP status ${String(response.statusCode)}`)
  }
  const parts: Buffer[] = []
  let length = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    length += part.length
    if (length > mostBytes) throw new Error(`more than ${String(mostBytes)} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}
