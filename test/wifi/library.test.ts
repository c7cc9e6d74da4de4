/** The library on simulated radios, in a virtual machine. */
import t from 'tap'
import { pki } from '../lab/pki.ts'
import { runInside } from './machine/run.ts'
import { makeP384 } from './pki.ts'

t.setTimeout(600_000)
await Promise.all([pki(), makeP384()])
await runInside(t, 'inside/library.ts', 4)
