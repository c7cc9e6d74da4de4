/** The operator's command line, and the rights it gives. */
import './mqtt/jobs.ts'
import './mqtt/fleet.ts'
import './mqtt/editing.ts'
import './mqtt/hostile.ts'
import './mqtt/mishaps.ts'
import './mqtt/absences.ts'
import './mqtt/rights.ts'
import './mqtt/together.ts'
