/** The demonstration, run as `npm run demo` runs it. */
import './demo/told.ts'
import './demo/interrupted.ts'
