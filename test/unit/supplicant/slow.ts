/** EAP that stops half-way, and EAP that goes on slowly. */
import t from 'tap'
import { advance, type AttemptNews, beginAttempt } from '../../../supplicant/attempt.ts'
import { nextAct, nextDeadline } from '../../../supplicant/deadlines.ts'
import type { State } from '../../../supplicant/signals.ts'

const eap = (status: string, parameter = ''): AttemptNews => ({ kind: 'eap', status, parameter })
const state = (value: State): AttemptNews => ({ kind: 'state', state: value })
const run = (start: ReturnType<typeof beginAttempt>, ...events: [number, AttemptNews][]) =>
  events.reduce((attempt, [ms, event]) => advance(attempt, { ...event, ms }), start)

t.test('EAP that stops half-way is begun once more, within the time for it', t => {
  for (const medium of ['wired', 'wireless'] as const) {
    const first = run(
      beginAttempt(true, {}, 'none', medium),
      [10, state('associated')],
      [20, eap('started')],
      [30, eap('accept proposed method', 'TLS')],
    )
    t.same(nextAct(first), { ms: 10_000, act: 'restart' })
    const pulled = run(first, [40, { kind: 'carrier', up: false }])
    t.equal(nextAct(pulled), undefined, 'without a carrier nothing can begin')
    const again = run(first, [10_000, { kind: 'act', act: 'restart' }], [10_050, state('associated')])
    t.same(nextDeadline(again), { ms: 15_000, code: 'radius-silent' })
    const answered = run(again, [10_060, eap('started')], [10_070, eap('accept proposed method', 'TLS')])
    t.equal(nextAct(answered), undefined, 'once')
    t.same(nextDeadline(answered), { ms: 15_000, code: 'radius-silent' }, 'a silent server is told in 15 s')
    t.match(run(answered, [10_100, state('completed')]).outcome, { kind: 'joined' })
  }
  t.end()
})

t.test(
  'EAP that is slow and goes on is left alone: a restart at 10 s would end what 15 s are enough for',
  t => {
    const started = run(beginAttempt(true), [10, state('associated')], [20, eap('started')])
    const method = run(started, [4_000, eap('accept proposed method', 'PEAP')])
    t.same(nextAct(method), { ms: 10_000, act: 'restart' }, 'nothing was heard for more than 5 s')
    const certificate = run(method, [6_000, eap('remote certificate verification', 'success')])
    t.equal(nextAct(certificate), undefined)
    t.same(nextDeadline(certificate), { ms: 15_000, code: 'radius-silent' })
    t.equal(nextAct(run(started, [9_000, eap('accept proposed method', 'PEAP')])), undefined)
    t.end()
  },
)

t.test('where the server may be slow, EAP ends that is silent for 15 s, or not done after 30', t => {
  const silent = (ms: number) => ({ ms, code: 'radius-silent' })
  const started = run(
    beginAttempt(true, { radiusSlow: 30_000 }),
    [10, state('associated')],
    [20, eap('started')],
  )
  t.same(nextDeadline(started), silent(15_020))
  const method = run(started, [4_500, eap('accept proposed method', 'PEAP')])
  t.same(nextDeadline(method), silent(19_500))
  t.same(
    nextAct(method),
    { ms: 14_500, act: 'restart' },
    'the last 5 s are for beginning once more all the same',
  )
  const certificate = run(method, [13_500, eap('remote certificate verification', 'success')])
  t.same(nextDeadline(certificate), silent(28_500))
  const late = run(method, [18_000, eap('remote certificate verification', 'success')])
  t.same(nextDeadline(late), silent(30_000))
  t.end()
})
