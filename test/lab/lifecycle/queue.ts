/** The serial queue of a sensor with two certificates (S1-22 … S1-25). */
import t from 'tap'
import { eventsOf, type Documents } from '../main-job/scene.ts'
import { settledOn } from './scene.ts'

/** A second tested network, like corp. */
const withBranch = (docs: Documents): Promise<Documents> => {
  const networks = ['corp', 'branch'].map(network => ({ network, assignment: `first-${network}` }))
  const branch = { ...docs.corp, alias: 'Branch' }
  return Promise.resolve({ ...docs, branch, sensor: { ...docs.sensor, networks } })
}

/** Due nine seconds after it is issued, of a day. */
const soon = { renewal: { daysBeforeExpiry: 0.9999 } }

t.test(
  'S1-22, S1-23, S1-24, S1-25: renewals one after the other: the first is retried at the interval until it succeeds, then comes the second',
  async t => {
    const manual = { renewal: { when: 'manual' } }
    await using scene = await settledOn(t, {}, manual, { documents: withBranch, last: 'branch' })
    const { lab, sensor } = scene
    const since = eventsOf(sensor).length
    /** What was tried, in order: network, and when. */
    const attempts = (): { network: string | undefined; at: number }[] =>
      eventsOf(sensor)
        .slice(since)
        .filter(({ event, data }) => event === 'step-started' && data?.action === 'renew')
        .map(({ network, at }) => ({ network, at: Date.parse(at) }))
    const mark = scene.mark()
    await scene.change({ ...soon, challengePassword: 'not-this-one' })
    const { corp } = scene.documents
    await lab.operator.network('branch', {
      ...corp,
      scep: { ...corp.scep, ...soon, challengePassword: 'lab-challenge' },
    })
    const failed = (count: number) =>
      mark.event(
        ({ event, data, number }) =>
          event === 'step-failed' &&
          data?.action === 'renew' &&
          eventsOf(sensor).filter(
            each => each.event === 'step-failed' && each.data?.action === 'renew' && each.number <= number,
          ).length >= count,
        `the first was refused ${String(count)} times`,
      )
    await failed(2)
    t.strictSame(
      [...new Set(attempts().map(({ network }) => network))],
      ['corp'],
      'the second waits for the first',
    )
    const [one, two] = attempts()
    t.ok((two?.at ?? 0) - (one?.at ?? 0) >= 10_000, 'which is tried again after the interval')
    const right = scene.mark()
    await scene.change({ challengePassword: 'lab-challenge' })
    const inUse = (wanted: string) =>
      right.event(
        ({ event, network }) => event === 'certificate-in-use' && network === wanted,
        `${wanted} is renewed`,
      )
    await inUse('corp')
    await inUse('branch')
    const tried = attempts()
    t.equal(tried.at(-1)?.network, 'branch')
    t.ok(
      (tried.at(-1)?.at ?? 0) - (tried.at(-2)?.at ?? 0) >= 10_000,
      'an interval after the first has succeeded',
    )
  },
)
