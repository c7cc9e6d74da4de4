import fc from 'fast-check'
import t from 'tap'
import { composition, type Kept } from '../../../agent/desired/compose.ts'
import { parseSensorDocument } from '../../../agent/desired/parse.ts'
import type { SensorDocument } from '../../../agent/desired/sensor.ts'
import type { DesiredState } from '../../../agent/desired/state.ts'
import { giveUp, onTrial, propose, prove, type Trial } from '../../../agent/desired/trial.ts'
import { bytes, but, corp, sensor } from './documents.ts'
import { ready } from './states.ts'

function state(version: number) {
  const parsed = parseSensorDocument(bytes(sensor(version)))
  if (!parsed.ok) throw new Error('not a document')
  const document: Kept<SensorDocument> = { ...parsed.document, from: 'broker' }
  return composition(document, new Map(), [])
}
const known = [0, 1, 2, 3].map(version => state(version + 1))
const a = state(1)
const b = state(2)
const c = state(3)
type Event = 'reached' | 'cut off' | typeof a
const after = (...events: Event[]): Trial =>
  events.reduce<Trial>(
    (trial, event) =>
      event === 'reached' ? prove(trial) : event === 'cut off' ? giveUp(trial) : propose(trial, event),
    { phase: 'confirmed' },
  )
const versions = (trial: Trial) => [
  trial.phase,
  trial.inForce?.sensor.value.version,
  trial.setAside?.sensor.value.version,
]

t.test('a state that cuts the sensor off is taken back once (last-known-good)', t => {
  const cases: [string, Event[], ReturnType<typeof versions>][] = [
    ['the first state has nothing to go back to', [a, 'cut off', 'cut off'], ['unproven', 1, undefined]],
    ['a proven state is never taken back', [a, 'reached', 'cut off'], ['confirmed', 1, undefined]],
    [
      'a new state that reaches the broker stays',
      [a, 'reached', b, 'reached', 'cut off'],
      ['confirmed', 2, undefined],
    ],
    ['a new state that does not is taken back', [a, 'reached', b, 'cut off'], ['reverted', 1, 2]],
    [
      'the old one reaches the broker: the new one is in quarantine',
      [a, 'reached', b, 'cut off', 'reached', b],
      ['confirmed', 1, 2],
    ],
    [
      'nor does the old one: the new one is restored',
      [a, 'reached', b, 'cut off', 'cut off'],
      ['restored', 2, undefined],
    ],
    [
      'and stays, whatever happens',
      [a, 'reached', b, 'cut off', 'cut off', 'cut off', 'cut off', b],
      ['restored', 2, undefined],
    ],
    ['until it is proven', [a, 'reached', b, 'cut off', 'cut off', 'reached'], ['confirmed', 2, undefined]],
    [
      'a different document ends the quarantine',
      [a, 'reached', b, 'cut off', 'reached', c],
      ['unproven', 3, undefined],
    ],
    [
      'and goes back to the proven one, not to the one set aside',
      [a, 'reached', b, 'cut off', 'reached', c, 'cut off'],
      ['reverted', 1, 3],
    ],
    [
      'a newer one on top of an unproven one goes back to the proven one',
      [a, 'reached', b, c, 'cut off'],
      ['reverted', 1, 3],
    ],
    [
      'a different document while the old one is tried',
      [a, 'reached', b, 'cut off', c],
      ['unproven', 3, undefined],
    ],
    [
      'the operator goes back to the old one himself',
      [a, 'reached', b, 'cut off', 'reached', a],
      ['confirmed', 1, undefined],
    ],
  ]
  for (const [name, events, expected] of cases) t.same(versions(after(...events)), expected, name)
  t.end()
})

t.test(
  'whatever happens, a sensor that never reaches the broker again changes its state at most twice',
  t => {
    const event = fc.oneof(fc.constantFrom<Event>('reached', 'cut off'), fc.constantFrom<Event>(...known))
    fc.assert(
      fc.property(fc.array(event, { maxLength: 20 }), fc.integer({ min: 1, max: 20 }), (events, times) => {
        let trial = after(...events)
        const seen = [trial.inForce?.id]
        for (let i = 0; i < times; i++) {
          trial = giveUp(trial)
          if (trial.inForce?.id !== seen.at(-1)) seen.push(trial.inForce?.id)
        }
        return seen.length <= 3 && (times < 2 || !onTrial(trial))
      }),
    )
    t.end()
  },
)

