/** How the benchmark of the main job judges its own run. */
import t from 'tap'
import { figures, median, table, type Times } from '../bench/main-job/figures.ts'

const times = (best: number[], agent: number[], naive: number[]): Times => {
  const of = (totals: number[]) => totals.map(total => ({ total, stages: { join: total / 10 } }))
  return {
    best: of(best),
    agent: of(agent),
    agentWarmKey: of(agent),
    bestWarmKey: of(best),
    naive: of(naive),
  }
}

t.test('the median is the middle one, or between the middle two', async t => {
  t.same([median([3, 1, 2]), median([4, 1, 3, 2]), median([7])], [2, 2.5, 7])
})

t.test('ratios are of medians: agent to best, agent to naive', async t => {
  const result = figures(times([500, 400, 600], [450, 455, 9000], [4500, 4600, 4400]))
  t.match(result, { ratio: 0.91, peer: 500, agent: 455, ratioWarmKey: 0.91, ratioNaive: 0.101 })
  t.match(result, { naiveOverBest: 9, runs: 3, void: undefined })
})

t.test(
  'a run is void when the naive script is less than six times slower than the best: one of them is lame',
  async t => {
    t.match(figures(times([500], [400], [2999])).void, /5\.998 times the best one, not 6 times/)
    t.equal(figures(times([500], [400], [3000])).void, undefined)
  },
)

t.test('a row has median, range and the medians of the stages', async t => {
  const [best] = table(times([500, 400, 600], [450], [4500]))
  t.equal(best, 'best script               500 ms  400–600      join 50')
})
