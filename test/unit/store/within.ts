/** Reasons to stop, put together: every deadline comes, and nothing is left behind. */
import { getEventListeners } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { either, within } from '../../../agent/within.ts'

/** A full garbage collection. */
function collect(): void {
  setFlagsFromString('--expose_gc')
  ;(runInNewContext('gc') as () => void)()
}

t.test('a deadline comes, also after a garbage collection', async t => {
  const stop = new AbortController()
  using late = within(100, stop.signal)
  const { signal } = late
  const came = new Promise<string>(resolve => {
    signal.addEventListener('abort', () => {
      resolve((signal.reason as Error).name)
    })
  })
  collect()
  await pause(1)
  collect()
  t.equal(await Promise.race([came, pause(5000, 'never', { ref: false })]), 'TimeoutError')
})

t.test(
  'each reason ends it with its own words, before or after it was made; nothing is left on any',
  async t => {
    const [one, other] = [new AbortController(), new AbortController()]
    {
      using whole = either(one.signal, other.signal)
      t.equal(getEventListeners(one.signal, 'abort').length, 1)
      other.abort('enough')
      t.equal(whole.signal.reason, 'enough')
      using late = within(60_000, one.signal, other.signal)
      t.equal(late.signal.reason, 'enough', 'at once')
    }
    t.equal(getEventListeners(one.signal, 'abort').length, 0)
  },
)
