/** What the sensor keeps on disk: generations, removals, what a power cut left, queue and servers, and the format of it all. */
import { createPrivateKey } from 'node:crypto'
import { mkdir, readdir, readFile, readlink, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { CredentialFolder } from '../../agent/credential-folder.ts'
import { Credentials } from '../../agent/credentials.ts'
import { writeDurable } from '../../agent/durable.ts'
import { SpareKeys } from '../../agent/keys.ts'
import { RenewalQueueFile } from '../../agent/renewal-queue.ts'
import { folderInMemory } from './store/in-memory.ts'
import './store/ahead.ts'
import './store/damage.ts'
import './store/hook.ts'
import './store/keys.ts'
import './store/membership.ts'
import './store/migration.ts'
import './store/news.ts'
import './store/requests.ts'
import './store/servers.ts'
import './store/torn.ts'
import './store/within.ts'
import { SpareKeyKeeper } from '../../agent/spare-keys.ts'
import { openStore } from '../../agent/store.ts'
import { corp, desiredOf, withProfile } from './core/world.ts'
import { fixtureKey, issuedBy, rootCa } from '../scep-server/authority.ts'

const fails = (error: unknown): never => {
  throw error
}
const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)

const root = rootCa('Store Root', fixtureKey('rsa-2048-a'))
const key = fixtureKey('rsa-2048-b')
const now = Date.now()
const issue = (name: string) => ({
  certificate: issuedBy(root, name, key).certificate.toString(),
  chain: [root.certificate.toString()],
  anchors: [root.certificate.toString()],
})

/** One certificate obtained the way the effects do it. */
async function obtained(
  folder: CredentialFolder,
  name: string,
  role: 'current' | 'candidate' = 'current',
): Promise<string> {
  await folder.begin('a1')
  await folder.key('ec-p256', undefined, () => undefined)
  await folder.saveRequest({
    transactionId: name,
    preparedAt: now,
    pending: false,
    basis: 'b',
    enrolment: {},
  })
  return folder.complete(issue(name), role)
}

t.test('a new store is private, and has a format number', async t => {
  const store = await openStore(join(await folderInMemory(t), 'state'))
  t.equal(await readFile(join(store.root, 'store.json'), 'utf8'), '{"format":1}\n')
  t.strictSame(await Promise.all([store.root, store.credentials, store.trust].map(mode)), [
    '700',
    '700',
    '700',
  ])
  t.equal(await mode(join(store.root, 'store.json')), '600')
  t.ok(await openStore(store.root), 'and is opened again')
})

t.test('a store of a format that is not known here is refused and left as it is', async t => {
  for (const text of ['{"format":2}', '{"format":"1"}', '{}']) {
    const folder = await folderInMemory(t)
    await writeFile(join(folder, 'store.json'), text)
    const before = await readdir(folder)
    const error: unknown = await openStore(folder).catch((error: unknown) => error)
    t.match(error, { finding: { code: 'store-format', detail: /its format is/, retry: 'never' } })
    t.strictSame(await readdir(folder), before, 'nothing was written')
    t.equal(await readFile(join(folder, 'store.json'), 'utf8'), text)
  }
})

t.test('a certificate becomes a generation that nobody else can read', async t => {
  const path = join(await folderInMemory(t), 'corp')
  const folder = new CredentialFolder(path)
  const generation = await obtained(folder, 'one')
  const state = await folder.read()
  t.match(state, {
    assignment: 'a1',
    current: { generation, certificate: { subject: 'CN=one' } },
    open: undefined,
  })
  t.ok(createPrivateKey(await readFile(folder.files(generation).key)))
  t.equal(await mode(folder.files(generation).key), '600')
  t.equal(await mode(join(path, generation)), '700')
  t.notOk((await readdir(join(path, generation))).includes('request.json'), 'the challenge password is gone')
})

t.test('a candidate is in force only when it is promoted, and few old generations are kept', async t => {
  const path = join(await folderInMemory(t), 'corp')
  const folder = new CredentialFolder(path)
  const first = await obtained(folder, 'first')
  for (const name of ['b', 'c', 'd', 'e', 'f']) {
    const candidate = await obtained(folder, name, 'candidate')
    t.match(await folder.read(), { candidate: { generation: candidate } })
    await folder.promote(candidate)
    t.match(await folder.read(), { current: { generation: candidate }, candidate: undefined })
  }
  const generations = (await readdir(path)).filter(name => /^\d{4}-/.test(name))
  t.equal(generations.length, 4, 'the one in force and three for diagnosis')
  t.notOk(generations.includes(first))
})

t.test('few are kept also where none is ever promoted, and beyond the ten thousandth', async t => {
  const path = join(await folderInMemory(t), 'corp')
  const folder = new CredentialFolder(path)
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await obtained(folder, name)
  t.equal((await readdir(path)).filter(name => /^\d{4}-/.test(name)).length, 4)
  const last = await readlink(join(path, 'current'))
  await rename(join(path, last), join(path, last.replace(/^\d+/, '9999')))
  for (const name of ['g', 'h']) await obtained(folder, name)
  t.match((await folder.read()).current?.generation, /^10001-/)
  await folder.remove(5)
  t.strictSame(await readdir(path), ['state.json'])
})

t.test('writes of one file at once follow each other: nobody renames the draft of another away', async t => {
  const path = join(await folderInMemory(t), 'file')
  await Promise.all(['a', 'b', 'c'].map(content => writeDurable(path, content)))
  t.equal(await readFile(path, 'utf8'), 'c', 'the last one is there')
})

