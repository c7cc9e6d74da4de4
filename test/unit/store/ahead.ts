/** What a step finds done already: begun while the steps before it are done, without standing in their way. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Step } from '../../../agent/core/step.ts'
import { Credentials } from '../../../agent/credentials.ts'
import { ahead } from '../../../agent/effects/ahead.ts'
import type { Context } from '../../../agent/effects/context.ts'
import { isPrepared } from '../../../agent/effects/enroll.ts'
import { keyPem, SpareKeys, type KeyKind } from '../../../agent/keys.ts'
import { openStore } from '../../../agent/store.ts'
import type { TimelineEvent } from '../../../agent/types.ts'
import { fixtureKey } from '../../scep-server/authority.ts'
import { corp, desiredOf, now, onboarding, withProfile } from '../core/world.ts'
import { folderInMemory } from './in-memory.ts'

const at = { interface: 'eth0', network: 'onboarding' } as const
const joins: Step = { ...at, action: 'join', revision: 'r1', why: 'not joined' }
const leases: Step = { ...at, action: 'lease' }
const enrolls: Step = { interface: 'eth0', network: 'corp', action: 'enroll', over: 'onboarding' }

const { scep } = corp.profile
if (!scep) throw new Error('unreachable: corp enrols by SCEP')
const spare = keyPem(fixtureKey('rsa-2048-a'))

/** A sensor with an empty store, and perhaps a spare key for RSA-2048; what its port was told, and what was said. */
const sensor = async (t: Test, key: KeyKind, ready: boolean) => {
  const store = await openStore(join(await folderInMemory(t), 'state'))
  await mkdir(join(store.spareKeys, 'rsa-2048'))
  if (ready) await writeFile(join(store.spareKeys, 'rsa-2048', 'key.pem'), spare)
  const credentials = new Credentials(store.credentials, new SpareKeys(store.spareKeys))
  await credentials.recover(error => t.error(error))
  const told: string[] = []
  const said: Omit<TimelineEvent, 'at'>[] = []
  const standby = {
    arm: () => void told.push('a join is next'),
    prepare: () => void told.push('a join will come'),
  }
  const settings = { ...scep, key }
  const network = withProfile(corp, { scep: settings })
  const context = {
    ports: new Map([['eth0', { standby }]]),
    credentials,
    desired: () => desiredOf({ tested: [network], enrollment: [onboarding] }),
    identity: { sensor: 's1', serial: '0001', model: '', hostname: '', fqdn: '', macs: {} },
    say: (event: Omit<TimelineEvent, 'at'>) => void said.push(event),
    now: () => now,
    // What begins ahead looks at no more of a sensor than this, and a real port would start a DHCP client.
  } as unknown as Context
  const open = join(store.credentials, 'dot1x', 'corp', 'open', 'key.pem')
  return {
    context,
    told,
    origin: () => said.find(({ event }) => event === 'key-ready')?.data?.['origin'],
    key: () => readFile(open, 'utf8').catch(() => undefined),
    isPrepared: () => isPrepared(network, settings, context),
  }
}

t.test('a key that lies ready is taken, and the request made, when an address is awaited', async t => {
  const { context, told, origin, key, isPrepared } = await sensor(t, 'rsa-2048', true)
  await ahead([joins, leases, enrolls], context)
  await ahead([leases, enrolls], context)
  t.same(told, ['a join is next'], 'the DHCP client goes on as soon as the join is the next step')
  t.equal(await key(), undefined, 'nothing that is quickly done stands in the way of the join')
  t.notOk(isPrepared())
  await ahead([enrolls], context)
  t.same(told, ['a join is next', 'a join will come'])
  t.equal(origin(), 'spare')
  t.equal(await key(), spare)
  t.ok(isPrepared())
})

t.test('a key that has to be made is begun with the first step, for nothing takes longer', async t => {
  const { context, origin, key, isPrepared } = await sensor(t, 'rsa-1024', false)
  await ahead([joins, leases, enrolls], context)
  t.equal(origin(), 'generated')
  const made = await key()
  t.match(made, /PRIVATE KEY/)
  t.notOk(isPrepared(), 'the request can wait')
  await ahead([enrolls], context)
  t.equal(await key(), made)
  t.ok(isPrepared())
})

t.test('a spare key of another kind is no key that lies ready', async t => {
  const { context, key } = await sensor(t, 'ec-p256', true)
  await ahead([joins, leases, enrolls], context)
  t.match(await key(), /PRIVATE KEY/)
  t.not(await key(), spare)
})

t.test('where no certificate is asked for next, nothing is begun', async t => {
  const { context, told, key } = await sensor(t, 'rsa-1024', false)
  await ahead([], context)
  await ahead([leases], context)
  t.same(told, [])
  t.equal(await key(), undefined)
})
