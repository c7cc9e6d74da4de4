/**
 * The tests' own SCEP server as a daemon of the laboratory: short-lived certificates, PENDING, refusals, a wrong chain, a CA that
 * is replaced, a CRL. It is told what to do on standard input, one JSON object a line, and says on standard output what it did.
 */
import { createPublicKey } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import {
  bag,
  crl,
  fixtureKey,
  issuedBy,
  rootCa,
  type CertificateOptions,
  type Holder,
} from '../../scep-server/authority.ts'
import { envelope, signedData } from '../../scep-server/cert-rep.ts'
import type { ReceivedRequest } from '../../scep-server/read-request.ts'
import { ScepTestServer, type Answer, type Options } from '../../scep-server/server.ts'
import { left, plain, radiusServer, root, tiers } from './scep-authorities.ts'
import type { Instruction, Misdeed, ScepArguments, ServerNews } from './scep.ts'

const say = (news: ServerNews): void => void process.stdout.write(`${JSON.stringify(news)}\n`)

const { host, port, files, first } = JSON.parse(process.argv[2] ?? '') as ScepArguments

const { ending } = first
const present = await root('Short-lived Root', 'rsa-2048-a', files.present, left(ending?.root ?? 300))
const next = await root('Next Root', 'rsa-2048-b', files.next, left(364))
const stranger = rootCa('Nobody', fixtureKey('rsa-2048-c'))
const shape = ending ? tiers(present, ending) : plain(present)
await writeFile(files.issuing, shape.ca.certificate.toString())
await radiusServer(files.server, present, left(ending?.server ?? 300))
await radiusServer(files.nextServer, next, left(300))

/** What is issued to the request, laid over what would be right. */
const given =
  (wrong: Partial<CertificateOptions>, issuer: Holder = server.shape.ca) =>
  ({ csr, signer }: ReceivedRequest): Answer => {
    if (!csr) return {}
    const { subject, publicKey } = { ...csr, ...wrong }
    const usual = { usage: ['digitalSignature', 'keyEncipherment'], purposes: ['1.3.6.1.5.5.7.3.2'] }
    const { certificate } = issuedBy(issuer, '', issuer.key, {
      ...(usual as Partial<CertificateOptions>),
      ...{ subject, publicKey, ...wrong },
    })
    return { content: envelope(bag([certificate]), { recipient: signer }) }
  }

const fromNow = (seconds: number): Date => new Date(Date.now() + seconds * 1000)

/** Let the replies go that are held. */
const held: (() => void)[] = []
const misdeeds: Record<Misdeed, (request: ReceivedRequest) => Answer> = {
  pending: () => ({ pkiStatus: '3' }),
  refused: () => ({ pkiStatus: '2', failInfo: '2' }),
  'too-early': () => ({ pkiStatus: '2', failInfo: '2', failInfoText: 'not within the renewal window' }),
  'wrong-chain': request => given({}, stranger)(request),
  held: () => ({ after: new Promise(resolve => held.push(resolve)) }),
  fault: () => ({ http: response => void response.writeHead(503).end('later') }),
  'other-names': request => given({ subject: 'somebody-else' })(request),
  expired: request => given({ notBefore: fromNow(-7200), notAfter: fromNow(-3600) })(request),
  'not-yet': request => given({ notBefore: fromNow(3600), notAfter: fromNow(7200) })(request),
  shorter: request => given({ notBefore: fromNow(-1), notAfter: fromNow(600) })(request),
  'the-same': ({ signer }) => ({ content: envelope(bag([signer]), { recipient: signer }) }),
  'another-key': request => given({ publicKey: createPublicKey(stranger.key) })(request),
  huge: () => ({ bytes: Buffer.alloc(2 * 1024 * 1024, 0x30) }),
  'cut-off': () => ({
    http: response => {
      response.writeHead(200, { 'content-length': '5000', 'content-type': 'application/x-pki-message' })
      response.write(Buffer.alloc(100), () => response.destroy())
    },
  }),
}

let state: Instruction = {}
const revoked: Parameters<typeof crl>[0]['revoked'][number][] = []
const answers: ((request: ReceivedRequest) => Answer)[] = []

const options: Options = {
  shape,
  answers,
  received: ({ messageType, transactionID, csr, signer: { fingerprint256: signer } }) => {
    const challenge = csr?.challengePassword !== undefined
    say({ event: 'message', messageType, transactionID, challenge, signer })
  },
  gave: certificate => {
    say({ event: 'issued', pem: certificate.toString() })
  },
  issue: () => {
    const { validity = 86_400, backdate = 1, crl: list } = state
    return {
      notBefore: new Date(Date.now() - backdate * 1000),
      notAfter: new Date(Date.now() + validity * 1000),
      ...(list !== undefined && { crl: list }),
    }
  },
  date: () => (state.dateOff === undefined ? undefined : fromNow(state.dateOff)),
  get: {
    '': response => {
      response.writeHead(200, { 'content-type': 'application/pkix-crl' })
      response.end(crl({ issuer: server.shape.ca, revoked }))
    },
    GetNextCACert: response => {
      if (state.withholdNext) return void response.writeHead(404).end('none is near')
      response.writeHead(200, { 'content-type': 'application/x-x509-next-ca-cert' })
      response.end(signedData(bag([next.certificate]), [], { signer: present }))
    },
  },
}
const server = new ScepTestServer(options)

function obey(instruction: Instruction): void {
  state = { ...state, ...instruction }
  if (instruction.challenge === null) delete options.challenge
  else if (instruction.challenge !== undefined) options.challenge = instruction.challenge
  if (instruction.switchOver !== undefined) {
    const ca = instruction.switchOver ? next : present
    Object.assign(server.shape, { ...plain(ca), caps: server.shape.caps })
  }
  if (instruction.caps !== undefined) server.shape.caps = instruction.caps
  if (instruction.answers) answers.splice(0, Infinity, ...instruction.answers.map(name => misdeeds[name]))
  if (instruction.release) for (const release of held.splice(0)) release()
  if (instruction.revokeAll) revoked.push(...server.issued)
}

obey(first)
await server.listen(port, host)
say({ event: 'listening' })
for await (const line of createInterface({ input: process.stdin })) {
  obey(JSON.parse(line) as Instruction)
  say({ event: 'obeyed' })
}
