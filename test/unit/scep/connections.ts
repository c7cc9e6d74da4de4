/** Connections: kept, dropped, and by TLS. */
import t from 'tap'
import { once } from 'node:events'
import { Agent as SecureAgent, createServer as createSecureServer } from 'node:https'
import { connect, createServer, type AddressInfo } from 'node:net'
import { getCaCertificates, openTransport, type Wire } from '../../../agent/scep/index.ts'
import { tlv } from '../../scep-server/asn1.ts'
import { fixtureKey, rootCa } from '../../scep-server/authority.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { plainShape } from '../../scep-server/shapes.ts'
import { enrol, scepErrorOf } from './enrolling.ts'

async function fetchFrom(url: string, wire: Wire = {}) {
  using transport = openTransport({ url, caIdentifier: '' }, wire)
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
    problem: { hint: /CA of the https server/ },
  })
  const theirs = new SecureAgent()
  for (const agent of [undefined, theirs]) {
    const wire = { tlsRoots: [certificate.toString()], agent }
    t.equal((await fetchFrom(url, wire)).certificates.length, 1)
  }
  theirs.destroy()
  await using plain = await scepTestServer()
  t.match(
    await scepErrorOf(fetchFrom(plain.url.replace('http:', 'https:'))),
    { code: 'connect-failed', kind: 'misconfigured', problem: { detail: '127.0.0.1: wrong version number' } },
    'a server without TLS',
  )
  server.closeAllConnections()
  server.close()
})
