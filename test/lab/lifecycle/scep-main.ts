/**
 * The tests' own SCEP server as a daemon of the laboratory: short-lived certificates, PENDING, refusals, a wrong chain, a CA that
 * is replaced, a CRL. It is told what to do on standard input, one JSON object a line, and says on standard output what it did.
 */
import { writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { bag, crl, fixtureKey, issuedBy, rootCa, type Holder } from '../../scep-server/authority.ts'
import { envelope, signedData } from '../../scep-server/cert-rep.ts'
import type { ReceivedRequest } from '../../scep-server/read-request.ts'
import { ScepTestServer, type Answer, type Options } from '../../scep-server/server.ts'
import { plainShape, type Shape } from '../../scep-server/shapes.ts'
import type { Instruction, Misdeed, ScepArguments, ServerNews } from './scep.ts'

const say = (news: ServerNews): void => void process.stdout.write(`${JSON.stringify(news)}\n`)

const { host, port, files, first } = JSON.parse(process.argv[2] ?? '') as ScepArguments

const day = 86_400_000
const root = (name: string, key: Parameters<typeof fixtureKey>[0], days = 3650): Holder => {
  const [notBefore, notAfter] = [new Date(Date.now() - day), new Date(Date.now() + days * day)]
  return rootCa(name, fixtureKey(key), { notBefore, notAfter })
}
const present = root('Short-lived Root', 'rsa-2048-a', first.caDays)
const next = root('Next Root', 'rsa-2048-b')
const stranger = root('Nobody', 'rsa-2048-c')

const shapeOf = (ca: Holder): Shape => ({
  ...plainShape(),
  caReply: { type: 'application/x-x509-ca-cert', body: ca.certificate.raw },
  ...{ ca, decrypter: ca, signer: ca },
})

function ofStranger({ csr, signer }: ReceivedRequest): Answer {
  if (!csr) return {}
  const { subject, publicKey } = csr
  const { certificate } = issuedBy(stranger, '', stranger.key, { subject, publicKey })
  return { content: envelope(bag([certificate]), { recipient: signer }) }
}

const misdeeds: Record<Misdeed, (request: ReceivedRequest) => Answer> = {
  pending: () => ({ pkiStatus: '3' }),
  refused: () => ({ pkiStatus: '2', failInfo: '2' }),
  'too-early': () => ({ pkiStatus: '2', failInfo: '2', failInfoText: 'not within the renewal window' }),
  'wrong-chain': ofStranger,
  fault: () => ({ http: response => void response.writeHead(503).end('later') }),
}

let state: Instruction = {}
const revoked: Parameters<typeof crl>[0]['revoked'][number][] = []
const answers: ((request: ReceivedRequest) => Answer)[] = []

const options: Options = {
  shape: shapeOf(present),
  answers,
  received: ({ messageType, transactionID, csr }) => {
    say({ event: 'message', messageType, transactionID, challenge: csr?.challengePassword !== undefined })
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
      response.writeHead(200, { 'content-type': 'application/x-x509-next-ca-cert' })
      response.end(signedData(bag([next.certificate]), [], { signer: present }))
    },
  },
}
const server = new ScepTestServer(options)

function obey(instruction: Instruction): void {
  state = { ...state, ...instruction }
  if (instruction.challenge !== undefined) options.challenge = instruction.challenge
  if (instruction.switchOver) Object.assign(server.shape, { ...shapeOf(next), caps: server.shape.caps })
  if (instruction.caps !== undefined) server.shape.caps = instruction.caps
  answers.push(...(instruction.answers ?? []).map(name => misdeeds[name]))
  if (instruction.revokeAll) revoked.push(...server.issued)
}

await writeFile(files.present, present.certificate.toString())
await writeFile(files.next, next.certificate.toString())
obey(first)
await server.listen(port, host)
say({ event: 'listening' })
for await (const line of createInterface({ input: process.stdin })) {
  obey(JSON.parse(line) as Instruction)
  say({ event: 'obeyed' })
}
