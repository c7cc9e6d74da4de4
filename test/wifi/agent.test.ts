/** The agent on simulated radios, in a virtual machine. */
import t from 'tap'
import { runInside } from './machine/run.ts'

t.setTimeout(600_000)
await runInside(t, 'inside/agent.ts', 4)
