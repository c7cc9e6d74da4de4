import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { DesiredState } from '../../../agent/desired/state.ts'
import { open, ready } from './states.ts'
import { but, bytes, corp, onboarding, plain, sensor } from './documents.ts'

/** The same folder in another process: everything is written, nothing else is shared. */
async function again(
  t: Test,
  before: DesiredState,
  directory: string,
  more: object = {},
): Promise<DesiredState> {
  await before.settled()
  return open(t, { directory, ...more })
}

t.test('without a broker the sensor goes on with what it knows', async t => {
  const directory = t.testdir()
  await using before = await ready(t, 3, { directory })
  await using after = await again(t, before, directory)
  t.match(after.view, {
    desired: { source: 'cache', version: 3, tested: [{ id: 'corp' }], enrollment: [{ id: 'onboarding' }] },
    confirmed: true,
    subscriptions: ['corp', 'onboarding'],
  })
  t.equal(after.view.desired.tested[0]?.profile.scep?.challengePassword, 'hush-hush')
  t.notOk(after.offerSensorDocument(bytes(sensor(3, 'corp'))), 'the retained documents come again: no change')
  t.equal(after.view.desired.source, 'broker')
})

t.test('a document with a byte order mark is the same document after a restart', async t => {
  const directory = t.testdir()
  const marked = Buffer.from(`\ufeff${JSON.stringify(but(corp, 'alias', 'Marked'))}`)
  await using before = await ready(t, 3, { directory })
  t.ok(before.offerNetwork('corp', marked))
  await using after = await again(t, before, directory)
  t.same(after.view.applied, before.view.applied)
  t.notOk(after.offerNetwork('corp', marked), 'it comes again: no change')
})

t.test('the cache is private and written as a whole', async t => {
  const directory = t.testdir()
  await using state = await ready(t, 1, { directory })
  await state.settled()
  const { mode } = await stat(join(directory, 'desired.json'))
  t.equal(mode & 0o777, 0o600)
})

t.test('a broker that lost its database wipes nothing', async t => {
  const directory = t.testdir()
  await using before = await ready(t, 3, { directory })
  await using after = await again(t, before, directory)
  t.match(after.view.desired.tested, [{ id: 'corp' }], 'no document comes: what is cached stays')
  t.notOk(after.offerSensorDocument(bytes(sensor(2))), 'an old backup is refused')
  t.match(after.view, { desired: { version: 3 }, problems: [{ message: /version 2 is lower/ }] })
})

t.test('what waits, what is suspended and what is in quarantine outlives a restart', async t => {
  const directory = t.testdir()
  await using first = await ready(t, 1, { directory, revertAfter: 0 })
  first.offerSensorDocument(bytes(sensor(2, 'corp', 'lab')))
  first.offerNetwork('corp', Buffer.alloc(0))
  await using second = await again(t, first, directory, { revertAfter: 0 })
  t.match(second.view, {
    desired: { version: 1, held: [{ id: 'corp', state: 'suspended' }] },
    awaited: [{ network: 'lab' }],
  })
  second.offerNetwork('corp', bytes(corp))
  second.offerNetwork('lab', bytes(plain))
  t.ok(second.cutOff(0))
  await using third = await again(t, second, directory)
  t.match(third.view, { phase: 'reverted', desired: { version: 1 }, rejected: { desired: { version: 2 } } })
  third.offerNetwork('lab', bytes(plain))
  t.equal(third.view.desired.version, 1, 'still in quarantine')
})

t.test('bootstrap documents follow the settings until the broker has spoken', async t => {
  const directory = t.testdir()
  const settings = (alias: string) => ({
    bootstrap: { sensor: sensor(1, 'wire'), networks: { wire: but(plain, 'alias', alias) } },
  })
  await using first = await open(t, { directory, ...settings('one') })
  t.equal(first.view.desired.tested[0]?.profile.alias, 'one')
  await using second = await again(t, first, directory, settings('two'))
  t.equal(second.view.desired.tested[0]?.profile.alias, 'two')
  second.offerNetwork('onboarding', bytes(onboarding))
  second.offerSensorDocument(bytes(sensor(1)))
  await using third = await again(t, second, directory, settings('three'))
  t.match(
    third.view.desired,
    { source: 'cache', tested: [] },
    'then the broker has the word, also without a network',
  )
})

t.test('a cache that cannot be read is as good as none', async t => {
  const contents = [
    '',
    '{',
    '[]',
    'null',
    '{"format":2}',
    '{"format":1,"texts":{},"networks":{"corp":{"sha256":"x","from":"broker","emptied":false}},"inForce":{"sensor":{"sha256":"y"},"networks":{},"suspended":[]}}',
  ]
  for (const content of contents) {
    const directory = t.testdir({ 'desired.json': content })
    await using state = await open(t, { directory })
    t.match(state.view.desired, { source: 'none', tested: [] }, content)
  }
  const directory = t.testdir()
  await using before = await ready(t, 1, { directory })
  await before.settled()
  const path = join(directory, 'desired.json')
  const stored = JSON.parse(await readFile(path, 'utf8')) as { texts: Record<string, string> }
  for (const hash of Object.keys(stored.texts))
    stored.texts[hash] = stored.texts[hash]?.replace('"PEAP"', '"FAST"') ?? ''
  await writeFile(path, JSON.stringify(stored))
  await using after = await open(t, { directory })
  t.match(
    after.view,
    { desired: { source: 'none' }, awaited: [{ network: 'onboarding' }] },
    'a document this version does not read is missing',
  )
})

t.test('a disk that is full changes nothing about what is in force', async t => {
  const errors: unknown[] = []
  await using state = await ready(t, 1, {
    directory: '/proc/nowhere',
    onCacheError: error => errors.push(error),
  })
  await state.settled()
  t.match(state.view.desired.tested, [{ id: 'corp' }])
  t.match(errors[0], { code: 'ENOENT' })
})
