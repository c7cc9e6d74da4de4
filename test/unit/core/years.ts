import t from 'tap'
import { fiveYears } from './sensors.ts'

t.test(
  'five years: none expires while its server could be asked twice, the pace and the order hold',
  async t => {
    const { attempts, expired, proofs } = fiveYears(2, 90 * 86_400, 1)
    t.comment(`${attempts} attempts, ${proofs} proofs, ${expired} certificates expired`)
    t.ok(attempts > 0)
  },
)
