import t from 'tap'
import { advance, type AttemptNews, beginAttempt } from '../../../supplicant/attempt.ts'
import { nextAct, nextDeadline } from '../../../supplicant/deadlines.ts'
import type { State } from '../../../supplicant/signals.ts'
import { replay } from './recordings.ts'

const eap = (status: string, parameter = ''): AttemptNews => ({ kind: 'eap', status, parameter })
const state = (value: State): AttemptNews => ({
  kind: 'state',
  state: value,
})
const run = (start: ReturnType<typeof beginAttempt>, ...events: [number, AttemptNews][]) =>
  events.reduce((attempt, [ms, event]) => advance(attempt, { ...event, ms }), start)

t.test('a successful attempt passes all stages, each with its time', async t => {
  const { stage, times, method, verification, serverCertificates, outcome } = await replay('ok')
  t.equal(stage, 'completed')
  t.match(outcome, { kind: 'joined', ms: 1996.4 })
  t.match(times, {
    associated: 7,
    'eap-started': 1973.4,
    method: 1979.8,
    verified: 1986,
    authenticated: 1991,
  })
  t.match({ method, verification }, { method: 'TLS', verification: 'success' })
  t.match(serverCertificates, [{ depth: 1 }, { depth: 0, altSubjects: ['DNS:radius.example.org'] }])
})

t.test(
  'the supplicant never says so: deadlines, counted from SelectNetwork, end what will not end by itself',
  async t => {
    const cases: [string, ReturnType<typeof beginAttempt>, number, string][] = [
      ['nothing at all: the network is not found', beginAttempt(true), 20_000, 'not-found'],
      [
        'associated and no EAP',
        run(beginAttempt(true), [7, state('associated')]),
        10_000,
        'no-authenticator',
      ],
      [
        'no carrier',
        run(beginAttempt(true), [7, state('associated')], [8, { kind: 'carrier', up: false }]),
        10_000,
        'no-carrier',
      ],
      [
        'no carrier, and EAP had started',
        run(beginAttempt(true), [20, eap('started')], [30, { kind: 'carrier', up: false }]),
        10_000,
        'no-carrier',
      ],
      [
        'the interface itself is down',
        run(beginAttempt(true), [7, state('associated')], [8, { kind: 'enabled', enabled: false }]),
        10_000,
        'interface-disabled',
      ],
      [
        'a radio that is blocked',
        run(beginAttempt(false, {}, 'psk', 'wireless'), [5, state('interface_disabled')]),
        10_000,
        'interface-disabled',
      ],
      [
        'a radio that was blocked is looked for like any other',
        run(
          beginAttempt(false, {}, 'psk', 'wireless'),
          [5, state('interface_disabled')],
          [9, state('scanning')],
        ),
        20_000,
        'not-found',
      ],
      [
        'a plain wire without carrier',
        run({ ...beginAttempt(false), carrier: false }, [5, state('completed')]),
        10_000,
        'no-carrier',
      ],
      [
        'EAP started, RADIUS silent',
        run(beginAttempt(true), [7, state('associated')], [20, eap('started')]),
        15_000,
        'radius-silent',
      ],
      ['the same, started late', run(beginAttempt(true), [9_000, eap('started')]), 19_000, 'radius-silent'],
      [
        'EAP succeeded, port closed',
        run(beginAttempt(true), [30, eap('completion', 'success')]),
        10_030,
        'handshake-timeout',
      ],
      [
        'open network, never completed',
        run(beginAttempt(false), [50, state('associated')]),
        10_050,
        'handshake-timeout',
      ],
    ]
    for (const [name, attempt, ms, code] of cases) {
      t.same(nextDeadline(attempt), { ms, code }, name)
      t.equal(advance(attempt, { kind: 'tick', ms: ms - 1 }).outcome, undefined, `${name}: not before`)
      t.same(advance(attempt, { kind: 'tick', ms }).outcome, { kind: 'failed', code, ms }, `${name}: then`)
    }
  },
)