t.test('a certificate asked for afresh replaces the candidate too', async t => {
  const folder = new CredentialFolder(join(await folderInMemory(t), 'corp'))
  await obtained(folder, 'old')
  await obtained(folder, 'candidate', 'candidate')
  const fresh = await obtained(folder, 'fresh')
  t.match(await folder.read(), { current: { generation: fresh }, candidate: undefined })
})

t.test(
  'S1-15, S2-69, S2-70: removal is a fact until it is taken back; another assignment starts afresh',
  async t => {
    const path = join(await folderInMemory(t), 'corp')
    const folder = new CredentialFolder(path)
    await obtained(folder, 'one')
    await folder.remove(5)
    t.strictSame(await folder.read(), { assignment: 'a1', removed: { at: 5 } })
    t.strictSame(await readdir(path), ['state.json'])
    await new CredentialFolder(path).recover()
    t.match(await folder.read(), { removed: { at: 5 } }, 'also after a restart')
    await folder.restore()
    t.strictSame(await folder.read(), { assignment: 'a1' })
    await obtained(folder, 'two')
    await folder.begin('a2')
    t.strictSame(await folder.read(), { assignment: 'a2' }, 'nothing of the other assignment is left')
    await folder.forget()
    t.strictSame(await folder.read(), { assignment: '' })
  },
)

const cuts: [string, (path: string, generation: string) => Promise<unknown>, object][] = [
  [
    'between link and rename',
    (path, generation) => rename(join(path, generation), join(path, 'open')),
    { current: { certificate: { subject: 'CN=one' } } },
  ],
  [
    'between the promotion and the removal of the candidate link',
    (path, generation) => symlink(generation, join(path, 'candidate')),
    { current: { certificate: { subject: 'CN=one' } }, candidate: undefined },
  ],
  [
    'in the removal of a certificate',
    path => writeFile(join(path, 'state.json'), '{"assignment":"a1","removed":{"at":7}}'),
    { current: undefined, removed: { at: 7 } },
  ],
  [
    'in the middle of a write',
    path => writeFile(join(path, 'state.json.new'), '{"assig'),
    { assignment: 'a1', current: { certificate: { subject: 'CN=one' } } },
  ],
]
for (const [name, leave, expected] of cuts)
  t.test(`a power cut ${name} is made good at the next start`, async t => {
    const root = await folderInMemory(t)
    const credentials = new Credentials(root, undefined)
    await credentials.recover(fails)
    const generation = await obtained(credentials.of('corp'), 'one')
    await leave(join(root, 'dot1x', 'corp'), generation)
    const after = new Credentials(root, undefined)
    await after.recover(fails)
    t.match((await after.readAll())['corp'], expected)
  })

t.test('a spare key is used once, and not when it is old', async t => {
  const folder = await folderInMemory(t)
  const path = join(folder, 'spare')
  const spare = new SpareKeys(path)
  t.ok(await spare.refill('ec-p256'))
  t.notOk(await spare.refill('ec-p256'), 'one is enough')
  await mkdir(join(folder, 'open'))
  const [later, earlier] = [31, -1].map(days => new SpareKeys(path, () => Date.now() + days * 86_400_000))
  t.notOk(await later?.take('ec-p256', join(folder, 'open', 'key.pem')))
  t.notOk(await earlier?.has('ec-p256'), 'nor when the clock was set back since')
  t.ok(await spare.take('ec-p256', join(folder, 'open', 'key.pem')))
  t.notOk(await spare.take('ec-p256', join(folder, 'open', 'key.pem')))
})

t.test('no spare key is made for a network that is about to make its own', async t => {
  const spare = new SpareKeys(join(await folderInMemory(t), 'spare'))
  const asking = (id: string, key: 'ec-p256' | 'ec-p384') =>
    withProfile({ ...corp, id }, { scep: { ...corp.profile.scep, key } as typeof corp.profile.scep })
  const desired = desiredOf({ tested: [asking('first', 'ec-p256'), asking('again', 'ec-p384')] })
  const keeper = new SpareKeyKeeper(spare, { warn: fails })
  keeper.refill(desired, id => id === 'again')
  while (!(await spare.has('ec-p384'))) await nextTurn()
  t.notOk(await spare.has('ec-p256'))
})

t.test(
  'S1-23: the pace and what was asked for outlive a restart; a file that cannot be read costs only them',
  async t => {
    const folder = await folderInMemory(t)
    const queue = await RenewalQueueFile.open(folder)
    await queue.request('corp')
    await queue.request('corp')
    await queue.requestEnrolment('branch')
    await queue.began(5)
    const again = await RenewalQueueFile.open(folder)
    t.strictSame(again.state, { requested: ['corp'], enrolments: ['branch'], lastAttempt: 5 })
    await again.began(6)
    t.match(
      again.state,
      { requested: ['corp'] },
      'an attempt that a power cut ends has not fulfilled the wish',
    )
    await again.ended('renew', 'corp')
    await again.ended('enroll', 'branch')
    t.strictSame(again.state, { requested: [], enrolments: [], lastAttempt: 6 })
    await writeFile(join(folder, 'renewals.json'), 'half')
    t.strictSame((await RenewalQueueFile.open(folder)).state, { requested: [], enrolments: [] })
  },
)

t.test('a write that fails leaves the file and its folder as they were', async t => {
  const folder = await folderInMemory(t)
  const path = join(folder, 'state.json')
  await writeDurable(path, 'old')
  await mkdir(`${path}.new`)
  await t.rejects(writeDurable(path, 'new'))
  t.equal(await readFile(path, 'utf8'), 'old')
})
