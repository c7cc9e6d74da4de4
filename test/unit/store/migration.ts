/** A store of an older format becomes one of a newer, whatever happens meanwhile. */
import { mkdir, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import t, { type Test } from 'tap'
import { onCheckpoint } from '../../../agent/checkpoint.ts'
import { openStore } from '../../../agent/store.ts'
import type { Migration } from '../../../agent/store-migration.ts'
import { folderInMemory } from './in-memory.ts'

/** A store of format 1 with a credential in it. */
async function old(t: Test): Promise<string> {
  const root = await folderInMemory(t)
  const corp = join(root, 'credentials/dot1x/corp')
  await mkdir(join(corp, '0001-aaaaaaaa'), { recursive: true, mode: 0o700 })
  await writeFile(join(corp, '0001-aaaaaaaa/key.pem'), 'key', { mode: 0o600 })
  await symlink('0001-aaaaaaaa', join(corp, 'current'))
  await writeFile(join(root, 'gone.json'), '{}')
  await writeFile(join(root, 'store.json'), '{"format":1}\n')
  return root
}

const wired: Migration = async folder => {
  await rename(join(folder, 'credentials/dot1x'), join(folder, 'credentials/wired'))
}
const tidied: Migration = async folder => {
  await rm(join(folder, 'gone.json'))
  await writeFile(join(folder, 'fresh.json'), '{}')
}

/** Everything below the folder: a file's rights and text, a link's target. */
async function contents(root: string): Promise<Record<string, string>> {
  const all: Record<string, string> = {}
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const name = relative(root, path)
    if (entry.isSymbolicLink()) all[name] = `-> ${await readlink(path)}`
    if (entry.isFile())
      all[name] = `${((await stat(path)).mode & 0o777).toString(8)} ${await readFile(path, 'utf8')}`
  }
  return all
}

/** Nothing else is left; links and rights are as they were. */
const migrated = {
  'store.json': '644 {"format":3}\n',
  'fresh.json': '644 {}',
  'credentials/wired/corp/0001-aaaaaaaa/key.pem': '600 key',
  'credentials/wired/corp/current': '-> 0001-aaaaaaaa',
}

async function isNew(t: Test, root: string, at = 'migrated'): Promise<void> {
  t.strictSame(await contents(root), migrated, at)
}

t.test('a store two formats old is migrated, one step after the other', async t => {
  const root = await old(t)
  await openStore(root, [wired, tidied])
  await isNew(t, root)
  await openStore(root, [wired, tidied])
  await isNew(t, root)
  const refused: unknown = await openStore(root, [wired]).catch((error: unknown) => error)
  t.match(refused, { finding: { code: 'store-format' } }, 'an older agent leaves it alone')
  await isNew(t, root)
})

t.test('a migration that fails leaves the old store as it was', async t => {
  const root = await old(t)
  await t.rejects(openStore(root, [wired, () => Promise.reject(new Error('no'))]), { message: 'no' })
  t.equal(await readFile(join(root, 'store.json'), 'utf8'), '{"format":1}\n')
  t.equal(await readFile(join(root, 'credentials/dot1x/corp/current/key.pem'), 'utf8'), 'key')
  await openStore(root, [wired, tidied])
  await isNew(t, root)
})

t.test(
  'the power is cut at every point of a migration: the next start goes on, and ends the same',
  async t => {
    const points = await countPoints(t)
    t.ok(points > 30, `${String(points)} points`)
    for (let at = 1; at <= points; at += 1) {
      const root = await old(t)
      const cut = await cutAt(root, at)
      await openStore(root, [wired, tidied])
      await isNew(t, root, `at point ${String(at)}: ${cut}`)
    }
  },
)

async function countPoints(t: Test): Promise<number> {
  let count = 0
  using _ = onCheckpoint(() => {
    count += 1
  })
  await openStore(await old(t), [wired, tidied])
  return count
}

/** Nothing is done after the point any more. Returns its name. */
async function cutAt(root: string, at: number): Promise<string> {
  let [count, name] = [0, '']
  using _ = onCheckpoint(point => {
    count += 1
    if (count === at) name = point
    if (count >= at) throw new Error('cut')
  })
  await openStore(root, [wired, tidied]).catch(() => undefined)
  return name
}

t.test('a state folder that cannot be one is named, with the fix', async t => {
  const file = join(t.testdir({ file: '' }), 'file')
  for (const root of [file, join(file, 'below')]) {
    const refused: unknown = await openStore(root).catch((error: unknown) => error)
    t.match(refused, { finding: { code: 'store-unusable', detail: root, hint: /stateDirectory/ } })
  }
})
