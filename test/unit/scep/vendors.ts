/** What servers of one make do and no other: said with who has to act, or understood. */
import t from 'tap'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { getCaCertificates, openTransport } from '../../../agent/scep/index.ts'
import { openEnvelope } from '../../../agent/scep/enveloped-data.ts'
import { bag, fixtureKey, issuedBy, rootCa } from '../../scep-server/authority.ts'
import { envelope } from '../../scep-server/cert-rep.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { ndesShape, plainShape } from '../../scep-server/shapes.ts'
import { enrol, scepErrorOf } from './enrolling.ts'

/** The error number as NDES writes it: a signed decimal. */
const decimal = (hresult: number): string => String(hresult | 0)
const passwordHint = /^Check the challenge password; NDES/
const numbers: [number: string, words: string | undefined, hint: RegExp][] = [
  [decimal(0x80094012), '0x80094012, the certificate template does not let NDES enrol', /Enroll right/],
  [decimal(0x80094011), '0x80094011, the CA does not let NDES enrol', /Enroll right/],
  [decimal(0x80094800), '0x80094800, the CA does not offer the certificate template', /MSCEP/],
  [decimal(0x80094811), '0x80094811, the key is shorter than the certificate template asks', /longer key/],
  [decimal(0x80094001), '0x80094001, the subject is invalid or too long', /common name/],
  [decimal(0x80094014), '0x80094014, an administrator of the CA has denied it', /administrator/],
  [decimal(0x800706ba), '0x800706ba, NDES does not reach its CA', /runs/],
  ['-2147024809', '0x80070057', passwordHint],
  ['4294967296', undefined, passwordHint],
  ['secret', undefined, passwordHint],
]

t.test('B-26: NDES says in a number of its own why it refuses, and that decides who has to act', async t => {
  await using server = await scepTestServer({
    shape: ndesShape(),
    answers: numbers.map(([serverError]) => () => ({
      ...{ pkiStatus: '2', failInfo: '1', content: Buffer.alloc(1), serverError },
    })),
  })
  for (const [number, serverText, hint] of numbers) {
    const { problem } = await scepErrorOf(enrol(server.url))
    t.match(problem, { failInfo: 'badMessageCheck', detail: 'password might be incorrect', hint }, number)
    t.equal(problem.serverText, serverText)
  }
})

t.test(
  'what a server says beside FAILURE is told, the number of NDES with it, and also without failInfo',
  async t => {
    const serverError = decimal(0x80094800)
    await using server = await scepTestServer({
      answers: [
        () => ({ pkiStatus: '2', failInfo: '2', failInfoText: 'no', serverError }),
        () => ({ pkiStatus: '2', failInfoText: 'no such profile' }),
      ],
    })
    t.match(await scepErrorOf(enrol(server.url)), { problem: { serverText: /^no; 0x80094800, the CA/ } })
    t.match(await scepErrorOf(enrol(server.url)), {
      code: 'status-invalid',
      problem: { serverText: 'no such profile' },
    })
  },
)

t.test('B-30: step-ca may be told to answer with AES-GCM; what was changed does not open', async t => {
  const reader = rootCa('Reader', fixtureKey('rsa-2048-a'))
  const content = Buffer.from('x'.repeat(777))
  for (const cipher of ['aes-128-gcm', 'aes-256-gcm'] as const)
    for (const nonceTag of [0x84, 0x04]) {
      const made = envelope(content, { recipient: reader.certificate, cipher, nonceTag })
      t.ok(openEnvelope(made, reader).content.equals(content), `${cipher}, ${String(nonceTag)}`)
      made[made.length - 1] = (made.at(-1) ?? 0) ^ 1
      t.throws(() => openEnvelope(made, reader), { code: 'reply-unreadable' })
    }
  await using server = await scepTestServer({
    answers: [() => ({ envelope: { cipher: 'aes-128-gcm' as const } })],
  })
  t.match(await enrol(server.url), { status: 'issued', replyAlgorithms: { encryption: 'AES-128-GCM' } })
})

t.test(
  'a page in place of a CertRep, where the same server has answered GetCACert, is no wrong URL',
  async t => {
    const page = '<html><body>The service cannot decrypt the message</body></html>'
    await using server = await scepTestServer({
      answers: [
        () => ({ http: response => void response.writeHead(200, { 'content-type': 'text/html' }).end(page) }),
      ],
    })
    t.match(await scepErrorOf(enrol(server.url)), {
      code: 'reply-not-scep',
      problem: { serverText: 'The service cannot decrypt the message', hint: /log of the SCEP server/ },
    })
  },
)

t.test('the page of NDES that gives out passwords is not its SCEP server', async t => {
  await using server = await scepTestServer({
    shape: { ...plainShape(), path: '/certsrv/mscep_admin/mscep.dll' },
    get: { GetCACert: response => void response.writeHead(401).end() },
  })
  t.match(await scepErrorOf(enrol(server.url)), {
    code: 'http-status',
    problem: { hint: /mscep_admin .* \/certsrv\/mscep\/mscep\.dll/ },
  })
})

t.test('B-51: a CA that is not for client authentication makes EAP-TLS refuse what it issues', async t => {
  const root = rootCa('Root', fixtureKey('rsa-2048-a'))
  const usage = ['keyCertSign', 'digitalSignature', 'keyEncipherment'] as const
  const ca = issuedBy(root, 'TLS CA', fixtureKey('rsa-2048-b'), {
    ...{ ca: true, usage: [...usage], purposes: ['1.3.6.1.5.5.7.3.1'] },
  })
  const caReply = { type: '', body: bag([ca.certificate, root.certificate]) }
  await using server = await scepTestServer({
    shape: { ...plainShape(), caReply, ...{ ca, decrypter: ca, signer: ca } },
  })
  const { warnings } = await enrol(server.url)
  t.match(
    warnings.filter(({ code }) => code === 'no-client-auth'),
    [{ text: /^The CA "CN=TLS CA" is not for client authentication/ }],
  )
})

const { raw } = plainShape().ca.certificate
const length = String(raw.length)
const chunk = [`${raw.length.toString(16)}\r\n`, raw, '\r\n0\r\n\r\n']
const careless: [what: string, answer: (string | Buffer)[]][] = [
  ['line ends without CR', ['HTTP/1.0 200 OK\nContent-Type: application/x-x509-ca-cert\n\n', raw]],
  [
    'a header in two lines',
    [`HTTP/1.1 200 OK\r\nServer: old\r\n appliance\r\nContent-Length: ${length}\r\n\r\n`, raw],
  ],
  [
    'a control character in a header',
    [`HTTP/1.1 200 OK\r\nX-Id: a\x01\r\nContent-Length: ${length}\r\n\r\n`, raw],
  ],
  [
    'a length beside chunks',
    [`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\nTransfer-Encoding: chunked\r\n\r\n`, ...chunk],
  ],
]
for (const [what, answer] of careless)
  t.test(`B-06: an HTTP server that is careless is understood: ${what}`, async t => {
    const whole = Buffer.concat(answer.map(part => Buffer.from(part)))
    const server = createServer(socket => socket.once('data', () => socket.end(whole)))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    t.teardown(() => server.close())
    const { port } = server.address() as AddressInfo
    using transport = openTransport({ url: `http://127.0.0.1:${String(port)}/scep`, caIdentifier: '' })
    const { certificates } = await getCaCertificates(transport, AbortSignal.timeout(5_000))
    t.equal(certificates.length, 1)
  })
