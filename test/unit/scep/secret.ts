/** The challenge password is said nowhere, whatever a server does with it. */
import t from 'tap'
import type { ServerResponse } from 'node:http'
import { requestCertificate, withoutSecret } from '../../../agent/scep/index.ts'
import { fixturePath } from '../../scep-server/authority.ts'
import { scepTestServer } from '../../scep-server/server.ts'
import { sonde } from './by-hand.ts'
import { enrol, prepared, scepErrorOf } from './enrolling.ts'

const password = 'open <sesame> & co'
const http = (body: (response: ServerResponse) => void) => () => ({ http: body })

const answers = [
  () => ({ pkiStatus: '2', failInfo: '2', failInfoText: `bad password ${password}!` }),
  () => ({ pkiStatus: '2', failInfo: '2', failInfoText: `${'x'.repeat(285)} ${password}` }),
  () => ({ pkiStatus: '2', failInfo: password }),
  () => ({ transactionID: password }),
  () => ({ pkiStatus: password, content: Buffer.alloc(1) }),
  http(r => r.writeHead(500).end(`<h1>bad ${password}</h1>`)),
  http(r => r.writeHead(500, `bad ${password}`).end()),
  http(r => r.writeHead(302, { location: `/${encodeURIComponent(password)}` }).end()),
  http(r => r.writeHead(200, { 'content-type': `text/${encodeURIComponent(password)}` }).end('no')),
  http(r => r.writeHead(200).end('<p>bad open &lt;sesame&gt; &#38; co</p>')),
]

t.test(
  'S2-33: the challenge password is in no error, warning or step, however the server repeats it',
  async t => {
    await using server = await scepTestServer({ answers: [...answers] })
    const shown: string[] = []
    const { transport, caps, trust, enrolment, key, settings, signal } = await prepared(server.url, {
      challengePassword: password,
      onStep: step =>
        shown.push(
          JSON.stringify({
            ...step,
            sent: step.sent?.toString('latin1'),
            received: '',
            error: step.error?.message,
          }),
        ),
    })
    using _ = transport
    for (const [at] of answers.entries()) {
      const error = await scepErrorOf(
        requestCertificate(transport, caps, trust, enrolment, key, settings, signal),
      )
      shown.push(JSON.stringify(error.problem), error.stack ?? '', String(error.cause))
      t.notMatch(shown.join('\n'), /sesa|esame/, `answer ${String(at)}: ${error.problem.detail}`)
    }
  },
)

t.test('--verbose shows what the server said, without the password', async t => {
  const said = [answers[0], answers[6], answers[9]].flatMap(answer => (answer ? [answer] : []))
  await using server = await scepTestServer({
    answers: [...said, () => ({ pkiStatus: '3' }), ...said.slice(0, 1)],
  })
  const key = fixturePath('rsa-2048-d')
  const folder = t.testdir({ password: `${password}\n` })
  const enroll = () =>
    sonde(
      ...['enroll', server.url, '--cn', 'pi', '--key', key, '--out', folder, '--afresh', '--verbose'],
      ...['--password-file', `${folder}/password`],
    )
  for (const [at] of said.entries()) {
    const { out, err } = await enroll()
    t.notMatch(out + err, /sesa|esame/, `answer ${String(at)}`)
  }
  t.equal((await enroll()).code, 5)
  const { code, err } = await sonde('poll', '--from', folder, '--verbose')
  t.match([code, err], [2, /failInfoText: bad password \(challenge password\)!/])
  t.notMatch(err, /sesame/, 'a poll has it from the request')
})

t.test('a password is found in every spelling, and our own words stay', async t => {
  for (const [text, secret, clean] of [
    ['no hunter2 here', 'hunter2', 'no (challenge password) here'],
    ['no hunter2 here', undefined, 'no hunter2 here'],
    ['no hunter2 here', '', 'no hunter2 here'],
    ['{"bad":"a\\"b"}', 'a"b', '{"bad":"(challenge password)"}'],
    ['a%22b a&quot;b a&#x22;b a\\u0022b', 'a"b', Array(4).fill('(challenge password)').join(' ')],
    ['got a b', ' a  b\n', 'got (challenge password)'],
    ['?p=gr%C3%BC%C3%9F+dich', 'grüß dich', '?p=(challenge password)'],
    ['it was hunt…', 'hunter2', 'it was (challenge password)…'],
    ['it was hu…', 'hunter2', 'it was hu…'],
    ['a.c abc', 'a.c', '(challenge password) abc'],
  ] as const)
    t.equal(withoutSecret(text, secret), clean, text)
  await using server = await scepTestServer({ answers: [() => ({ pkiStatus: '2', failInfo: '2' })] })
  t.match(await scepErrorOf(enrol(server.url, { challengePassword: 'password' })), {
    problem: { detail: 'password might be incorrect' },
  })
})
