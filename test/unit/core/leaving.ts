/** How a port is left. */
import t from 'tap'
import { planInterface } from '../../../agent/core/plan.ts'
import { wantedRevision } from '../../../agent/core/want.ts'
import type { Network } from '../../../agent/types.ts'
import { actualOf, corp, desiredOf, issued, lease, now, onboarding, queue, withProfile } from './world.ts'

const options = { brokerOverTested: false, queue }
const credentials = { corp: issued() }

t.test(
  'S1-16: a port is closed before its block goes, unless 802.1X authenticates it anew at once with changed settings',
  async t => {
    const closing = (before: Network, changed: Partial<Network['profile']>, why: RegExp): boolean => {
      const actual = actualOf({ credentials })
      const revision = wantedRevision(before, actual, now) ?? ''
      const joined = { network: before.id, revision, at: now }
      const there = { blocks: [{ path: '/1', network: before.id, revision }], joined, lease }
      const after = withProfile(before, changed)
      const desired = desiredOf(before === corp ? { tested: [after] } : { enrollment: [after] })
      const [step] = planInterface(desired, actualOf({ credentials }, there), 'eth0', now, options).steps
      t.match(step, { action: 'uninstall', network: before.id, why })
      return step?.action === 'uninstall' && step.anew !== true
    }
    const { eap } = corp.profile
    const settings = /settings/
    t.equal(closing(corp, eap ? { eap: { ...eap, fragmentSize: 600 } } : {}, settings), false)
    t.equal(closing(corp, { enabled: false }, /disabled/), true)
    const wireless = { ssid: 'x', hidden: false, security: 'wpa2-enterprise', frequencies: [] } as const
    t.equal(closing(corp, { wireless: { ...wireless, frequencies: [] } }, settings), true, 'by radio')
    t.equal(
      closing(onboarding, { eap: undefined }, settings),
      true,
      'an open port would look like a plain one',
    )
  },
)
