/** Imported before the scenes of a file: several at once, because they wait more than they work. */
import t from 'tap'

t.jobs = 4
t.setTimeout(240_000)
