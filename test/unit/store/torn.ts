/**
 * The power is cut at every point of the life of a credential: the disk as it is at each checkpoint, and also with what was being
 * written there torn, since nothing of a file is certain before its fsync.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { cpSync } from 'node:fs'
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { onCheckpoint } from '../../../agent/checkpoint.ts'
import type { CredentialFolder } from '../../../agent/credential-folder.ts'
import { Credentials } from '../../../agent/credentials.ts'
import type { CredentialState } from '../../../agent/types.ts'
import { issuedBy, fixtureKey, rootCa } from '../../scep-server/authority.ts'
import { folderInMemory } from './in-memory.ts'

const ca = rootCa('Torn Root', fixtureKey('rsa-2048-a'))

/** What must be true from here on, of whatever is found on disk. */
type Holds = (t: Test, state: CredentialState, folder: CredentialFolder, at: string) => Promise<void> | void

interface Snapshot {
  folder: string
  point: string
  holds: Holds
}

class Life {
  readonly snapshots: Snapshot[] = []
  readonly top: string
  readonly live: string
  #holds: Holds = () => undefined

  constructor(top: string) {
    this.top = top
    this.live = join(top, 'live')
  }

  /** Copies the disk at every checkpoint, before what it announces is done. */
  watch(): Disposable {
    return onCheckpoint(point => {
      const folder = join(this.top, String(this.snapshots.length))
      cpSync(this.live, folder, { recursive: true, verbatimSymlinks: true })
      this.snapshots.push({ folder, point, holds: this.#holds })
    })
  }

  from(holds: Holds): void {
    this.#holds = holds
  }
}

const request = (name: string) => ({
  ...{ transactionId: name, preparedAt: 5, pending: false, basis: 'b', enrolment: {} },
})

const issuedFor = (key: KeyObject, name: string) => ({
  certificate: issuedBy(ca, name, key).certificate.toString(),
  ...{ chain: [ca.certificate.toString()], anchors: [ca.certificate.toString()] },
})

const isCurrent =
  (subject: string | undefined): Holds =>
  (t, { current }, _, at) => {
    t.equal(current?.certificate.subject, subject, at)
  }

/** Kept: the certificate, or the key and the request by which it is asked for again. */
const isKept =
  (role: 'current' | 'candidate', subject: string, key: KeyObject): Holds =>
  async (t, state, folder, at) => {
    if (state[role]?.certificate.subject === subject) return
    t.equal(state.open?.transactionId, subject, `${at}: the request is there`)
    const again = await folder.key('ec-p256', undefined, () => undefined)
    t.ok(createPublicKey(again).equals(createPublicKey(key)), `${at}: and so is its key`)
  }

const both =
  (...all: Holds[]): Holds =>
  async (...given) => {
    for (const each of all) await each(...given)
  }

const fails = (error: unknown): never => {
  throw error
}

/** From the first request to the removal of the second certificate. */
async function live(life: Life): Promise<void> {
  const credentials = new Credentials(life.live, undefined)
  await credentials.recover(fails)
  using _ = life.watch()
  const folder = credentials.of('corp')
  await folder.begin('a1')
  const obtain = async (role: 'current' | 'candidate', subject: string, holds: Holds): Promise<void> => {
    const key = await folder.key('ec-p256', undefined, () => undefined)
    await folder.saveRequest(request(subject))
    life.from(both(holds, isKept(role, subject, key)))
    await folder.complete(issuedFor(key, subject.slice(3)), role)
  }
  await obtain('current', 'CN=one', () => undefined)
  life.from(isCurrent('CN=one'))
  await obtain('candidate', 'CN=two', isCurrent('CN=one'))
  const { candidate } = await folder.read()
  life.from((t, { current, candidate }, _, at) => {
    t.ok(current, at)
    t.ok(
      [current, candidate].some(each => each?.certificate.subject === 'CN=two'),
      at,
    )
  })
  await folder.promote(candidate?.generation ?? '')
  life.from(isCurrent('CN=two'))
  await credentials.of('corp').notes.addTold(['issued'])
  life.from((t, { current, removed }, _, at) => {
    t.equal(current === undefined, removed !== undefined, at)
  })
  await folder.remove(7)
  life.from((t, { current, removed }, _, at) => {
    t.match({ current, removed }, { current: undefined, removed: { at: 7 } }, at)
  })
  life.from(() => undefined)
  await folder.restore()
}

async function pathOf(folder: string, name: string): Promise<string | undefined> {
  const all = await readdir(folder, { recursive: true })
  const found = all.filter(path => basename(path) === name).map(path => join(folder, path))
  return found.find(path => path.includes('/open/')) ?? found[0]
}

const tears: Record<string, (path: string) => Promise<void>> = {
  whole: () => Promise.resolve(),
  torn: async path => truncate(path, Math.floor((await readFile(path)).length / 2)),
  zeros: async path => writeFile(path, Buffer.alloc((await readFile(path)).length)),
}

t.test(
  'the power is cut at every point of two certificates and a removal: nothing half written is read as whole, and no key is lost',
  async t => {
    const life = new Life(await folderInMemory(t))
    await live(life)
    t.ok(life.snapshots.length > 60, `${String(life.snapshots.length)} points`)
    await Promise.all(
      life.snapshots.map(async ({ folder, point, holds }) => {
        const [, name] = /^fsync (.*[^/])$/.exec(point) ?? []
        const path = name === undefined ? undefined : await pathOf(folder, name)
        for (const [tear, inflict] of Object.entries(tears)) {
          if (tear !== 'whole' && path === undefined) continue
          const disk = `${folder}-${tear}`
          cpSync(folder, disk, { recursive: true, verbatimSymlinks: true })
          if (path !== undefined) await inflict(path.replace(folder, disk))
          await survives(t, disk, holds, `${basename(folder)} ${point}, ${tear}`)
        }
      }),
    )
  },
)

t.test('of the generations out of use the newest three are kept for diagnosis, refused ones too', async t => {
  const top = await folderInMemory(t)
  const credentials = new Credentials(top, undefined)
  await credentials.recover(fails)
  const corp = credentials.of('corp')
  await corp.begin('a1')
  const obtain = async (role: 'current' | 'candidate'): Promise<string> => {
    const key = await corp.key('ec-p256', undefined, () => undefined)
    return corp.complete(issuedFor(key, 'one'), role)
  }
  await obtain('current')
  for (let count = 2; count <= 7; count += 1) await corp.promote(await obtain('candidate'))
  const kept = async (): Promise<number[]> =>
    (await readdir(join(top, 'dot1x/corp')))
      .filter(name => /^\d{4}-/.test(name))
      .map(name => parseInt(name, 10))
  t.same((await kept()).sort(), [4, 5, 6, 7], 'after six renewals')
  for (const _ of [8, 9]) {
    await obtain('candidate')
    await corp.dropCandidate()
  }
  t.same(
    (await kept()).sort(),
    [5, 6, 7, 8, 9],
    'the one in force is never pruned, nor one that waits for its proof',
  )
})

/** Starts on this disk: what was promised holds, and another certificate can be had. */
async function survives(t: Test, disk: string, holds: Holds, at: string): Promise<void> {
  const credentials = new Credentials(disk, undefined)
  await credentials.recover(fails)
  const corp = credentials.of('corp')
  const state = await corp.read()
  for (const made of [state.current, state.candidate]) {
    if (!made) continue
    const key = createPrivateKey(await readFile(corp.files(made.generation).key))
    const subject = made.certificate.subject
    t.match(await readFile(corp.files(made.generation).certificate, 'utf8'), /END CERTIFICATE/, at)
    t.ok(key, `${at}: ${subject}`)
  }
  await holds(t, state, corp, at)
  await corp.restore().catch(() => undefined)
  await corp.begin('a1')
  const key = await corp.key('ec-p256', undefined, () => undefined)
  await corp.saveRequest(request('CN=three'))
  await corp.complete(issuedFor(key, 'three'), 'current')
  t.match(await corp.read(), { current: { certificate: { subject: 'CN=three' } }, open: undefined }, at)
}
