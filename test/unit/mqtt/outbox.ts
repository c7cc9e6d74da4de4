import { appendFile, mkdir, readFile, rmdir, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { Outbox } from '../../../agent/mqtt/outbox.ts'
import type { TimelineEvent } from '../../../agent/types.ts'

const event = (text: string, severity: TimelineEvent['severity'] = 'info'): TimelineEvent => ({
  at: 1000,
  event: 'test',
  severity,
  text,
})
const file = (directory: string) => join(directory, 'events.jsonl')

/** Everything that would be sent now, in order. */
function ready(outbox: Outbox) {
  const all = []
  for (let next = outbox.after(0); next; next = outbox.after(next.number)) all.push(next)
  return all
}
const numbers = (outbox: Outbox) => ready(outbox).map(({ number }) => number)

t.test('events are numbered from 1 in order, and sent once they are on disk', async t => {
  await using outbox = await Outbox.open({ directory: t.testdir() })
  t.same([outbox.append(event('a')), outbox.append(event('b'))], [1, 2])
  t.same(numbers(outbox), [], 'not before')
  const woken = outbox.ready.beyond(0, 5000, AbortSignal.timeout(5000))
  await outbox.settled()
  await woken
  t.same(
    ready(outbox).map(({ number, event }) => [number, event.text]),
    [
      [1, 'a'],
      [2, 'b'],
    ],
  )
})

t.test(
  'what is acknowledged is gone, also after a restart; the numbers go on and the epoch stays',
  async t => {
    const directory = t.testdir()
    const first = await Outbox.open({ directory })
    for (const text of ['a', 'b', 'c']) first.append(event(text))
    await first.settled()
    first.acknowledge(1)
    await first[Symbol.asyncDispose]()
    await using second = await Outbox.open({ directory })
    t.equal(second.epoch, first.epoch)
    t.same(numbers(second), [2, 3])
    for (const number of [2, 3]) second.acknowledge(number)
    t.equal(second.size, 0)
    await second[Symbol.asyncDispose]()
    await using third = await Outbox.open({ directory })
    t.equal(third.append(event('d')), 4, 'a number is never given twice')
  },
)

t.test('a new store is a new epoch', async t => {
  await using one = await Outbox.open({ directory: t.testdir() })
  await using two = await Outbox.open({ directory: t.testdir() })
  t.not(one.epoch, two.epoch)
})

t.test('an acknowledgement out of order loses nothing', async t => {
  const directory = t.testdir()
  const outbox = await Outbox.open({ directory })
  for (const text of ['a', 'b', 'c']) outbox.append(event(text))
  await outbox.settled()
  outbox.acknowledge(2)
  t.same(
    ready(outbox).map(({ number, dropped }) => [number, dropped]),
    [
      [1, undefined],
      [3, undefined],
    ],
    'and is no gap',
  )
  await outbox[Symbol.asyncDispose]()
  await using after = await Outbox.open({ directory })
  t.same(numbers(after).slice(0, 1), [1])
})

t.test(
  'beyond the limit the oldest of the least important goes, and the next event tells the gap',
  async t => {
    const directory = t.testdir()
    await using outbox = await Outbox.open({ directory, limit: 1000 })
    const severities = ['error', 'debug', 'info', 'debug', 'warning', 'info', 'info'] as const
    for (const severity of severities) outbox.append(event('x'.repeat(150), severity))
    await outbox.settled()
    t.same(
      ready(outbox).map(({ number, event, dropped }) => [number, event.severity, dropped]),
      [
        [1, 'error', undefined],
        [5, 'warning', { from: 2, to: 4 }],
        [6, 'info', undefined],
        [7, 'info', undefined],
      ],
    )
    for (let i = 0; i < 20; i++) outbox.append(event('x'.repeat(150), 'debug'))
    await outbox.settled()
    t.same(numbers(outbox), [1, 5, 6, 7], 'the unimportant does not push out the important')
    outbox.append(event('last'))
    await outbox.settled()
    t.match(ready(outbox).at(-1), { number: 28, dropped: { from: 8, to: 27 } })
  },
)

t.test('the file stays in proportion to what is in it', async t => {
  const directory = t.testdir()
  await using outbox = await Outbox.open({ directory })
  for (let i = 1; i <= 3000; i++) {
    outbox.append(event('x'.repeat(100)))
    if (i % 100 === 0) {
      await outbox.settled()
      for (let number = i - 99; number <= i - 1; number++) outbox.acknowledge(number)
    }
  }
  await outbox.settled()
  const { size } = await stat(file(directory))
  t.ok(size < 160_000, `${size} bytes after 3000 events of 170`)
  t.equal(outbox.size, 30)
})

t.test('a power cut at any byte of the last write leaves the events before it', async t => {
  const directory = t.testdir()
  const outbox = await Outbox.open({ directory })
  outbox.append(event('one'))
  await outbox.settled()
  const { size: safe } = await stat(file(directory))
  outbox.append(event('two ä'))
  outbox.append(event('three'))
  await outbox.settled()
  await outbox[Symbol.asyncDispose]()
  const whole = await readFile(file(directory))
  for (let length = safe; length <= whole.length; length += 7) {
    await writeFile(file(directory), whole)
    await truncate(file(directory), length)
    await using after = await Outbox.open({ directory })
    t.equal(after.epoch, outbox.epoch)
    const texts = ready(after).map(({ event }) => event.text)
    t.same(texts, ['one', 'two ä', 'three'].slice(0, texts.length))
    t.ok(texts.length >= 1)
    t.equal(after.append(event('next')), texts.length + 1)
  }
})

t.test(
  'a store that is damaged is rescued under a new epoch, because its numbers cannot be trusted',
  async t => {
    const damages: [string, (directory: string) => Promise<void>, string[]][] = [
      ['a line of zeros', async directory => appendFile(file(directory), '\0\0\0\n'), ['a', 'b']],
      [
        'no first line',
        async directory =>
          writeFile(file(directory), (await readFile(file(directory), 'utf8')).replace(/^.*\n/, '')),
        ['a', 'b'],
      ],
      ['another format', async directory => writeFile(file(directory), '{"format":2,"epoch":"x"}\n'), []],
      ['an empty file', async directory => truncate(file(directory), 0), []],
      ['no text at all', async directory => writeFile(file(directory), Buffer.alloc(100, 0xff)), []],
    ]
    for (const [name, damage, rescued] of damages) {
      const directory = t.testdir()
      const outbox = await Outbox.open({ directory })
      outbox.append(event('a'))
      outbox.append(event('b'))
      await outbox[Symbol.asyncDispose]()
      await damage(directory)
      await using after = await Outbox.open({ directory })
      t.not(after.epoch, outbox.epoch, name)
      t.same(
        ready(after).map(({ number, event }) => [number, event.text]),
        rescued.map((text, i) => [i + 1, text]),
        name,
      )
    }
  },
)

t.test(
  'whatever the order of appending, acknowledging and restarting: consecutive, in order, nothing lost',
  async t => {
    const directories = Array.from({ length: 30 }, (_, i) => String(i))
    const root = t.testdir(Object.fromEntries(directories.map(name => [name, {}])))
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.constant('append') },
      { weight: 3, arbitrary: fc.constant('acknowledge') },
      { weight: 1, arbitrary: fc.constant('restart') },
    )
    const samples = fc.sample(fc.array(step, { maxLength: 40 }), directories.length)
    for (const [index, steps] of samples.entries()) {
      const directory = join(root, String(index))
      let outbox = await Outbox.open({ directory })
      let made = 0
      let gone = 0
      for (const what of steps) {
        await outbox.settled()
        if (what === 'append') t.equal(outbox.append(event(String(++made))), made)
        if (what === 'acknowledge' && gone < made) outbox.acknowledge(++gone)
        if (what === 'restart') {
          await outbox[Symbol.asyncDispose]()
          outbox = await Outbox.open({ directory })
        }
      }
      await outbox.settled()
      t.same(
        numbers(outbox),
        Array.from({ length: made - gone }, (_, i) => gone + i + 1),
      )
      await outbox[Symbol.asyncDispose]()
    }
  },
)

