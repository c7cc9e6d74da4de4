import t from 'tap'
import { planInterface } from '../../../agent/core/plan.ts'
import { wantedRevision } from '../../../agent/core/want.ts'
import type { Actual, NetworkHistory } from '../../../agent/types.ts'
import { actualOf, day, desiredOf, corp, issued, lease, now, queue } from './world.ts'

const credentials = { corp: issued('f1', 'a1', { notBefore: now - day, notAfter: now + 364 * day }) }
const revision = wantedRevision(corp, actualOf({ credentials }), now) ?? ''
const joined = { network: 'corp', revision, at: now }
const blocks = [{ path: '/1', network: 'corp', revision }]
const lastTest = { at: now, passed: true, probes: [], revision }

const plan = (
  history: NetworkHistory,
  changes: Partial<Actual> = {},
  leased = true,
  desired = desiredOf(),
) => {
  const state = { blocks, ...(leased && { joined, lease }) }
  const actual = actualOf({ credentials, history: { corp: { lastTest, ...history } }, ...changes }, state)
  return planInterface(desired, actual, 'eth0', now, { brokerOverTested: false, queue })
}
const actions = (...given: Parameters<typeof plan>) => plan(...given).steps.map(step => step.action)

t.test('a certificate is looked up on its CRL once a day, while its network is joined anyway', async t => {
  t.strictSame(actions({}), ['inspect'])
  t.strictSame(actions({ inspected: { fingerprint: 'f1', at: now - day } }), ['inspect'])
  t.strictSame(actions({ inspected: { fingerprint: 'f1', at: now - day / 2 } }), [])
  t.strictSame(actions({ inspected: { fingerprint: 'f0', at: now } }), ['inspect'], 'a new one at once')
  t.strictSame(
    actions({ inspected: { fingerprint: 'f1', at: now + day } }),
    ['inspect'],
    'after a clock set back too',
  )
  t.strictSame(actions({}, {}, false), ['join', 'lease'], 'never by joining for it')
  t.equal(
    plan({ inspected: { fingerprint: 'f1', at: now }, lastTest: { ...lastTest, at: now } }).wakeAt,
    now + 300_000,
  )
})

t.test('a test is due when what it tries to reach has changed, and not again while it stays so', async t => {
  const targets = [{ probe: 'ping' as const, host: 'portal.example.org' }]
  const inspected = { fingerprint: 'f1', at: now }
  const wanting = (history: NetworkHistory, desired = desiredOf({ targets })) =>
    actions({ inspected, ...history }, {}, true, desired)
  const tried = { lastTest: { ...lastTest, targets: JSON.stringify(targets) } }
  t.strictSame(wanting({}), ['test'])
  t.strictSame(wanting(tried), [])
  t.strictSame(wanting(tried, desiredOf()), ['test'], 'also when it was taken out')
})