t.test('an unreadable key fails at once, since the supplicant only waits for a passphrase', async t => {
  const request: AttemptNews = { kind: 'request', network: '/n', field: 'PASSPHRASE', text: '' }
  t.match(run(beginAttempt(true), [20, eap('started')], [25, request]).outcome, {
    code: 'parameter-needed',
    ms: 25,
  })
  const patient = beginAttempt(true, { parameterNeeded: 5_000 })
  t.same(nextDeadline(run(patient, [25, request])), { ms: 5_000, code: 'parameter-needed' })
})

t.test('an attempt with an outcome changes no more', async t => {
  const joined = run(beginAttempt(true), [5, state('completed')])
  t.equal(advance(joined, { kind: 'eap', status: 'completion', parameter: 'failure', ms: 9 }), joined)
  t.equal(nextDeadline(joined), undefined)
})

t.test('selecting again starts the stages anew and keeps the evidence', async t => {
  const again = run(beginAttempt(true), [7, state('associated')], [900, { kind: 'act', act: 'reselect' }])
  t.match(again, { stage: 'selecting', times: { selecting: 900, associated: undefined } })
  t.equal(again.evidence.length, 2)
})

t.test(
  'on the air a wrong passphrase is told by reason 15, by a mismatch, or by a refused association',
  async t => {
    const psk = beginAttempt(false, {}, 'psk')
    const sae = beginAttempt(false, {}, 'sae')
    const reason: AttemptNews = { kind: 'disconnect-reason', reason: 15 }
    t.match(run(psk, [5, reason], [6, state('disconnected')]).outcome, { code: 'wrong-passphrase' })
    t.match(run(psk, [5, { kind: 'psk-mismatch' }]).outcome, { code: 'wrong-passphrase' })
    t.equal(
      run(beginAttempt(false), [5, reason], [6, state('disconnected')]).outcome,
      undefined,
      'OWE has none',
    )
    for (const status of [1, 15]) {
      t.match(run(sae, [5, { kind: 'auth-status', status }]).outcome, { code: 'wrong-passphrase' })
      t.equal(run(psk, [5, { kind: 'auth-status', status }]).outcome, undefined, 'an access list, say')
    }
    const refused = run(psk, [5, { kind: 'assoc-status', status: 17 }])
    t.match(refused, { outcome: undefined, assocStatus: 17 }, 'another access point may take us')
    t.same(nextDeadline(refused), { ms: 20_000, code: 'association-rejected' })
    t.equal(run(psk, [5, { kind: 'auth-status', status: 0 }]).outcome, undefined)
  },
)

t.test('an access point that is lost on the way is not a RADIUS server that is silent', async t => {
  const air = beginAttempt(true, {}, 'none', 'wireless')
  const lost = run(air, [100, state('associated')], [200, eap('started')], [3_000, state('disconnected')])
  t.same(nextDeadline(lost), { ms: 20_000, code: 'access-point-lost' })
  const late = run(air, [19_000, state('associated')], [19_500, state('disconnected')])
  t.same(nextDeadline(late), { ms: 24_500, code: 'access-point-lost' }, 'another may still be found')
  const another = run(lost, [3_500, state('scanning')], [4_000, state('associated')])
  t.match(another, {
    lost: undefined,
    times: { scanning: 3_500, 'eap-started': undefined, associated: 4_000 },
  })
  const known = run(air, [9, state('associated')], [20, eap('remote certificate verification', 'success')])
  const other = run(known, [30, state('disconnected')], [50, state('associated')])
  t.equal(other.verification, undefined, 'what one access point has shown says nothing of the next')
  t.same(nextDeadline(another), { ms: 10_000, code: 'no-authenticator' }, 'another one is another matter')
  const wire = run(
    beginAttempt(true),
    [7, state('associated')],
    [20, eap('started')],
    [30, state('disconnected')],
  )
  t.match(nextDeadline(wire), { code: 'radius-silent' }, 'a wire has no access point')
  const shut = run(
    air,
    [5, state('associated')],
    [9, eap('completion', 'success')],
    [20, state('disconnected')],
  )
  t.match(nextDeadline(shut), { code: 'handshake-timeout' }, 'EAP was through: it is the keys')
})

