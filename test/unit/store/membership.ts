/** What the supplicant is told of a network on this very sensor. */
import { join } from 'node:path'
import t from 'tap'
import { Credentials } from '../../../agent/credentials.ts'
import type { Context } from '../../../agent/effects/context.ts'
import { membership } from '../../../agent/effects/membership.ts'
import { TrustFiles } from '../../../agent/effects/trust-files.ts'
import { openStore } from '../../../agent/store.ts'
import { clock, desiredOf, now, onboarding, withProfile } from '../core/world.ts'
import { folderInMemory } from './in-memory.ts'

t.test('S2-24..32: the variables of both identities are replaced', async t => {
  const store = await openStore(join(await folderInMemory(t), 'state'))
  const context = {
    credentials: new Credentials(store.credentials, undefined),
    trust: new TrustFiles(store.trust),
    clock: { reading: clock },
    identity: { sensor: 's1', serial: '0001', model: '', hostname: 'pi', fqdn: '', macs: {} },
    desired: () => desiredOf(),
    now: () => now,
    // A network without a certificate asks no more of a sensor.
  } as unknown as Context
  const { eap } = onboarding.profile
  if (eap?.method !== 'PEAP') throw new Error('unreachable: onboarding is PEAP')
  const templates = { identity: '{serial}@example.org', anonymousIdentity: '{name}@{hostname}' }
  const network = withProfile(onboarding, { eap: { ...eap, ...templates, acceptAnyServer: true } })
  const { block } = await membership(network, 'r1', context)
  t.match(block, { identity: '0001@example.org', anonymous_identity: 'lobby@pi' })
  const nobody = withProfile(network, { eap: { ...eap, anonymousIdentity: '{fqdn}', acceptAnyServer: true } })
  await t.rejects(
    membership(nobody, 'r1', context),
    /variable-without-value.*eap\.anonymousIdentity asks for \{fqdn\}/,
  )
})
