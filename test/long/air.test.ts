/** The agent on simulated radios, struck in every way at every stage of a join; `npm test` does so once in test/wifi. */
import t from 'tap'
import { runInside } from '../wifi/machine/run.ts'
import { airStrokes } from '../wifi/strokes.ts'

t.setTimeout(3_600_000)
await runInside(t, 'inside/agent.ts', 4, airStrokes)
