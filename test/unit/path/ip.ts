import t from 'tap'
import { ip, ipResults, tryIp } from '../../../agent/path/ip.ts'

t.test('answers and complaints find the command that caused them', async t => {
  const commands = [
    'route get 1.1.1.1',
    'rule add pref 77 table 5',
    'rule show',
    '-route flush table 5',
    'rule del pref 1',
  ]
  const text = [
    'RTNETLINK answers: Network is unreachable',
    'Command failed -:41',
    'RTNETLINK answers: File exists',
    'Command failed -:42',
    '[{"priority":0}]',
    'Error: argument "x" is wrong',
    'Try "ip rule help"',
    'Command failed -:45',
    '',
  ].join('\n')
  t.same(ipResults(commands, 41, text), [
    { ok: false, text: 'RTNETLINK answers: Network is unreachable' },
    { ok: false, text: 'RTNETLINK answers: File exists' },
    { ok: true, value: [{ priority: 0 }] },
    { ok: true, value: undefined },
    { ok: false, text: 'Error: argument "x" is wrong Try "ip rule help"' },
  ])
})

t.test('the resident iproute2 answers many questions at once, each with its own answer', async t => {
  const devices = await Promise.all(
    Array.from({ length: 20 }, () => ip('address show dev lo', 'route get 127.0.0.1')),
  )
  for (const [link, route] of devices) t.match([link, route], [[{ ifname: 'lo' }], [{ dev: 'lo' }]])
})

t.test('a command that fails is thrown with its words, after the others have run', async t => {
  await t.rejects(ip('address show dev nowhere0', 'route get 127.0.0.1'), {
    code: 'ip-failed',
    message: /nowhere0/,
  })
  t.match(await ip('-address show dev nowhere0', 'route get 127.0.0.1'), [undefined, [{ dst: '127.0.0.1' }]])
})

t.test(
  'a command that iproute2 cannot parse ends it, which is an error, and the next command has a new one',
  async t => {
    await t.rejects(ip('route get 300.1.1.1'), { code: 'ip-failed' })
    t.match(await tryIp('route get 127.0.0.1'), { ok: true })
  },
)
