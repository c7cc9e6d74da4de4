/** What a worn card gives back: zeros, half a file, nothing. It counts as not there, and costs time, never the sensor. */
import { createPrivateKey } from 'node:crypto'
import { mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Credentials } from '../../../agent/credentials.ts'
import { SpareKeys } from '../../../agent/keys.ts'
import { openStore } from '../../../agent/store.ts'
import { fixtureKey, issuedBy, rootCa } from '../../scep-server/authority.ts'

const root = rootCa('Worn Root', fixtureKey('rsa-2048-a'))
const issue = (name: string) => ({
  certificate: issuedBy(root, name, fixtureKey('rsa-2048-b')).certificate.toString(),
  chain: [root.certificate.toString()],
  anchors: [root.certificate.toString()],
})

const damages: Record<string, (path: string) => Promise<void>> = {
  zeros: path => writeFile(path, Buffer.alloc(512)),
  'half of it': async path => truncate(path, Math.floor((await readFile(path)).length / 2)),
  nothing: path => writeFile(path, ''),
  'no file': path => rm(path),
}

async function folderOf(t: Test): Promise<string> {
  const folder = await mkdtemp('/dev/shm/sonde-damage-')
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const fails = (error: unknown): never => {
  throw error
}

async function credentialsIn(folder: string): Promise<Credentials> {
  const credentials = new Credentials(folder, undefined)
  await credentials.recover(fails)
  return credentials
}

const request = { transactionId: 't', preparedAt: 5, pending: false, basis: 'b', enrolment: {} }

async function obtain(credentials: Credentials, name: string): Promise<void> {
  const corp = credentials.of('corp')
  await corp.begin('a1')
  await corp.key('ec-p256', undefined, () => undefined)
  await corp.saveRequest(request)
  await corp.complete(issue(name), 'current')
}

/** Each file of a certificate in force, and whether it counts as there without it, by what became of it. */
const files: [file: string, thereWith: string[]][] = [
  ['current/certificate.pem', []],
  ['current/key.pem', []],
  ['current/chain.pem', ['nothing']],
  ['current/anchors.pem', ['nothing']],
  ['current/about.json', Object.keys(damages)],
  ['current', []],
  ['told.json', Object.keys(damages)],
]
for (const [file, thereWith] of files)
  t.test(`a worn card has damaged ${file}: the agent starts, and can be enrolled anew`, async t => {
    for (const [damage, inflict] of Object.entries(damages)) {
      const folder = await folderOf(t)
      const before = await credentialsIn(folder)
      await obtain(before, 'one')
      await before.of('corp').notes.addTold(['issued'])
      const path = join(folder, 'dot1x/corp', file)
      if (file === 'current') await rm(path)
      if (file === 'current' && damage === 'half of it') await symlink('0009-ffffffff', path)
      else if (file !== 'current' || damage !== 'no file') await inflict(path)
      const after = await credentialsIn(folder)
      const { current, assignment } = await after.of('corp').read()
      t.equal(assignment, 'a1')
      t.equal(current !== undefined, thereWith.includes(damage), damage)
      await obtain(after, 'two')
      t.match(await after.of('corp').read(), { current: { certificate: { subject: 'CN=two' } } })
    }
  })

for (const file of ['open/key.pem', 'open/request.json', 'open/about.json'])
  t.test(`a worn card has damaged ${file}: the next request has a key`, async t => {
    for (const [damage, inflict] of [
      ...Object.entries(damages),
      ['another object', (path: string) => writeFile(path, '{}')] as const,
    ]) {
      const folder = await folderOf(t)
      const corp = (await credentialsIn(folder)).of('corp')
      await corp.begin('a1')
      await corp.key('ec-p256', undefined, () => undefined)
      await corp.saveRequest(request)
      await writeFile(join(folder, 'dot1x/corp/open/about.json'), '{"role":"current","fingerpr')
      await inflict(join(folder, 'dot1x/corp', file))
      const after = await credentialsIn(folder)
      t.equal((await after.of('corp').read()).current, undefined, damage)
      await obtain(after, 'two')
      const { current } = await after.of('corp').read()
      t.ok(createPrivateKey(await readFile(after.of('corp').files(current?.generation ?? '').key)), damage)
    }
  })

t.test('a worn card has damaged the spare key: another one is made', async t => {
  const folder = await folderOf(t)
  const spare = new SpareKeys(join(folder, 'spare'))
  await spare.refill('ec-p256')
  await writeFile(join(folder, 'spare/ec-p256/key.pem'), Buffer.alloc(512))
  const corp = (await credentialsIn(folder)).of('corp')
  await corp.begin('a1')
  await corp.key('ec-p256', spare, () => undefined)
  t.ok(createPrivateKey(await readFile(join(folder, 'dot1x/corp/open/key.pem'))))
})

t.test('B-15, B-17: a damaged pin or next CA counts as none, and is found out again', async t => {
  const folder = await folderOf(t)
  const { notes } = (await credentialsIn(folder)).of('corp')
  await notes.savePin('ab'.repeat(32))
  await notes.saveNextAuthorities(root.certificate.toString())
  t.equal(await notes.pin(), 'ab'.repeat(32))
  t.equal(await notes.nextAuthorities(), root.certificate.toString())
  for (const [damage, inflict] of Object.entries(damages)) {
    await notes.savePin('ab'.repeat(32))
    await notes.saveNextAuthorities(root.certificate.toString())
    for (const file of ['ca-pin', 'next-ca.pem']) await inflict(join(folder, 'dot1x/corp', file))
    t.equal(await notes.pin(), undefined, damage)
    t.equal(await notes.nextAuthorities(), '', damage)
  }
})

t.test('a worn card has damaged store.json: the store is that of this agent, and it is said', async t => {
  for (const [damage, inflict] of Object.entries(damages)) {
    const folder = await folderOf(t)
    t.equal((await openStore(folder)).mended, false)
    const path = join(folder, 'store.json')
    await inflict(path)
    t.equal((await openStore(folder)).mended, damage !== 'no file', damage)
    t.equal(await readFile(path, 'utf8'), '{"format":1}\n')
    t.equal((await openStore(folder)).mended, false)
  }
})
