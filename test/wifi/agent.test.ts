/** The agent on simulated radios, in a virtual machine. `npm test` strikes it once at the end, test/long/air.test.ts in every way. */
import t from 'tap'
import { runInside } from './machine/run.ts'
import { airStrokes } from './strokes.ts'

t.setTimeout(600_000)
const chosen = Number(process.env['SONDE_TENTH'] ?? 0) % airStrokes.length
await runInside(t, 'inside/agent.ts', 4, airStrokes.slice(chosen, chosen + 1))
