import t from 'tap'
import { lacks, standing, together, type Manner } from '../../../console/others.ts'
import { sensor } from '../desired/documents.ts'

t.test('changes that several operators make to one sensor at once are brought together', t => {
  const entries = (...ids: string[]) => sensor(1, ...ids).networks
  const theirs = (version: number, ...ids: string[]) => ({
    ...{ ...sensor(version, ...ids), schema: 1 as const, epoch: 0, testEvery: 300, targets: [] },
  })
  const cases: [string, string[], ReturnType<typeof theirs>[], string[]][] = [
    ['two more', ['a'], [theirs(2, 'a', 'b'), theirs(2, 'a', 'c')], ['a', 'b', 'c']],
    ['one less, one more', ['a', 'b'], [theirs(2, 'a'), theirs(2, 'a', 'b', 'c')], ['a', 'c']],
    ['both the same', ['a'], [theirs(2, 'a', 'b'), theirs(3, 'a', 'b')], ['a', 'b']],
    ['one who knew less than we', ['a'], [theirs(1, 'b')], ['a', 'b']],
  ]
  for (const [name, base, others, expected] of cases)
    t.same(together(entries(...base), { version: 2 }, others), entries(...expected), name)
  t.end()
})

t.test('of changes that do not fit together those stay that the broker had first', t => {
  const theirs = (...ids: string[]) => ({
    ...{ ...sensor(2, ...ids), schema: 1 as const, epoch: 0, testEvery: 300, targets: [] },
  })
  const base = ['a', 'b', 'c']
  const cases: [string, ReturnType<typeof theirs>[], ReturnType<typeof theirs>[], string[]][] = [
    ['nobody was there before us', [], [theirs(...base, 'e'), theirs(...base, 'f')], base],
    ['somebody was', [theirs(...base, 'e')], [], [...base, 'e']],
    [
      'two were, and the second did not fit any more',
      [theirs(...base, 'e'), theirs(...base, 'f')],
      [],
      [...base, 'e'],
    ],
    ['one had taken out what makes room', [theirs('a', 'b'), theirs(...base, 'f')], [], ['a', 'b', 'f']],
  ]
  for (const [name, earlier, later, expected] of cases) {
    const [all, first] = standing(theirs(...base).networks, theirs(...base, 'd'), { earlier, later }, 4)
    t.same(first.networks.map(({ network }) => network).sort(), [...expected].sort(), name)
    const others = new Set(
      [...earlier, ...later].flatMap(({ networks }) => networks.map(({ network }) => network)),
    )
    t.ok(all.networks.every(({ network }) => base.includes(network) || others.has(network)))
  }
  t.end()
})

t.test('what several say of one sensor beside its networks is lost to nobody unseen', t => {
  const cases: [string, Manner, Manner, Manner, lost: boolean, another: boolean][] = [
    ['the other did not know', {}, { name: 'a' }, {}, true, true],
    ['the other kept it', { name: 'a', testEvery: 60 }, { name: 'a' }, {}, false, false],
    ['the other named it, too', { name: 'b' }, { name: 'a' }, {}, false, true],
    ['it was so before', {}, { testEvery: 300 }, {}, false, false],
    ['targets taken out', { targets: [] }, {}, { targets: [{ probe: 'ping', host: 'x' }] }, false, false],
  ]
  for (const [what, other, ours, was, lost, another] of cases) {
    t.equal(lacks(other, ours, was, false), lost, what)
    t.equal(lacks(other, ours, was, true), another, `${what}: whose stands`)
  }
  t.end()
})
