/** The command preflight, by what it is asked of. */
import t from 'tap'
import { execute, type CommandWorld } from '../../../agent/commands.ts'
import type { Desired, Network } from '../../../agent/types.ts'
import { corp, desiredOf, withProfile } from '../core/world.ts'

const lab = { ...corp, id: 'lab' }
const guest = { ...withProfile(corp, { eap: undefined, scep: undefined }), id: 'guest' }

/** A sensor on corp: nothing can be asked of the server of another network meanwhile. */
const asked = async (tested: Desired['tested'], network?: string) => {
  const world = {
    context: { desired: () => desiredOf({ tested }) },
    preflight: ({ id }: Network) =>
      Promise.resolve(
        id === 'corp'
          ? { outcome: 'done', text: 'nothing stands in the way', data: { over: 'corp', checks: [] } }
          : { outcome: 'refused', text: `neither onboarding nor ${id} is joined at this moment` },
      ),
    // The command looks at no more of a sensor than this.
  } as unknown as CommandWorld
  const command = { id: '1', command: 'preflight' as const, ...(network !== undefined && { network }) }
  return execute(command, world, AbortSignal.timeout(5_000))
}

t.test('preflight without a network is of every network with a certificate by SCEP', async t => {
  t.same(await asked([guest, lab, corp]), {
    outcome: 'done',
    text: 'lab: neither onboarding nor lab is joined at this moment; corp: nothing stands in the way',
    data: { corp: { over: 'corp', checks: [] } },
  })
  t.match(await asked([lab]), { outcome: 'refused', text: /^lab: neither/ }, 'none of them can be looked at')
  t.match(await asked([guest]), { outcome: 'refused', text: /^no network of this sensor/ })
})

t.test('preflight of one network says what was found of that one', async t => {
  t.same(await asked([lab, corp], 'corp'), {
    outcome: 'done',
    text: 'nothing stands in the way',
    data: { over: 'corp', checks: [] },
  })
  t.match(await asked([guest, corp], 'guest'), { outcome: 'refused', text: /^guest is not a network/ })
})
