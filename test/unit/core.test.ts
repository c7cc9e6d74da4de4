/** The pure core: planner, setbacks, report. `npm run test:core` holds agent/core/ at full coverage with this file alone. */
import './core/plan.ts'
import './core/convergence.ts'
import './core/make-before-break.ts'
import './core/dates.ts'
import './core/renewal.ts'
import './core/outlook.ts'
import './core/years.ts'
import './core/rest.ts'
