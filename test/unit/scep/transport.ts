/** HTTP as it goes wrong: every case a typed error, none past its deadline. */
import t from 'tap'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { createServer, type ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import {
  getCaCaps,
  getCaCertificates,
  openTransport,
  type Limits,
  type Wire,
} from '../../../agent/scep/index.ts'
import { ScepTestServer, scepTestServer } from '../../scep-server/server.ts'
import { plainShape } from '../../scep-server/shapes.ts'
import { enrol, scepErrorOf } from './enrolling.ts'

const limits: Partial<Limits> = { connect: 300, reply: 300, caps: 300 }

async function fetchFrom(url: string, signal = AbortSignal.timeout(5_000)) {
  using transport = openTransport({ url, caIdentifier: '' }, {}, { limits })
  return await getCaCertificates(transport, signal)
}

t.test('what HTTP can answer instead of a reply', async t => {
  const big = Buffer.alloc(65_536)
  const cases: [
    string,
    (response: ServerResponse) => void,
    { code: string; kind: string; problem?: object },
  ][] = [
    [
      'a redirect',
      r => r.writeHead(302, { location: 'http://user:pw@portal.example/login?x=1' }).end(),
      {
        code: 'redirected',
        kind: 'misconfigured',
        problem: { detail: 'HTTP 302 to http://portal.example/login' },
      },
    ],
    [
      'a login page with 200',
      r =>
        r
          .writeHead(200, { 'content-type': 'text/html' })
          .end('<html><title>Login</title><script>var x</script><p>Please&nbsp;sign in</p>'),
      { code: 'reply-not-scep', kind: 'misconfigured', problem: { serverText: 'Login Please sign in' } },
    ],
    [
      '404',
      r => r.writeHead(404).end('<h1>Not Found</h1>'),
      { code: 'http-status', kind: 'misconfigured', problem: { httpStatus: 404, hint: /path/ } },
    ],
    ['403', r => r.writeHead(403).end(), { code: 'http-status', kind: 'rejected' }],
    [
      '407 from a proxy',
      r => r.writeHead(407).end(),
      { code: 'http-status', kind: 'misconfigured', problem: { hint: /proxy/ } },
    ],
    [
      '500',
      r => r.writeHead(500).end('boom'),
      { code: 'http-status', kind: 'server-fault', problem: { serverText: 'boom' } },
    ],
    [
      '503 with Retry-After',
      r => r.writeHead(503, { 'retry-after': '120' }).end(),
      { code: 'http-status', kind: 'server-fault', problem: { retryAfter: 120 } },
    ],
    [
      "503 with Retry-After by the server's clock",
      r =>
        r
          .writeHead(503, {
            date: 'Wed, 21 Oct 2015 07:28:00 GMT',
            'retry-after': 'Wed, 21 Oct 2015 07:29:30 GMT',
          })
          .end(),
      { code: 'http-status', kind: 'server-fault', problem: { retryAfter: 90 } },
    ],
    [
      '50 MB announced',
      r => r.writeHead(200, { 'content-length': '52428800' }).write(big),
      { code: 'reply-too-large', kind: 'server-fault' },
    ],
    [
      '50 MB in chunks',
      r => {
        const more = (): void => {
          while (!r.destroyed && r.write(big));
          if (!r.destroyed) r.once('drain', more)
        }
        r.writeHead(200)
        more()
      },
      { code: 'reply-too-large', kind: 'server-fault' },
    ],
    [
      'a body that never ends',
      r => r.writeHead(200, { 'content-length': '100' }).write('0'),
      { code: 'reply-timeout', kind: 'unreachable' },
    ],
    ['no answer', () => undefined, { code: 'reply-timeout', kind: 'unreachable' }],
    [
      'a connection closed',
      r => r.destroy(),
      { code: 'connection-lost', kind: 'unreachable', problem: { detail: /closed without an answer/ } },
    ],
    [
      'a body cut off',
      r => {
        r.writeHead(200, { 'content-length': '100' }).write('0')
        setImmediate(() => r.destroy())
      },
      { code: 'connection-lost', kind: 'unreachable', problem: { detail: /ended in the middle/ } },
    ],
    [
      'a compressed body that nobody asked for',
      r => r.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(plainShape().ca.certificate.raw)),
      { code: 'reply-not-scep', kind: 'misconfigured', problem: { detail: /gzip/ } },
    ],
    [
      'something that is no HTTP',
      r => r.socket?.end('SSH-2.0-OpenSSH_9.2\r\n'),
      { code: 'connection-lost', kind: 'unreachable', problem: { hint: /scheme and port/ } },
    ],
  ]
  for (const [name, answer, expected] of cases) {
    await using server = await scepTestServer({ get: { GetCACert: answer } })
    const before = process.memoryUsage().arrayBuffers
    t.match(await scepErrorOf(fetchFrom(server.url)), expected, name)
    t.ok(process.memoryUsage().arrayBuffers - before < 20_000_000, 'and memory stays bounded')
  }
})

