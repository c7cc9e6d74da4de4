/** CA rollover: the next CA, vouched for by the present one, trusted beside it, asked before it takes over. */
import t from 'tap'
import type { X509Certificate } from 'node:crypto'
import {
  addressedToNextCa,
  establishTrust,
  getNextCaCertificates,
  requestCertificate,
  type TrustSettings,
} from '../../../agent/scep/index.ts'
import { bag, fixtureKey, rootCa } from '../../scep-server/authority.ts'
import { signedData } from '../../scep-server/cert-rep.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { plainShape } from '../../scep-server/shapes.ts'
import { prepared, scepErrorOf } from './enrolling.ts'

const root = rootCa('Root', fixtureKey('rsa-2048-a'))
const pemOf = (holder: { certificate: X509Certificate }): string => holder.certificate.toString()
const trust = (certificates: { certificate: X509Certificate }[], settings: Partial<TrustSettings> = {}) =>
  establishTrust(
    { certificates: certificates.map(each => each.certificate), warnings: [] },
    { roots: [], fingerprint: null, ...settings },
    new Date(),
  )

t.test('B-17: the next CA is believed when the present one signs it, and trusted beside it', async t => {
  const next = rootCa('Root G2', fixtureKey('rsa-2048-d'))
  const shape = plainShape()
  const bodies = {
    good: signedData(bag([next.certificate]), [], { signer: shape.ca }),
    old: signedData(undefined, [], {
      signer: shape.ca,
      certificates: [shape.ca.certificate, next.certificate],
    }),
    foreign: signedData(bag([next.certificate]), [], { signer: next }),
    broken: signedData(bag([next.certificate]), [], { signer: shape.ca, broken: true }),
    empty: signedData(bag([]), [], { signer: shape.ca }),
  }
  const fetched = async (body: keyof typeof bodies) => {
    await using server = await scepTestServer({
      shape,
      get: { GetNextCACert: response => response.end(bodies[body]) },
    })
    const { transport, trust: found, signal } = await prepared(server.url)
    try {
      return await getNextCaCertificates(transport, found, signal)
    } finally {
      transport.close()
    }
  }
  t.strictSame(
    (await fetched('good')).map(each => each.subject),
    ['CN=Root G2'],
  )
  t.ok(
    (await fetched('old')).some(each => each.subject === 'CN=Root G2'),
    'an older shape',
  )
  for (const body of ['foreign', 'broken', 'empty'] as const)
    t.equal((await scepErrorOf(fetched(body))).code, 'next-ca-untrusted', body)
  const settings = { roots: [], fingerprint: null, next: [pemOf(next)] }
  t.strictSame(
    trust([root], settings).anchors.map(each => each.subject),
    ['CN=Root', 'CN=Root G2'],
  )
  for (const known of [{ pinned: trust([root]).pin ?? '' }, { fingerprint: root.certificate.fingerprint256 }])
    t.equal(trust([next], { ...settings, ...known }).basis, 'next-ca', 'after the switch-over')
})

t.test('B-17: a request can be enveloped to the next CA before it has taken over', async t => {
  const next = rootCa('Root G2', fixtureKey('rsa-2048-c'))
  const shape = plainShape()
  await using server = await scepTestServer({ shape: { ...shape, ca: next, decrypter: next } })
  const {
    transport,
    caps,
    trust: found,
    enrolment,
    key,
    settings,
    signal,
  } = await prepared(server.url, { trust: { next: [pemOf(next)] } })
  const outcome = await requestCertificate(
    transport,
    caps,
    addressedToNextCa(found, next.certificate),
    enrolment,
    key,
    settings,
    signal,
  )
  transport.close()
  t.match(outcome, { status: 'issued', chain: [next.certificate.toString()] })
  t.strictSame(server.violations, [])
})
