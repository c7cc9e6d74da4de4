import t from 'tap'
import { Port } from '../../../agent/effects/port.ts'
import type { Frequencies } from '../../../agent/frequencies.ts'
import { SupplicantError } from '../../../supplicant/errors.ts'
import type { Supplicant } from '../../../supplicant/supplicant.ts'
import { wire } from './wire.ts'

const nothing = (): void => undefined

t.test('a supplicant that dies in the moment in which it has joined has joined nothing', async t => {
  const { eth0, calls, selected, state, eap } = wire(true)
  const port = new Port({
    // There is no such interface, so that no DHCP client is started.
    ...{ name: 'none0', kind: 'wired', changed: nothing, say: nothing, now: () => 0 },
    ...{ relieved: nothing, history: () => ({}) },
    reachability: { opened: nothing, leaving: () => Promise.resolve() },
    // What a join on a wire needs of both.
    supplicant: { interface: () => Promise.resolve(eth0) } as unknown as Supplicant,
    frequencies: { of: () => Promise.resolve([]), learn: () => Promise.resolve() } as unknown as Frequencies,
  })
  const target = { network: 'corp', revision: 'r' }
  const block = { id_str: 'sonde:corp:r', key_mgmt: 'IEEE8021X' }
  const joining = port.join(target, block, [], new AbortController().signal)
  joining.catch(nothing)
  while (!calls.includes('SelectNetwork')) await new Promise(setImmediate)
  selected()
  state('associated')
  eap('started')
  eap('completion', 'success')
  // All in what is read from the bus at once.
  state('completed')
  eth0.end(new SupplicantError('supplicant-absent', 'the supplicant left the bus'))
  await t.rejects(joining, { code: 'supplicant-absent' })
  t.equal(port.joined, undefined)
  await port.close()
})
