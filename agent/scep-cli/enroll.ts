/** `enroll`, `renew` and `poll`: from a key to a certificate in a folder. */
import { X509Certificate } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import {
  alternativeName,
  challengePasswordOf,
  describeCertificate,
  describeRequest,
  endsTransaction,
  pollCertificate,
  prepareEnrolment,
  prepareRenewal,
  renewalMethod,
  requestCertificate,
  ScepError,
  type Outcome,
  type TrustSettings,
} from '../scep/index.ts'
import {
  dropOpen,
  keySource,
  pemOf,
  privateKeyFrom,
  readChain,
  readOpen,
  readPair,
  readPin,
  refuseOverwriting,
  refuseReplacing,
  saveIssued,
  saveOpen,
  saveRequest,
  type OpenRequest,
} from './folder.ts'
import {
  methodOf,
  numberOf,
  passwordOf,
  settingsOf,
  signatureOf,
  UsageError,
  type Options,
} from './options.ts'
import { exit, lines, warningLines, type Io } from './output.ts'
import { meet, serverOf, trustSettingsOf, type Peer } from './session.ts'

/** Enrols with a new or given key. */
export async function enroll(options: Options, io: Io): Promise<number> {
  const server = serverOf(options)
  const commonName = options.text('cn')
  if (commonName === undefined) throw new UsageError('--cn is needed: the common name of the certificate')
  const names = options.all('name').map(alternativeName)
  const [settings, trust] = [settingsOf(options), await trustSettingsOf(options)]
  const folder = options.text('out') ?? '.'
  await refuseOverwriting(folder, options.flag('afresh'))
  await refuseReplacing(folder, options.flag('afresh'), options.text('key'))
  const source = await keySource(options.text('key') ?? 'rsa-2048')
  const challengePassword = await passwordOf(options, io)
  const [peer, key] = await Promise.all([meet(server, trust, options, io, challengePassword), source.make()])
  using _ = peer.transport
  const enrolment = await prepareEnrolment({
    key,
    subject: { commonName },
    names,
    challengePassword,
    signature: signatureOf(options),
    template: options.text('template'),
  })
  const request: OpenRequest = {
    server,
    trust: recorded(trust, peer),
    settings,
    enrolment,
    signerKey: enrolment.signerKey ?? pemOf(key),
    sent: Date.now(),
    polls: 0,
  }
  await saveOpen(folder, key, request)
  sayRequest(request, options, io)
  const { transport, caps } = peer
  const outcome = requestCertificate(transport, caps, peer.trust, enrolment, key, settings, io.signal)
  return await conclude(await known(outcome, folder), folder, peer, options, io)
}

/** Renews the certificate in --from with a new key; what is there stays until the new one is issued. */
export async function renew(options: Options, io: Io): Promise<number> {
  const server = serverOf(options)
  const from = options.text('from') ?? '.'
  const { certificate, key: currentKey } = await readPair(from)
  const currentCertificate = certificate.toString()
  refuseExpired(certificate, options)
  const [settings, trust] = [settingsOf(options), await trustAgain(options, from)]
  const folder = options.text('out') ?? from
  await refuseOverwriting(folder, options.flag('afresh'))
  const source = await keySource(options.text('key') ?? 'rsa-2048')
  const challengePassword = await passwordOf(options, io)
  const [peer, key] = await Promise.all([meet(server, trust, options, io, challengePassword), source.make()])
  using _ = peer.transport
  const method = renewalMethod(peer.caps, methodOf(options))
  const enrolment = await prepareRenewal({
    key,
    currentCertificate,
    method,
    challengePassword,
    signature: signatureOf(options),
    template: options.text('template'),
  })
  const selfSigned = !new X509Certificate(enrolment.signerCertificate).checkPrivateKey(currentKey)
  const signerKey = selfSigned ? key : currentKey
  const request: OpenRequest = {
    server,
    trust: recorded(trust, peer),
    settings,
    enrolment,
    signerKey: enrolment.signerKey ?? pemOf(signerKey),
    sent: Date.now(),
    polls: 0,
  }
  await saveOpen(folder, key, request)
  sayRequest(request, options, io)
  const { transport, caps } = peer
  const outcome = requestCertificate(transport, caps, peer.trust, enrolment, signerKey, settings, io.signal)
  return await conclude(await known(outcome, folder), folder, peer, options, io)
}

