/** Everything the supplicant needs for one network, read from the profile and from the credential in force. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { preflight } from '../../supplicant/index.ts'
import type { Blob, CredentialFacts, NetworkBlock, Problem } from '../../supplicant/index.ts'
import { pemBlocks, withoutRoots } from '../certificate.ts'
import { datesBy, revisionOf, trustsScepAnchors } from '../core/want.ts'
import { substitute, variablesFor } from '../desired/variables.ts'
import { AgentError } from '../errors.ts'
import { issuersAboveChain } from '../scep/index.ts'
import type { CertificateFacts, Network } from '../types.ts'
import { blockOf, certificateBlob, type BlockFiles } from './block.ts'
import type { Context } from './context.ts'

export interface Membership {
  block: NetworkBlock
  blobs: Blob[]
  /** What works but should not be: to be shown to the operator. */
  warnings: string[]
  /** What triage may know of our side. */
  facts: CredentialFacts
}

/** The revision says which certificate is meant: the one in force, or the candidate that is to be proved. */
export async function membership(network: Network, revision: string, context: Context): Promise<Membership> {
  const state = await context.credentials.of(network.id).read()
  const dates = datesBy(network, context.clock.reading)
  const isProof =
    state.candidate &&
    revisionOf(network, state.candidate.certificate.fingerprint, dates, state.next) === revision
  const current = isProof ? state.candidate : state.current
  const own = current && (await ownCertificate(network, current.generation, context))
  const trust = await context.trust.file(trusted(network, own?.anchors ?? []))
  const files: BlockFiles = {
    ...(trust !== undefined && { trust }),
    ...(own && { key: own.keyPath, commonName: own.commonName, certificateBlob: own.blob.name }),
    ignoreDates: dates !== 'supplicant',
  }
  const { block, warnings } = blockOf(withVariables(network, context), revision, files)
  const blobs = own ? [own.blob] : []
  const facts = factsOf(network, block, current?.certificate, context)
  if (!own) return { block, blobs, warnings, facts }
  const looked = await lookedAt(network, own, trust, context)
  return { block, blobs, warnings: [...warnings, ...looked.warnings], facts: { ...facts, ...looked.facts } }
}

/** What makes every join fail; the rest may fail, and is told to triage. */
const hopeless: ReadonlySet<string> = new Set([
  'certificate-unreadable',
  'key-unreadable',
  'key-mismatch',
  'ca-unreadable',
])

/** The supplicant stays silent about a key it cannot read, so it is looked at before it is handed over. */
async function lookedAt(
  network: Network,
  own: OwnCertificate,
  trust: string | undefined,
  context: Context,
): Promise<{ warnings: string[]; facts: CredentialFacts }> {
  const [key, serverCa] = await Promise.all([
    readFile(own.keyPath).catch(() => Buffer.alloc(0)),
    trust === undefined ? undefined : readFile(trust),
  ])
  const { problems, facts } = preflight(
    {
      ...{ certificate: own.blob.bytes, key },
      ...(serverCa && { serverCa }),
      suiteB192: network.profile.wireless?.security === 'wpa3-enterprise-192',
    },
    context.now(),
    context.clock.reading.trusted,
  )
  const fatal = problems.find(({ code }) => hopeless.has(code))
  if (fatal) throw unusable(network, fatal)
  return { warnings: problems.map(({ text }) => text), facts }
}

const unusable = (network: Network, { code, text }: Problem): AgentError =>
  new AgentError({
    code: `credential-${code}`,
    title: 'The credential of the network cannot be used',
    detail: `${network.id}: ${text}`,
    hint: 'ask for a new certificate (request-certificate); if it happens again, look at the disk of the sensor',
    side: 'sensor',
    retry: 'change',
  })

function factsOf(
  network: Network,
  block: NetworkBlock,
  certificate: CertificateFacts | undefined,
  context: Context,
): CredentialFacts {
  const serverName = network.profile.eap?.serverName
  return {
    now: context.now(),
    clockTrusted: context.clock.reading.trusted,
    ...(block.eap !== undefined && { method: block.eap }),
    ...(block.identity !== undefined && { identity: block.identity }),
    ...(certificate && {
      certificate: {
        notBefore: certificate.notBefore,
        notAfter: certificate.notAfter,
        issuers: [certificate.issuer],
      },
    }),
    ...(serverName !== undefined && { serverName }),
  }
}

/**
 * EAP trust (S2-47, S2-82): Specify Server CA and the uploaded CAs; where neither is given, what GetCACert returned.
 * `serverCaOnly` leaves Specify Server CA alone. RA certificates are never among the anchors.
 */
function trusted(network: Network, anchors: string[]): string[] {
  const { eap, scep } = network.profile
  if (!eap || eap.acceptAnyServer) return []
  if (eap.serverCaOnly) return eap.serverCa
  return [...eap.serverCa, ...(scep?.caCertificates ?? []), ...(trustsScepAnchors(network) ? anchors : [])]
}

interface OwnCertificate {
  keyPath: string
  /** Certificate and intermediates as one PEM: the form that carries a chain (lab fact). */
  blob: Blob
  anchors: string[]
  commonName: string
}

async function ownCertificate(
  network: Network,
  generation: string,
  context: Context,
): Promise<OwnCertificate> {
  const files = context.credentials.of(network.id).files(generation)
  const [certificate, chain, anchors, next] = await Promise.all([
    readFile(files.certificate, 'utf8'),
    readFile(files.chain, 'utf8'),
    readFile(files.anchors, 'utf8'),
    context.credentials.of(network.id).notes.nextAuthorities(),
  ])
  const pem = certificate + withoutRoots(chain + missing(network, certificate + chain)).join('')
  return {
    keyPath: files.key,
    blob: { name: certificateBlob(pem), bytes: Buffer.from(pem) },
    anchors: pemBlocks(anchors + next),
    commonName: /^CN=(.*)$/m.exec(new X509Certificate(certificate).subject)?.[1] ?? '',
  }
}

/** CAs that the operator has given since the certificate was issued, and that complete its chain (PEM). */
function missing({ profile: { eap, scep } }: Network, chain: string): string {
  const given = [...(scep?.caCertificates ?? []), ...(eap?.serverCa ?? [])]
  return issuersAboveChain(chain, given).join('')
}

function withVariables(network: Network, context: Context): Network {
  const { eap } = network.profile
  if (!eap) return network
  const values = variablesFor(context.identity, context.desired().name, network.interface)
  const replaced = (['identity', 'anonymousIdentity'] as const).flatMap(field => {
    const text = eap[field]
    return text === undefined ? [] : [[field, substitute(text, values, `eap.${field}`)] as const]
  })
  return { ...network, profile: { ...network.profile, eap: { ...eap, ...Object.fromEntries(replaced) } } }
}
