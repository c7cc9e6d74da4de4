/** The laboratory proves itself, without the agent. */
import t from 'tap'
import './proofs/port.ts'
import './proofs/knobs.ts'
import './proofs/nothing-left.ts'

t.setTimeout(120_000)
