/** The key of an open enrolment, when what it is made for changes meanwhile. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { CredentialFolder } from '../../../agent/credential-folder.ts'
import { keyPem, type KeyKind } from '../../../agent/keys.ts'
import { folderInMemory } from './in-memory.ts'

const key = (folder: CredentialFolder, kind: KeyKind = 'ec-p256') =>
  folder.key(kind, undefined, () => undefined)
const onDisk = (path: string): Promise<string> => readFile(join(path, 'open/key.pem'), 'utf8')

t.test('S2-41: a key that lies there serves a request for a key of its kind, and no other', async t => {
  const path = join(await folderInMemory(t), 'corp')
  const folder = new CredentialFolder(path)
  await folder.begin('a1')
  const first = await key(folder)
  t.ok((await key(folder)).equals(first), 'an enrolment that could not reach its server goes on with it')
  const other = await key(folder, 'ec-p384')
  t.equal(other.asymmetricKeyDetails?.namedCurve, 'secp384r1', 'not after the profile asks for another one')
  t.equal(await onDisk(path), keyPem(other))
  const [rsa, ec] = await Promise.all([key(folder, 'rsa-1024'), key(folder, 'ec-p256')])
  t.equal(rsa.asymmetricKeyDetails?.modulusLength, 1024, 'nor while one is being made')
  t.equal(ec.asymmetricKeyDetails?.namedCurve, 'prime256v1')
  t.equal(await onDisk(path), keyPem(ec))
})

t.test('S2-69: a new assignment while a key is being made has a key of its own, on disk', async t => {
  const path = join(await folderInMemory(t), 'corp')
  const folder = new CredentialFolder(path)
  await folder.begin('a0')
  for (let number = 1; number <= 20; number += 1) {
    const before = key(folder)
    const begun = folder.begin(`a${number}`)
    const [first, second] = await Promise.all([before, key(folder), begun])
    t.notOk(first.equals(second))
    t.equal(await onDisk(path), keyPem(second))
  }
})

t.test('what is forgotten while a key is being made stays forgotten', async t => {
  const path = join(await folderInMemory(t), 'corp')
  const folder = new CredentialFolder(path)
  await folder.begin('a1')
  const made = key(folder)
  await folder.forget()
  await made
  await t.rejects(onDisk(path), { code: 'ENOENT' })
})