t.test('a radio that needed most of the time for its scan still gets time for EAP', async t => {
  t.same(nextDeadline(run(beginAttempt(true), [9_000, state('associated')])), {
    ms: 14_000,
    code: 'no-authenticator',
  })
  const again = run(
    beginAttempt(true),
    [7, state('associated')],
    [9_600, { kind: 'act', act: 'reselect' }],
    [9_610, state('associated')],
  )
  t.same(nextDeadline(again), { ms: 10_000, code: 'no-authenticator' }, 'selecting again is no new start')
  const air = beginAttempt(true, {}, 'none', 'wireless')
  t.same(
    nextDeadline(run(air, [9_000, state('associated')])),
    { ms: 18_000, code: 'no-authenticator' },
    'on the air there is time to leave the access point and come back',
  )
})

t.test(
  'an access point that does not begin is asked for EAP, and left when it goes on with a session that broke off',
  async t => {
    const air = beginAttempt(true, {}, 'none', 'wireless')
    const associated = run(air, [300, state('associating')], [400, state('associated')])
    t.same(nextAct(associated), { ms: 900, act: 'logon' }, 'most access points begin by themselves')
    const slow = run(associated, [450, eap('started')])
    t.equal(
      nextAct(slow),
      undefined,
      'a RADIUS server may be slow, and before a method whoever begins anew is answered',
    )
    const asked = run(associated, [900, { kind: 'act', act: 'logon' }])
    t.same(nextAct(asked), { ms: 4_400, act: 'reselect' })
    const stale = run(
      asked,
      [1_000, eap('accept proposed method', 'TLS')],
      [1_100, eap('completion', 'failure')],
    )
    t.match(stale, { outcome: undefined }, 'the failure of an old session is no verdict on us')
    t.same(nextAct(stale), { ms: 1_900, act: 'reselect' }, 'it began without the question for our identity')
    const shown = run(
      asked,
      [1_000, eap('accept proposed method', 'TLS')],
      [1_200, eap('remote certificate verification', 'success')],
    )
    t.same(nextAct(shown), { ms: 2_700, act: 'reselect' }, 'unless it is a session that goes on')
    const left = run(stale, [1_900, { kind: 'act', act: 'reselect' }], [1_910, state('disconnected')])
    t.equal(nextAct(left), undefined, 'first the association')
    t.match(left, { method: undefined, lost: undefined }, 'it is we who left')
    const back = run(left, [5_000, state('associated')])
    t.same(nextAct(back), { ms: 5_500, act: 'logon' })
    t.same(nextDeadline(back), { ms: 10_000, code: 'no-authenticator' })
    t.match(run(back, [5_100, eap('started')], [5_200, eap('completion', 'failure')]).outcome, {
      code: 'rejected',
    })
    t.equal(nextAct(run(associated, [500, state('disconnected')])), undefined, 'nobody is there to be asked')
    t.equal(nextAct(run(associated, [500, state('completed')])), undefined)
    t.equal(nextAct(run(beginAttempt(true), [7, state('associated')])), undefined, 'a wire has its own pace')
    const open = run(beginAttempt(false, {}, 'psk', 'wireless'), [7, state('associated')])
    t.equal(nextAct(open), undefined, 'without 802.1X there is nothing to begin')
  },
)

t.test('an attempt that waits for hours keeps the beginning and the end of its evidence', async t => {
  const events = Array.from({ length: 5_000 }, (_, ms): [number, AttemptNews] => [
    ms,
    { kind: 'act', act: 'reselect' },
  ])
  const { evidence } = run(beginAttempt(true), ...events)
  t.equal(evidence.length, 200)
  t.equal(evidence[0]?.ms, 0)
  t.equal(evidence.at(-1)?.ms, 4_999)
})
