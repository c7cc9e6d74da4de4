/** The mutations of test/unit/scep/fuzz.ts, sixty times as many; six times under `npm test`. */
import t from 'tap'

t.setTimeout(3_600_000)
process.env['SONDE_FUZZ'] = process.env['SONDE_TENTH'] === undefined ? '60' : '6'
await import('../unit/scep/fuzz.ts')
