/**
 * The tests' own SCEP server as a daemon of the laboratory: short-lived certificates, PENDING, refusals, a wrong chain, a CA that
 * is replaced, a CRL. It is told what to do on standard input, one JSON object a line, and says on standard output what it did.
 */
import { X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
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
type KeyName = Parameters<typeof fixtureKey>[0]

/** A CA that stays the same over restarts of this daemon. */
async function root(name: string, key: KeyName, file: string, days = 3650): Promise<Holder> {
  const there = await readFile(file, 'utf8').catch(() => undefined)
  if (there !== undefined) return { certificate: new X509Certificate(there), key: fixtureKey(key) }
  const [notBefore, notAfter] = [new Date(Date.now() - day), new Date(Date.now() + days * day)]
  const made = rootCa(name, fixtureKey(key), { notBefore, notAfter })
  await writeFile(file, made.certificate.toString())
  return made
}
const present = await root('Short-lived Root', 'rsa-2048-a', files.present, first.caDays)
const next = await root('Next Root', 'rsa-2048-b', files.next)
const stranger = rootCa('Nobody', fixtureKey('rsa-2048-c'))

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

obey(first)
await server.listen(port, host)
say({ event: 'listening' })
for await (const line of createInterface({ input: process.stdin })) {
  obey(JSON.parse(line) as Instruction)
  say({ event: 'obeyed' })
}
