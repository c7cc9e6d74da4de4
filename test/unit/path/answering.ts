import { once } from 'node:events'
import { get } from 'node:http'
import { createServer, type AddressInfo, type LookupFunction, type Socket } from 'node:net'
import t from 'tap'
import { boundAgents, connectOver, type Binding } from '../../../agent/path/binding.ts'
import { PathError } from '../../../agent/path/errors.ts'

/** A path over loopback on which every name has these addresses. */
function loopback(...addresses: string[]): Binding {
  const lookup: LookupFunction = (_, { all }, callback) => {
    if (all === true)
      callback(
        null,
        addresses.map(address => ({ address, family: 4 })),
      )
    else callback(null, addresses[0] ?? '', 4)
  }
  return { localAddress: '127.0.0.1', lookup, verify: () => Promise.resolve(), sockets: new Set() }
}

/** Listens on 127.0.0.5 alone and ends every connection in good order. */
async function listening(): Promise<{ port: number; heard: Socket[] } & AsyncDisposable> {
  const heard: Socket[] = []
  const server = createServer(socket => {
    heard.push(socket.on('error', () => undefined))
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'))
    socket.once('end', () => socket.end())
  })
  server.listen(0, '127.0.0.5')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    ...{ port, heard },
    [Symbol.asyncDispose]: async () => {
      for (const socket of heard) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const signal = AbortSignal.timeout(5_000)

t.test('of a name with several addresses the next one is tried where the first refuses', async t => {
  await using server = await listening()
  const binding = loopback('127.0.0.4', '127.0.0.5')
  const socket = await connectOver(binding, 'two.example.org', server.port, signal)
  t.equal(socket.remoteAddress, '127.0.0.5')
  socket.destroy()
  const { 'http:': agent } = boundAgents(binding)
  const request = get({ agent, host: 'two.example.org', port: server.port })
  const [answer] = (await once(request, 'response')) as [{ statusCode: number; resume: () => void }]
  answer.resume()
  t.equal(answer.statusCode, 200)
  agent.destroy()
})

t.test('where every address refuses, each is named, with what it said', async t => {
  const gone = await listening()
  await gone[Symbol.asyncDispose]()
  const binding = loopback('127.0.0.4', '127.0.0.5')
  await t.rejects(connectOver(binding, 'two.example.org', gone.port, signal), {
    code: 'ECONNREFUSED',
    message: /127\.0\.0\.4 ECONNREFUSED, 127\.0\.0\.5 ECONNREFUSED, port \d+/,
  })
})

t.test('a path that breaks ends the choice between addresses with its own error', async t => {
  await using server = await listening()
  const binding = loopback('127.0.0.5', '127.0.0.4')
  const broken = new PathError('path-broken', 'somebody removed a rule')
  const connected = connectOver(binding, 'two.example.org', server.port, signal)
  setImmediate(() => {
    for (const socket of binding.sockets) socket.destroy(broken)
  })
  t.equal(await connected.catch((error: unknown) => error), broken)
})
