/** The small pure parts of the link. */
import t from 'tap'
import { delays } from '../../../agent/mqtt/backoff.ts'
import { findingOf, identityInUse } from '../../../agent/mqtt/findings.ts'
import { LinkProblem } from '../../../agent/link-problem.ts'
import { ConnectionRefused } from '../../../agent/mqtt/connection.ts'
import { away, offline, online, readPresence } from '../../../agent/mqtt/presence.ts'
import { networkOfTopic, topicsOf } from '../../../agent/desired/topics.ts'

t.test('the delays between attempts double up to the most, each within its jitter', t => {
  const take = (random: number) => {
    const all = delays({ first: 500, most: 60_000, jitter: 0.5 }, () => random)
    return Array.from({ length: 10 }, () => all.next().value)
  }
  t.same(take(0.5), [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
  t.same(take(0).slice(0, 2), [250, 500])
  t.same(take(1).slice(0, 2), [750, 1500])
  t.end()
})

t.test('topics', t => {
  const topics = topicsOf('site/sonde', 's-1')
  t.equal(topics.desired, 'site/sonde/sensors/s-1/desired')
  t.equal(networkOfTopic('site/sonde', topics.network('corp_1')), 'corp_1')
  for (const topic of ['site/sonde/networks/', 'site/sonde/networks/a/b', 'sonde/networks/a', topics.desired])
    t.equal(networkOfTopic('site/sonde', topic), undefined, topic)
  t.end()
})

t.test('presence is written and read', t => {
  const now = new Date(0)
  for (const presence of [online('i', now), away('i', now, undefined), away('i', now, now), offline('i')])
    t.same(readPresence(Buffer.from(JSON.stringify(presence))), presence)
  for (const text of ['', 'x', '{}', '{"schema":1,"state":"gone","instance":"i"}'])
    t.equal(readPresence(Buffer.from(text)), undefined)
  t.end()
})

const openssl =
  '800C:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../ssl/record/rec_layer_s3.c:1601:\n'

t.test('what is wrong with the link has a stable code', t => {
  const error = (code: string, message = code) => Object.assign(new Error(message), { code })
  const cases: [unknown, string | undefined, string][] = [
    [error('ECONNREFUSED'), undefined, 'broker-unreachable'],
    [new Error('no answer within 10 s'), undefined, 'broker-unreachable'],
    [error('ERR_TLS_CERT_ALTNAME_INVALID'), undefined, 'broker-untrusted'],
    [error('DEPTH_ZERO_SELF_SIGNED_CERT'), undefined, 'broker-untrusted'],
    [error('CERT_NOT_YET_VALID', 'certificate is not yet valid'), undefined, 'broker-certificate-dates'],
    [error('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', openssl), undefined, 'broker-refused'],
    [error('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', openssl), undefined, 'broker-refused'],
    // As a connection ends that was made before the broker had looked.
    [new Error(openssl), undefined, 'broker-refused'],
    [new ConnectionRefused(135, 'Connection refused: Not authorized'), undefined, 'broker-refused'],
    [new ConnectionRefused(3, 'Connection refused: Server unavailable'), undefined, 'broker-unreachable'],
    [new ConnectionRefused(137, 'Connection refused: Server busy'), undefined, 'broker-unreachable'],
    [new Error('Unspecified error'), 'subscribe', 'broker-denied'],
  ]
  for (const [thrown, what, code] of cases) {
    const finding = findingOf('mqtts://user:secret@broker.example.org', thrown, what)
    t.equal(finding.code, code, String(thrown))
    t.notMatch(JSON.stringify(finding), /secret|rec_layer/)
  }
  const unable = findingOf('mqtt://b', new ConnectionRefused(154, 'Connection refused: Retain not supported'))
  t.match(
    unable,
    { code: 'broker-refused', hint: /retained messages/ },
    'the user name alone need not be to blame',
  )
  const early = findingOf('mqtts://b', error('CERT_NOT_YET_VALID', 'not yet valid'), undefined, new Date(0))
  t.match(early, {
    side: 'clock',
    detail: 'b: not yet valid, by the system clock, which says 1970-01-01T00:00:00.000Z',
  })
  t.end()
})

t.test('a cloned card is a problem of the report while it is seen, and for ten minutes after', t => {
  const problem = new LinkProblem()
  t.same(problem.reported(0), {})
  problem.saw(identityInUse('s1'), 1_000)
  problem.saw(identityInUse('s1'), 60_000)
  t.match(problem.reported(61_000), {
    link: {
      problem: {
        ...{ code: 'identity-in-use', count: 2 },
        ...{ since: '1970-01-01T00:00:01.000Z', last: '1970-01-01T00:01:00.000Z' },
      },
    },
  })
  t.same(problem.reported(660_000), {}, 'over')
  problem.look({ state: 'connecting', problem: identityInUse('s1') }, 700_000)
  t.same(problem.reported(700_000), {}, 'who is not connected has no reader')
  const refused = findingOf('mqtt://b', new Error('no'))
  for (const [at, finding] of [
    [701_000, refused],
    [702_000, refused],
    [703_000, findingOf('mqtt://b', new ConnectionRefused(5, 'Not authorized'))],
  ] as const)
    problem.look({ state: 'connecting', problem: finding }, at)
  t.match(
    problem.unreached(),
    { link: { problem: { code: 'broker-refused', count: 3, since: '1970-01-01T00:11:40.000Z' } } },
    'but on the device: the last of three attempts of one absence',
  )
  problem.look({ state: 'connected', problem: findingOf('mqtt://b', new Error('no'), 'subscribe') }, 700_000)
  t.match(problem.reported(700_000), { link: { problem: { code: 'broker-denied', count: 1 } } })
  t.same(problem.unreached(), {}, 'and over with the connection')
  t.end()
})
