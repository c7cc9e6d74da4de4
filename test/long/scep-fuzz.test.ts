/** The mutations of test/unit/scep/fuzz.ts, thirty times as many; three times under `npm test`. */
import t from 'tap'

t.setTimeout(3_600_000)
process.env['SONDE_FUZZ'] = process.env['SONDE_TENTH'] === undefined ? '30' : '3'
await import('../unit/scep/fuzz.ts')
