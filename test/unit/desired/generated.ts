/** Generated documents: 10,000 in the long run, about a tenth of it in the unit tests. */
import fc from 'fast-check'
import type { Test } from 'tap'
import { parseNetworkProfile, parseSensorDocument, type ParseResult } from '../../../agent/desired/parse.ts'
import { broken, profile, sensorDocument } from './arbitrary.ts'
import { open } from './states.ts'
import { bytes, plain, sensor } from './documents.ts'

const kinds: [string, fc.Arbitrary<Record<string, unknown>>, (content: Buffer) => ParseResult<object>][] = [
  ['network profile', profile, content => parseNetworkProfile(content, 'its-own-id')],
  ['sensor document', sensorDocument, parseSensorDocument],
]

/** Five properties, `numRuns` documents each. */
export function generatedDocuments(t: Test, seed: number, numRuns: number): void {
  const runs = { seed, numRuns }
  for (const [name, valid, parse] of kinds) {
    t.test(`${name}: what is valid is read, and reads the same when written again`, t => {
      fc.assert(
        fc.property(valid, document => {
          const first = parse(bytes(document))
          if (!first.ok) throw new Error(JSON.stringify(first.problems))
          const second = parse(bytes(first.document.value))
          return second.ok && JSON.stringify(second.document.value) === JSON.stringify(first.document.value)
        }),
        runs,
      )
      t.end()
    })

    t.test(`${name}: what is broken is refused, naming the place`, t => {
      fc.assert(
        fc.property(broken(valid), ({ document, path }) => {
          const result = parse(bytes(document))
          if (result.ok) throw new Error(`accepted with ${path} broken`)
          const named = result.problems.some(
            problem => path.startsWith(problem.path) || problem.path.startsWith(path),
          )
          if (!named) throw new Error(`${path} is not among ${JSON.stringify(result.problems)}`)
        }),
        runs,
      )
      t.end()
    })
  }

  t.test('no bytes whatever throw, change the state in force, or stay in memory', async t => {
    await using state = await open(t)
    state.offerSensorDocument(bytes(sensor(1, 'wire')))
    state.offerNetwork('wire', bytes(plain))
    const before = state.view.applied
    const garbage = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.json().map(text => Buffer.from(text)),
      broken(profile).map(({ document }) => bytes(document)),
      broken(sensorDocument).map(({ document }) => bytes(document)),
    )
    fc.assert(
      fc.property(garbage, fc.constantFrom('wire', 'other'), (content, id) => {
        state.offerSensorDocument(content)
        state.offerNetwork(id, content)
      }),
      runs,
    )
    t.same(state.view.applied, before)
    t.same(state.view.subscriptions, ['wire'])
    t.ok(state.view.problems.length <= 100, 'only the last document of each topic is remembered')
    t.notOk(
      state.view.problems.some(({ topic }) => topic.endsWith('/other')),
      'and none of a topic that is not wanted',
    )
  })

  t.test('large documents one after the other leave nothing in memory', async t => {
    await using state = await open(t)
    state.offerSensorDocument(bytes(sensor(1, 'wire')))
    const before = process.memoryUsage().heapUsed
    const times = Math.ceil(numRuns / 2)
    for (let i = 0; i < times; i++) {
      state.offerNetwork('wire', bytes({ ...plain, surplus: String(i).padEnd(200_000) }))
      state.offerNetwork('wire', Buffer.alloc(300_000))
      if (i % 50 === 0) await state.settled()
    }
    const grown = (process.memoryUsage().heapUsed - before) / 2 ** 20
    t.ok(grown < 64, `${grown.toFixed(1)} MB after ${times} documents of 200 KB and 300 KB`)
    t.equal(state.view.problems.length, 1)
  })
}