t.test('B-03: without an answer to GetCACaps the transaction goes on', async t => {
  const silences: [string, (response: ServerResponse) => void][] = [
    ['an error page', r => r.writeHead(500).end()],
    ['a connection closed', r => r.destroy()],
    ['no answer', () => undefined],
  ]
  for (const [name, answer] of silences) {
    await using server = await scepTestServer({ get: { GetCACaps: answer } })
    t.equal((await enrol(server.url, { limits })).status, 'issued', name)
    t.equal(server.requests.at(-1)?.method, 'GET', 'without capabilities the message goes by GET')
  }
})

t.test('names and addresses that do not answer', async t => {
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address() as AddressInfo
  closed.close()
  await once(closed, 'close')
  t.match(await scepErrorOf(fetchFrom(`http://127.0.0.1:${port}/scep`)), {
    code: 'connect-failed',
    kind: 'unreachable',
  })
  const wire: Wire = {
    lookup: (_name, _options, done) =>
      done(Object.assign(new Error('queryA ENOTFOUND nowhere.example'), { code: 'ENOTFOUND' }), []),
  }
  using nowhere = openTransport({ url: 'http://nowhere.example/scep', caIdentifier: '' }, wire)
  t.match(await scepErrorOf(getCaCertificates(nowhere, AbortSignal.timeout(5_000))), {
    code: 'dns-failed',
    kind: 'unreachable',
    problem: { detail: /nowhere\.example/ },
  })
  using transport = openTransport({ url: 'http://127.0.0.1:9/', caIdentifier: '' })
  t.match(
    await scepErrorOf(getCaCaps(transport, AbortSignal.timeout(5_000))),
    { kind: 'unreachable' },
    'GetCACaps too, when nobody is there',
  )
})

t.test('a connection that does not come about ends at its own deadline', async t => {
  // The resolver is the caller's; one that never answers is like a firewall that drops.
  const wire = { lookup: () => undefined }
  using transport = openTransport({ url: 'http://slow.example/', caIdentifier: '' }, wire, {
    limits: { connect: 100, reply: 2_000 },
  })
  t.match(await scepErrorOf(getCaCertificates(transport, AbortSignal.timeout(5_000))), {
    code: 'connect-timeout',
    kind: 'unreachable',
  })
})

t.test(
  "B-06: the caller's resolver and source address are used, and the caller's signal ends it",
  async t => {
    await using server = await scepTestServer()
    const { port } = new URL(server.url)
    const asked: string[] = []
    using transport = openTransport(
      { url: `http://ndes.example:${port}/scep`, caIdentifier: 'x' },
      {
        localAddress: '127.0.0.3',
        lookup: (name, options, done) => {
          asked.push(name)
          if (options.all) done(null, [{ address: '127.0.0.1', family: 4 }])
          else done(null, '127.0.0.1', 4)
        },
      },
    )
    await getCaCertificates(transport, AbortSignal.timeout(5_000))
    t.strictSame(asked, ['ndes.example'])
    t.equal(server.requests[0]?.headers.host, `ndes.example:${port}`)
    const stop = new AbortController()
    await using silent = await scepTestServer({
      get: {
        GetCACert: () => {
          stop.abort(new Error('a new desired state'))
        },
      },
    })
    await t.rejects(fetchFrom(silent.url, stop.signal), { message: 'a new desired state' })
  },
)

t.test(
  'B-08, S2-09, S2-63: no proxy is taken from the environment, and credentials of the URL are sent and never shown',
  async t => {
    process.env['http_proxy'] = process.env['HTTP_PROXY'] = 'http://127.0.0.1:9'
    await using server = await scepTestServer()
    const steps: string[] = []
    using transport = openTransport(
      { url: server.url.replace('http://', 'http://me:hidden@'), caIdentifier: '' },
      {},
      { onStep: step => steps.push(step.url) },
    )
    await getCaCertificates(transport, AbortSignal.timeout(5_000))
    t.match(server.requests[0]?.headers, {
      authorization: `Basic ${Buffer.from('me:hidden').toString('base64')}`,
      'accept-encoding': 'identity',
    })
    await fetchFrom(server.url.replace('http://', 'http://:only@'))
    t.equal(server.requests[1]?.headers.authorization, `Basic ${Buffer.from(':only').toString('base64')}`)
    t.notOk([...steps, transport.display].join().includes('hidden'))
    delete process.env['http_proxy']
    delete process.env['HTTP_PROXY']
  },
)

const hasIpv6 = (networkInterfaces()['lo'] ?? []).some(each => each.address === '::1')
t.test(
  'B-06: an IPv6 literal, and a reply in chunks',
  { skip: hasIpv6 ? false : 'needs ::1 on loopback' },
  async t => {
    const body = plainShape().ca.certificate.raw
    const chunked = (r: ServerResponse): void => {
      r.writeHead(200, { 'content-type': 'application/x-x509-ca-cert; charset=utf-8' }).write(
        body.subarray(0, 100),
      )
      r.end(body.subarray(100))
    }
    await using server = await new ScepTestServer({ get: { GetCACert: chunked } }).listen(0, '::1')
    t.match(server.url, 'http://[::1]:')
    t.equal((await fetchFrom(server.url)).certificates.length, 1)
    t.match(server.requests[0]?.headers.host, /^\[::1\]:\d+$/)
  },
)
