import t from 'tap'
import fc from 'fast-check'
import { planInterface } from '../../../agent/core/plan.ts'
import { wantedRevision } from '../../../agent/core/want.ts'
import { apply } from './model.ts'
import { actualOf, corp, day, desiredOf, issued, lease, now, onboarding, queue } from './world.ts'

const onboardingRevision = wantedRevision(onboarding, actualOf(), now) ?? ''
const corpRevision = wantedRevision(corp, actualOf({ credentials: { corp: issued() } }), now) ?? ''
const tested = (at: number) => ({
  corp: { lastTest: { at, passed: true, probes: [], revision: corpRevision } },
})

const anyBlock = fc.record({
  path: fc.constant('/1'),
  network: fc.constantFrom('onboarding', 'corp', 'other'),
  revision: fc.constantFrom(onboardingRevision, corpRevision, 'stale'),
})
const anyCredential = fc.constantFrom(undefined, issued(), issued('f2', 'before'), { assignment: 'a1' })
const anyActual = fc
  .record({
    blocks: fc.uniqueArray(anyBlock, {
      maxLength: 4,
      selector: block => `${block.network}${block.revision}`,
    }),
    joined: fc.option(fc.constantFrom('onboarding', 'corp'), { nil: undefined }),
    leased: fc.boolean(),
    credential: anyCredential,
    lastTest: fc.option(fc.constantFrom(now, now - day), { nil: undefined }),
  })
  .map(({ blocks: there, joined, leased, credential, lastTest }) => {
    const block = there.find(candidate => candidate.network === joined)
    return actualOf(
      {
        credentials: credential ? { corp: credential } : {},
        history: lastTest === undefined ? {} : tested(lastTest),
      },
      {
        blocks: there,
        ...(block && {
          joined: { network: block.network, revision: block.revision, at: now },
          ...(leased && { lease }),
        }),
      },
    )
  })

t.test('whatever the state, doing the first step again and again comes to rest within twenty', async () => {
  fc.assert(
    fc.property(anyActual, fc.boolean(), (start, brokerOverTested) => {
      let actual = start
      for (let count = 0; count < 20; count++) {
        const [step] = planInterface(desiredOf(), actual, 'eth0', now, { brokerOverTested, queue }).steps
        if (!step) return actual.interfaces['eth0']?.joined?.network === 'corp'
        actual = apply(step, desiredOf(), actual, now)
      }
      return false
    }),
    { numRuns: 300 },
  )
})
