/** Several certificates near their end, and one of them cannot be attempted now: it must not cost the others (S1-22 … S1-25). */
import t from 'tap'
import { planInterface } from '../../../agent/core/plan.ts'
import { basisOf, wantedRevision } from '../../../agent/core/want.ts'
import type { Actual, Network, NetworkHistory } from '../../../agent/types.ts'
import { both, branch, failing, next, two } from './renewal.ts'
import { actualOf, corp, desiredOf, issued, now, queue, withProfile } from './world.ts'

const hour = 3_600_000
const held = (network: Network, actual: Actual, until = now + 1000): NetworkHistory => ({
  setback: {
    finding: { code: 'x', title: '', detail: '', hint: '', side: 'network', retry: 'backoff' },
    ...{ action: 'join', since: now - hour, last: now - 1000, count: 9, until },
    basis: basisOf(network, two, actual),
  },
})
const elsewhere: Network = { ...corp, interface: 'wlan0' }
const patient = { ...corp.profile.scep, ladder: { enrollmentNetworkAfterHours: 0.5 } }
const laddered = withProfile(corp, { scep: patient as NonNullable<Network['profile']['scep']> })

t.test('what cannot be attempted now does not let the certificate of another network expire', async t => {
  const credentials = both(5, 3, 0.2 * hour)
  const near = actualOf({ credentials })
  const branchFirst = { network: 'branch', overtakes: 'corp', in: 0 }
  const candidate = issued('f2').current
  const finding = { code: 'x', title: '', detail: '', hint: '', side: 'server', retry: 'backoff' } as const
  const later = failing(corp, near).failedRenewal
  const stuck: [string, Actual, typeof two][] = [
    ['a network that cannot be joined', { ...near, history: { corp: held(corp, near) } }, two],
    ['an interface that is not there', near, desiredOf({ tested: [elsewhere, branch] })],
    [
      'a new certificate that nobody can prove',
      actualOf({
        credentials: { ...credentials, corp: { ...credentials.corp, ...(candidate && { candidate }) } },
        history: {
          corp: { failedProof: { generation: '0001-f2', at: now - hour, finding, judged: false } },
        },
      }),
      two,
    ],
    [
      'a server that wants to be left alone',
      {
        ...near,
        history: {
          branch: { ...failing(branch, near) },
          ...(later && {
            corp: {
              failedRenewal: {
                ...later,
                last: now - hour,
                finding: { ...later.finding, retryAfter: 86_400 },
              },
            },
          }),
        },
      },
      two,
    ],
  ]
  for (const [name, actual, desired] of stuck) {
    t.match(next(actual, queue, desired), branchFirst, name)
    const renewals = { requested: ['corp'], enrolments: [] }
    const asked = { ...actual, renewals }
    t.match(next(asked, queue, desired)?.network, 'branch', `${name}, though a person asked for it`)
  }
  const [[, down] = ['', near]] = stuck
  t.match(next({ ...down, credentials: both(5, 3) }), { network: 'corp' }, 'the order holds before')
  t.match(
    next({ ...down, history: { corp: held(corp, near, now - 1) } }),
    { network: 'corp' },
    'and after it',
  )
  const neither = { ...down, history: { ...down.history, branch: held(branch, near) } }
  t.match(next(neither), { network: 'corp' }, 'and where none can be')
  const renewals = { requested: ['corp'], enrolments: [] }
  t.match(next({ ...neither, renewals }), { network: 'corp', in: 0 })
})

t.test('what the ladder leads around can be attempted', async t => {
  const near = actualOf({ credentials: both(5, 3, 0.2 * hour) })
  const desired = desiredOf({ tested: [laddered, branch] })
  const history = { corp: { setback: held(laddered, near).setback } } as Actual['history']
  const basis = basisOf(laddered, desired, near)
  const setback = history['corp']?.setback
  const down = { ...near, history: { corp: { ...(setback && { setback: { ...setback, basis } }) } } }
  t.match(next(down, queue, desired), { network: 'corp' })
})

t.test('the plan looks again when another comes near its end', async t => {
  const credentials = both(5, 3, 6 * hour)
  const near = actualOf({ credentials, history: {} })
  const stuckFor = { ...near, history: { corp: held(corp, near, now + 40 * hour) } }
  const options = { brokerOverTested: false, queue }
  const tested = (network: Network) => ({
    lastTest: { at: now, passed: true, probes: [], revision: wantedRevision(network, near, now) ?? '' },
  })
  const history = { corp: { ...held(corp, near, now + 40 * hour), ...tested(corp) }, branch: tested(branch) }
  const seldom = desiredOf({ tested: [corp, branch], testEvery: 7 * 86_400 })
  const start = (now + 6 * hour - (9 * hour) / 10 - now) / hour
  const revision = wantedRevision(branch, near, now) ?? ''
  const joined = { network: 'branch', revision, at: now }
  const blocks = [{ path: '/1', network: 'branch', revision }]
  const { eth0 } = actualOf({}, { joined, blocks }).interfaces
  const at = { ...stuckFor, history, ...(eth0 && { interfaces: { eth0 } }) }
  const { wakeAt } = planInterface(seldom, at, 'eth0', now, options)
  t.equal(((wakeAt ?? 0) - now) / hour, start)
})
