/** Connections: kept, dropped, and by TLS. */
import t from 'tap'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { Agent as SecureAgent, createServer as createSecureServer } from 'node:https'
import { connect, createServer, type AddressInfo } from 'node:net'
import {
  getCaCertificates,
  openTransport,
  wasNotTaken,
  type Limits,
  type Wire,
} from '../../../agent/scep/index.ts'
import { tlv } from '../../scep-server/asn1.ts'
import { fixtureKey, rootCa } from '../../scep-server/authority.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { plainShape } from '../../scep-server/shapes.ts'
import { enrol, scepErrorOf } from './enrolling.ts'

async function fetchFrom(url: string, wire: Wire = {}, limits: Partial<Limits> = {}) {
  using transport = openTransport({ url, caIdentifier: '' }, wire, { limits })
  return await getCaCertificates(transport, AbortSignal.timeout(5_000))
}

t.test('one transaction keeps its connections for the message, and leaves none behind', async t => {
  await using server = await scepTestServer()
  await enrol(server.url)
  t.equal(server.connections.opened, 2, 'GetCACaps and GetCACert go side by side')
  await server.connections.allClosed()
})

t.test('a kept connection that the server drops under our message is taken for what it is', async t => {
  await using server = await scepTestServer()
  const { port } = new URL(server.url)
  const front = createServer(socket => {
    const behind = connect(Number(port), '127.0.0.1')
    behind.pipe(socket)
    let requests = 0
    socket.on('data', (data: Buffer) => {
      if (/^(GET|POST) /.test(data.toString('latin1'))) requests += 1
      if (requests > 1) socket.resetAndDestroy()
      else behind.write(data)
    })
    for (const each of [socket, behind]) each.on('error', () => undefined)
    socket.once('close', () => behind.destroy())
  }).listen(0, '127.0.0.1')
  await once(front, 'listening')
  const url = `http://127.0.0.1:${(front.address() as AddressInfo).port}/scep`
  t.equal((await enrol(url)).status, 'issued')
  t.equal(server.messages.length, 1, 'the message was read once')
  front.close()
})

t.test('B-08: https works with the CA of the server, and is told apart without', async t => {
  const key = fixtureKey('rsa-2048-b')
  const { certificate } = rootCa('https', key, { names: tlv(0x30, tlv(0x87, Buffer.from([127, 0, 0, 1]))) })
  const body = plainShape().ca.certificate.raw
  const server = createSecureServer(
    { key: key.export({ type: 'pkcs8', format: 'pem' }), cert: certificate.toString() },
    (_, response) => response.end(body),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/scep`
  t.match(await scepErrorOf(fetchFrom(url)), {
    code: 'connect-failed',
    kind: 'misconfigured',
    problem: { hint: /CA of the https server/, unsent: true },
  })
  const theirs = new SecureAgent()
  for (const agent of [undefined, theirs]) {
    const wire = { tlsRoots: [certificate.toString()], agent }
    t.equal((await fetchFrom(url, wire)).certificates.length, 1)
  }
  theirs.destroy()
  const yesterday = new Date(Date.now() - 86_400_000)
  const old = rootCa('https', key, { notBefore: new Date(0), notAfter: yesterday }).certificate.toString()
  server.setSecureContext({ key: key.export({ type: 'pkcs8', format: 'pem' }), cert: old })
  t.match(
    await scepErrorOf(fetchFrom(url, { tlsRoots: [old] })),
    { code: 'connect-failed', kind: 'server-fault', problem: { hint: /clock of the sensor/ } },
    'one that is out of date needs no other CA, and may be in date when the clock is set',
  )
  await using plain = await scepTestServer()
  t.match(
    await scepErrorOf(fetchFrom(plain.url.replace('http:', 'https:'))),
    { code: 'connect-failed', kind: 'misconfigured', problem: { detail: '127.0.0.1: wrong version number' } },
    'a server without TLS',
  )
  server.closeAllConnections()
  server.close()
})

t.test('what a CA can have taken is told from what never reached it', async t => {
  const answers: [boolean, string, (response: ServerResponse) => void][] = [
    ...[302, 401, 403, 404, 407, 413, 429, 501, 503].map(status => [true, status] as const),
    ...[204, 500, 502, 504].map(status => [false, status] as const),
  ].map(([turned, status]) => [turned, `HTTP ${status}`, response => void response.writeHead(status).end()])
  answers.push([false, 'a connection closed', response => void response.destroy()])
  answers.push([false, 'no answer', () => undefined])
  for (const [turnedAway, name, answer] of answers) {
    await using server = await scepTestServer({ get: { GetCACert: answer } })
    const error = await scepErrorOf(fetchFrom(server.url, {}, { reply: 200 }))
    t.equal(wasNotTaken(error), turnedAway, name)
  }
  const failing = (code: string): Wire => ({
    lookup: (_name, _options, done) => {
      done(Object.assign(new Error(code), { code }), [])
    },
  })
  const unreached: [string, string, Wire][] = [
    ['a name that nobody knows', 'http://nowhere.example/scep', failing('ENOTFOUND')],
    ['a path that is closed', 'http://nowhere.example/scep', failing('path-closed')],
    ['no answer to the connection', 'http://slow.example/scep', { lookup: () => undefined }],
    ['a connection refused', 'http://127.0.0.1:9/scep', {}],
  ]
  for (const [name, url, wire] of unreached)
    t.ok(wasNotTaken(await scepErrorOf(fetchFrom(url, wire, { connect: 100 }))), name)
})
