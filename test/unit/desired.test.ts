import t from 'tap'
import './desired/profile.ts'
import './desired/sensor.ts'
import './desired/composition.ts'
import './desired/trial.ts'
import './desired/cache.ts'
import { generatedDocuments } from './desired/generated.ts'

const seed = Number(process.env['SONDE_SEED'] ?? Date.now() % 1_000_000)
t.test(`generated documents (SONDE_SEED=${seed} repeats them)`, t => {
  generatedDocuments(t, seed, 60)
  t.end()
})
