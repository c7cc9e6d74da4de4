/** Asking for documents, with a broker that loses or refuses some of it. */
import t from 'tap'
import { Subscriptions, type SubscriptionPace } from '../../../agent/mqtt/subscriptions.ts'
import { Change } from '../../../agent/change.ts'

/** What was asked for, in order; `answer` may refuse. */
function broker(pace: Partial<SubscriptionPace>, answer = (_count: number) => Promise.resolve()) {
  const asked: string[][] = []
  const change = new Change()
  const over = new AbortController()
  const refusals: unknown[] = []
  const subscribe = (topics: string[]) => {
    asked.push(topics)
    change.notify()
    return answer(asked.length)
  }
  const limits = { again: 10, most: 40, refused: 5, ...pace }
  const subscriptions = new Subscriptions(subscribe, error => refusals.push(error), over.signal, limits)
  const times = async (topic: string, count: number) => {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), 5000)
    const seen = () => asked.flat().filter(other => other === topic).length
    while (seen() < count && !late.signal.aborted) await change.beyond(change.count, undefined, late.signal)
    clearTimeout(timer)
    if (seen() < count) throw new Error(`${topic}: asked for ${seen()} times in 5 s, not ${count}`)
  }
  return { asked, subscriptions, times, refusals, [Symbol.dispose]: () => over.abort() }
}

t.test('everything at once; a document that came is asked for once more, and never again', async t => {
  using lab = broker({})
  lab.subscriptions.add(['desired', 'networks/corp'], ['commands'])
  t.same(lab.asked, [['commands', 'desired', 'networks/corp']], 'in one go, without waiting')
  lab.subscriptions.heard('desired')
  lab.subscriptions.heard('networks/corp')
  await lab.times('desired', 2)
  await lab.times('networks/corp', 2)
  t.same(lab.asked.slice(1).flat().toSorted(), ['desired', 'networks/corp'], 'the commands are not')
})

t.test('one that never came is asked for again and again, until it comes', async t => {
  using lab = broker({ again: 2, most: 4 })
  lab.subscriptions.add(['desired'])
  await lab.times('desired', 6)
  lab.subscriptions.heard('desired')
  const count = lab.asked.length
  // Another, asked for as often, takes longer than the first would have.
  lab.subscriptions.add(['other'])
  await lab.times('other', 4)
  t.notOk(lab.asked.slice(count).flat().includes('desired'))
})

t.test('what the broker refuses is asked for again; what is no longer wanted is not', async t => {
  const refuse = (count: number) => (count <= 2 ? Promise.reject(new Error('no rights')) : Promise.resolve())
  using lab = broker({ again: 60_000 }, refuse)
  lab.subscriptions.add(['desired', 'networks/gone'], ['commands'])
  lab.subscriptions.delete('networks/gone')
  await lab.times('desired', 3)
  t.same(lab.asked.slice(1), [
    ['commands', 'desired'],
    ['commands', 'desired'],
  ])
  t.equal(lab.refusals.length, 2)
})
