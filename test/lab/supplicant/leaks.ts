import t from 'tap'
import { combinations, strikeAgainAndAgain } from './cycles.ts'

t.test(
  '20 joins struck by a death at every stage: each ends with the right code, recovers, leaks nothing',
  async t => {
    await strikeAgainAndAgain(t, combinations)
  },
)
