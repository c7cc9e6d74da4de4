/** What happens to a credential is said at least once: what the disk shows and nobody is known to have heard is said at the start. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { CredentialFolder } from '../../../agent/credential-folder.ts'
import { CredentialNews } from '../../../agent/credential-news.ts'
import { Credentials } from '../../../agent/credentials.ts'
import { Outbox } from '../../../agent/mqtt/outbox.ts'
import { RenewalQueueFile } from '../../../agent/renewal-queue.ts'
import { fixtureKey, issuedBy, rootCa } from '../../scep-server/authority.ts'

const root = rootCa('News Root', fixtureKey('rsa-2048-a'))
const issue = (name: string) => ({
  certificate: issuedBy(root, name, fixtureKey('rsa-2048-b')).certificate.toString(),
  chain: [],
  anchors: [],
})

const fails = (error: unknown): never => {
  throw error
}

/** What a run of the agent has of it, opened on the same folder after every power cut. */
async function run(t: Test, folder: string) {
  const credentials = new Credentials(join(folder, 'credentials'), undefined)
  await credentials.recover(fails)
  const [renewals, outbox] = await Promise.all([
    RenewalQueueFile.open(folder),
    Outbox.open({ directory: join(folder, 'outbox') }),
  ])
  const said: string[] = []
  const news = new CredentialNews({
    ...{ credentials, renewals, saved: () => outbox.saved() },
    say: event => {
      outbox.append({ at: 0, ...event })
      said.push(`${event.event}${event.data?.['again'] === true ? ' again' : ''}`)
    },
  })
  await news.catchUp()
  t.teardown(() => outbox[Symbol.asyncDispose]())
  return { corp: credentials.of('corp'), news, renewals, outbox, said }
}

async function folderOf(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sonde-news-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function obtain(corp: CredentialFolder, name: string, role: 'current' | 'candidate'): Promise<string> {
  await corp.begin('a1')
  await corp.key('ec-p256', undefined, () => undefined)
  return corp.complete(issue(name), role)
}

t.test(
  'every change of a credential that a power cut kept from being said is said at the next start',
  async t => {
    const folder = await folderOf(t)
    const first = await run(t, folder)
    t.strictSame(first.said, [])
    await obtain(first.corp, 'one', 'current')
    await first.outbox[Symbol.asyncDispose]()

    const second = await run(t, folder)
    t.strictSame(second.said, ['certificate-issued again'])
    const candidate = await obtain(second.corp, 'two', 'candidate')
    await second.outbox[Symbol.asyncDispose]()

    const third = await run(t, folder)
    t.strictSame(
      third.said,
      ['certificate-issued again', 'certificate-issued again'],
      'both: nothing was recorded',
    )
    await third.news.record()
    await third.corp.promote(candidate)
    await third.outbox[Symbol.asyncDispose]()

    const fourth = await run(t, folder)
    t.strictSame(fourth.said, ['certificate-in-use again'], 'what was recorded is not repeated')
    await fourth.news.record()
    await fourth.corp.remove(7)
    await fourth.outbox[Symbol.asyncDispose]()

    const fifth = await run(t, folder)
    t.strictSame(fifth.said, ['certificate-removed again'])
    await fifth.news.record()
    await fifth.outbox[Symbol.asyncDispose]()
    t.strictSame((await run(t, folder)).said, [])
  },
)

t.test('what was said and recorded is not said again, and what only was said is', async t => {
  const folder = await folderOf(t)
  const { corp, news, outbox } = await run(t, folder)
  await obtain(corp, 'one', 'current')
  const made = (await corp.read()).current
  if (!made) throw new Error('unreachable: it was obtained')
  news.tell('corp', { kind: 'issued', ...made, role: 'current' }, {})
  await outbox.saved()
  const before = await run(t, folder)
  t.strictSame(before.said, ['certificate-issued again'], 'the cut fell between saying and recording')
  await news.record()
  t.strictSame((await run(t, folder)).said, [])
})

t.test(
  'a certificate that is there was asked for: the wish does not outlive the power cut after it',
  async t => {
    const folder = await folderOf(t)
    const { corp, renewals } = await run(t, folder)
    await renewals.requestEnrolment('corp')
    await renewals.request('branch')
    await obtain(corp, 'one', 'current')
    t.match((await run(t, folder)).renewals.state, { enrolments: [], requested: ['branch'] })
  },
)

for (const file of ['state.json', 'current/certificate.pem'])
  t.test(
    `a worn card has made zeros of ${file}: the agent starts, and what cannot be read counts as not there`,
    async t => {
      const folder = await folderOf(t)
      const { corp, news } = await run(t, folder)
      await obtain(corp, 'one', 'current')
      await news.record()
      await corp.key('ec-p256', undefined, () => undefined)
      await writeFile(join(folder, 'credentials/dot1x/corp', file), Buffer.alloc(512))
      const again = await run(t, folder)
      const { assignment, current, open } = await again.corp.read()
      t.equal(assignment, file === 'state.json' ? '' : 'a1')
      t.equal(current === undefined, file === 'current/certificate.pem')
      t.equal(open, undefined)
      await again.corp.begin('a2')
      t.ok(await obtain(again.corp, 'two', 'current'), 'and it can be enrolled anew')
    },
  )

t.test('S2-70: a forgotten network is remembered until it is said that it was forgotten', async t => {
  const folder = await folderOf(t)
  const { corp } = await run(t, folder)
  await obtain(corp, 'one', 'current')
  await corp.empty()
  const again = await run(t, folder)
  t.strictSame(again.said, [], 'there is no certificate any more')
  const credentials = new Credentials(join(folder, 'credentials'), undefined)
  t.strictSame(Object.keys(await credentials.readAll()), ['corp'], 'so that the step is done again')
  await again.corp.forget()
  t.strictSame(await credentials.readAll(), {})
})