/** B-75: a certificate that has expired proves nothing any more; a request that it does not sign may be made. */
function refuseExpired(certificate: X509Certificate, options: Options): void {
  const { notAfter } = describeCertificate(certificate)
  if (new Date(notAfter) < new Date() && methodOf(options) !== 're-enrol')
    throw new UsageError(
      `the certificate expired on ${notAfter}, and only one that is valid can be renewed.\nAsk for a new one of the same names with --method re-enrol`,
    )
}

/**
 * B-15: a renewal expects the CA that was trusted on first use, or else one that is in the chain of the certificate, which was
 * verified when it was issued; unless the person says whom to trust.
 */
async function trustAgain(options: Options, folder: string): Promise<TrustSettings> {
  const given = await trustSettingsOf(options)
  if (given.roots.length > 0 || given.fingerprint !== null || given.pinned !== undefined) return given
  const pinned = await readPin(folder)
  return pinned === undefined ? { ...given, roots: await readChain(folder) } : { ...given, pinned }
}

/** A CA that was trusted on first use is the one that a later poll expects (B-15). */
const recorded = (settings: TrustSettings, { trust }: Peer): TrustSettings =>
  trust.pin === null ? settings : { ...settings, pinned: trust.pin }

/** Asks for the outcome of the request in --from, once or every --interval seconds. */
export async function poll(options: Options, io: Io): Promise<number> {
  if (options.positionals.length > 0) throw new UsageError('poll takes no URL: it is in request.json')
  const folder = options.text('from') ?? '.'
  const request = await readOpen(folder)
  const key = privateKeyFrom(request.signerKey, `${folder}/request.json`)
  const secret = challengePasswordOf(request.enrolment)
  const interval = numberOf(options, 'interval', 60)
  const most = numberOf(options, 'most', 1)
  for (let polls = 1; ; polls += 1) {
    if (polls > 1) await wait(interval * 1000, undefined, { signal: io.signal })
    const peer = await meet(request.server, request.trust, options, io, secret)
    using _ = peer.transport
    await saveRequest(folder, { ...request, polls: (request.polls += 1) })
    const { transport, caps, trust } = peer
    const { enrolment, settings } = request
    const answer = pollCertificate(transport, caps, trust, enrolment, key, settings, io.signal)
    const outcome = await known(answer, folder)
    if (outcome.status === 'issued' || polls === most)
      return await conclude(outcome, folder, peer, options, io)
  }
}

/** The outcome; a refusal ends the transaction, so that nothing is left open. */
async function known(outcome: Promise<Outcome>, folder: string): Promise<Outcome> {
  try {
    return await outcome
  } catch (error) {
    if (error instanceof ScepError && endsTransaction(error)) await dropOpen(folder)
    throw error
  }
}

function sayRequest({ enrolment }: OpenRequest, options: Options, io: Io): void {
  if (!options.flag('verbose')) return
  const der = Buffer.from(enrolment.csr.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  io.err(
    `--- ${enrolment.messageType}, transactionID ${enrolment.transactionId}\n${lines(describeRequest(der), '  ').join('\n')}\n`,
  )
}

async function conclude(
  outcome: Outcome,
  folder: string,
  { trust }: Peer,
  options: Options,
  io: Io,
): Promise<number> {
  const json = options.flag('json')
  const warnings = [...trust.warnings, ...outcome.warnings]
  if (!json) io.err(warningLines(outcome.warnings))
  if (outcome.status === 'pending') {
    io.out(
      json
        ? `${JSON.stringify({ outcome: 'pending', folder, warnings })}\n`
        : `The CA has not decided yet. Ask again with: sonde scep poll --from ${folder}\n`,
    )
    return exit.pending
  }
  await saveIssued(folder, outcome, trust.pin)
  const certificate = describeCertificate(new X509Certificate(outcome.certificate))
  const { replyAlgorithms } = outcome
  io.out(
    json
      ? `${JSON.stringify({ outcome: 'issued', folder, certificate, replyAlgorithms, pin: trust.pin, warnings })}\n`
      : `${lines(certificate).join('\n')}\nin ${folder}: key.pem, certificate.pem, chain.pem\n`,
  )
  return exit.issued
}
