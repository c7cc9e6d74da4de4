/**
 * The tests' own SCEP server as a daemon of the laboratory: short-lived certificates, PENDING, refusals, a wrong chain, a CA that
 * is replaced, a CRL. It is told what to do on standard input, one JSON object a line, and says on standard output what it did.
 */
import { appendFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { bag, crl, fixtureKey, issuedBy, rootCa } from '../../scep-server/authority.ts'
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
if (ending) await appendFile(files.present, shape.ca.certificate.toString())
await radiusServer(files.server, present, left(ending?.server ?? 300))
await radiusServer(files.nextServer, next, left(300))

function ofStranger({ csr, signer }: ReceivedRequest): Answer {
  if (!csr) return {}
  const { subject, publicKey } = csr
  const { certificate } = issuedBy(stranger, '', stranger.key, { subject, publicKey })
  return { content: envelope(bag([certificate]), { recipient: signer }) }
}

/** Let the replies go that are held. */
const held: (() => void)[] = []
const misdeeds: Record<Misdeed, (request: ReceivedRequest) => Answer> = {
  pending: () => ({ pkiStatus: '3' }),
  refused: () => ({ pkiStatus: '2', failInfo: '2' }),
  'too-early': () => ({ pkiStatus: '2', failInfo: '2', failInfoText: 'not within the renewal window' }),
  'wrong-chain': ofStranger,
  held: () => ({ after: new Promise(resolve => held.push(resolve)) }),
  fault: () => ({ http: response => void response.writeHead(503).end('later') }),
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
  if (instruction.switchOver) Object.assign(server.shape, { ...plain(next), caps: server.shape.caps })
  if (instruction.caps !== undefined) server.shape.caps = instruction.caps
  answers.push(...(instruction.answers ?? []).map(name => misdeeds[name]))
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
