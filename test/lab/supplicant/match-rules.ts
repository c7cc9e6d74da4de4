import { Bus } from '../../../supplicant/bus.ts'

/** How many match rules the clients of a bus hold together, as the bus itself counts them. */
export async function matchRules(address: string): Promise<unknown> {
  await using bus = await Bus.connect(address)
  const [rules] = await bus.call({
    destination: 'org.freedesktop.DBus',
    path: '/org/freedesktop/DBus',
    interface: 'org.freedesktop.DBus.Debug.Stats',
    member: 'GetStats',
  })
  return (rules as Record<string, unknown>)['MatchRules']
}
