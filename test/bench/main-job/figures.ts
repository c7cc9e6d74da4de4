/** From times to figures and a verdict. Pure. Milliseconds throughout. */

/** What is measured side by side. */
export const contenders = ['best', 'agent', 'agentWarmKey', 'bestWarmKey', 'naive'] as const
export type Contender = (typeof contenders)[number]

/** One run: the whole, and the stages it names itself. */
export interface Time {
  total: number
  stages: Readonly<Record<string, number>>
}

export type Times = Readonly<Record<Contender, readonly Time[]>>

/** The naive script takes at least this many times as long as the best one, or one of them is not what it should be. */
const leastSpread = 6

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  const middle = Math.floor(sorted.length / 2)
  const [low = NaN, high = NaN] = [sorted[middle - 1 + (sorted.length % 2)], sorted[middle]]
  return (low + high) / 2
}

export interface Figures {
  bench: 'main-job'
  /** Agent to best script, no key made in advance on either side. */
  ratio: number
  /** The best script's median. */
  peer: number
  agent: number
  /** The same with a ready key on both sides. */
  ratioWarmKey: number
  peerWarmKey: number
  agentWarmKey: number
  ratioNaive: number
  naive: number
  naiveOverBest: number
  runs: number
  /** Why the run does not count. */
  void?: string
}

export function figures(times: Times): Figures {
  const of = (contender: Contender): number => median(times[contender].map(({ total }) => total))
  const [peer, agent, peerWarmKey] = [of('best'), of('agent'), of('bestWarmKey')]
  const [agentWarmKey, naive] = [of('agentWarmKey'), of('naive')]
  const naiveOverBest = round(naive / peer)
  return {
    bench: 'main-job',
    ratio: round(agent / peer),
    ...{ peer, agent },
    ratioWarmKey: round(agentWarmKey / peerWarmKey),
    ...{ peerWarmKey, agentWarmKey },
    ratioNaive: round(agent / naive),
    ...{ naive, naiveOverBest },
    runs: times.agent.length,
    ...(naive < leastSpread * peer && {
      void: `the naive script took ${naiveOverBest} times the best one, not ${leastSpread} times: one of them is not what it should be`,
    }),
  }
}

const round = (ratio: number): number => Math.round(ratio * 1000) / 1000

const titles: Readonly<Record<Contender, string>> = {
  best: 'best script',
  agent: 'agent',
  bestWarmKey: 'best script, ready key',
  agentWarmKey: 'agent, ready key',
  naive: 'naive script',
}

/** A row each: median, range, and the medians of the stages. */
export const table = (times: Times): string[] =>
  contenders.map(contender => {
    const all = times[contender].map(({ total }) => total)
    const names = Object.keys(times[contender][0]?.stages ?? {})
    const stages = names.map(name => {
      const values = times[contender].map(time => time.stages[name] ?? NaN)
      return `${name} ${Math.round(median(values))}`
    })
    const range = `${Math.round(Math.min(...all))}–${Math.round(Math.max(...all))}`
    return `${titles[contender].padEnd(23)}${String(Math.round(median(all))).padStart(6)} ms  ${range.padEnd(12)} ${stages.join(', ')}`
  })