t.test('time without the broker counts from the later of the loss and the change', async t => {
  await using desired = await ready(t, 1, { revertAfter: 50 })
  const since = performance.now()
  t.equal(desired.decisionAt(since), undefined, 'a proven state is not on trial')
  const cut = but(corp, 'eap.serverName', 'cut.example.org')
  t.ok(desired.offerNetwork('corp', bytes(cut)))
  const at = desired.decisionAt(0) ?? 0
  t.ok(at >= since + 50, 'the limit begins when the state is applied')
  t.notOk(desired.cutOff(0), 'before the limit nothing happens')
  await new Promise(resolve => setTimeout(resolve, at - performance.now() + 5))
  t.ok(desired.cutOff(0))
  t.match(desired.view, {
    phase: 'reverted',
    confirmed: false,
    desired: { tested: [{ profile: corp }] },
  })
  t.match(desired.view.rejected, { desired: { version: 1 }, networks: { corp: /^[0-9a-f]{64}$/ } })
  desired.reached(desired.view.applied.state, performance.now(), false)
  t.match(desired.view, { phase: 'confirmed', confirmed: true, rejected: {} })
  t.notOk(desired.offerNetwork('corp', bytes(cut)), 'the same document again stays in quarantine')
  t.ok(desired.offerNetwork('corp', bytes(but(corp, 'alias', 'better'))))
  t.equal(desired.view.rejected, undefined)
})

t.test(
  'what proves a state: a connection that does not depend on it, or was made after it, and a report of it',
  async t => {
    const cases: [string, (applied: { state: string }, now: number) => [string, number, boolean], boolean][] =
      [
        ['a connection over the management interface', ({ state }) => [state, 0, true], true],
        ['a connection made after the change', ({ state }, now) => [state, now + 1, false], true],
        ['the connection over which the change came', ({ state }, now) => [state, now - 100, false], false],
        ['a report of the state before', (_, now) => ['other', now + 1, true], false],
      ]
    for (const [name, report, proven] of cases) {
      await using desired = await ready(t)
      desired.offerNetwork('corp', bytes(but(corp, 'eap.serverName', 'new.example.org')))
      desired.reached(...report(desired.view.applied, performance.now()))
      t.equal(desired.view.confirmed, proven, name)
    }
  },
)

t.test('a broker that goes just after a change takes nothing back that has no part in it', async t => {
  const harmless: [string, (desired: DesiredState) => boolean][] = [
    [
      'a challenge password',
      desired => desired.offerNetwork('corp', bytes(but(corp, 'scep.challengePassword', 'new'))),
    ],
    ['an alias', desired => desired.offerNetwork('corp', bytes(but(corp, 'alias', 'new')))],
    [
      'what is tested, and how often',
      desired => desired.offerSensorDocument(bytes({ ...sensor(2, 'corp'), testEvery: 60 })),
    ],
  ]
  for (const [what, change] of harmless) {
    await using desired = await ready(t)
    t.ok(change(desired), what)
    t.equal(desired.decisionAt(0), undefined, what)
    desired.reached(desired.view.applied.state, performance.now() - 100, false)
    t.ok(desired.view.confirmed, `${what}: the connection over which it came proves it`)
  }
  const name = bytes(but(corp, 'eap.serverName', 'new.example.org'))
  await using over = await ready(t, 1, { revertAfter: 0 })
  t.ok(over.offerNetwork('corp', name) && over.cutOff(0), 'another RADIUS server may be the reason')
  await using beside = await ready(t, 1, { revertAfter: 0, overTested: false })
  t.ok(beside.offerNetwork('corp', name))
  t.notOk(beside.cutOff(0), 'but not where the broker is reached by another interface')
})