/** Bytes in use after a full garbage collection. */
function inUse(): number {
  setFlagsFromString('--expose_gc')
  ;(runInNewContext('gc') as () => void)()
  return process.memoryUsage().heapUsed
}

async function atStart(t: Test): Promise<void> {
  const directory = t.testdir()
  // Where the draft of the file would be.
  await mkdir(`${file(directory)}.new`)
  const errors: unknown[] = []
  await using outbox = await Outbox.open({ directory, onError: error => errors.push(error) })
  outbox.append(event('a'))
  t.notOk(await outbox.saved(50), 'it is not on disk')
  t.same(numbers(outbox), [], 'and not sent')
  t.ok(errors.length > 0, 'which is told')
  await rmdir(`${file(directory)}.new`)
  await outbox.settled()
  t.same(numbers(outbox), [1])
  outbox.append(event('b'))
  await outbox.settled()
  t.same(numbers(outbox), [1, 2])
  await using again = await Outbox.open({ directory })
  t.same(numbers(again), [1, 2])
  t.equal(again.epoch, outbox.epoch)
}

async function forLong(t: Test): Promise<void> {
  const directory = t.testdir()
  await mkdir(`${file(directory)}.new`)
  let errors = 0
  await using outbox = await Outbox.open({ directory, limit: 100_000, onError: () => (errors += 1) })
  const [before, told] = [inUse(), errors]
  for (let i = 0; i < 5000; i++) outbox.append(event(`${i} ${'long'.repeat(500)}`))
  while (errors === told) await nextTurn()
  t.notOk(await outbox.saved(0), 'the disk has refused them')
  const kept = inUse() - before
  t.ok(kept < 3_000_000, `of 10 MB of events ${kept} bytes are kept`)
  await rmdir(`${file(directory)}.new`)
  await outbox.settled()
  t.equal(numbers(outbox).at(-1), 5000, 'the newest are sent once it takes something again')
  t.match(outbox.after(0)?.dropped, { from: 1 }, 'and what is missing is said')
}

// A failed write is tried again after a second, in both at the same time.
t.test('a disk that takes nothing', { jobs: 2 }, t => {
  const both = { buffered: true }
  void t.test('at the start it is no reason not to start: what was said is written later', both, atStart)
  void t.test('for long it costs no more memory than the limit of the store', both, forLong)
  t.end()
})
