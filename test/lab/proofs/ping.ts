import type { Lab } from '../lab.ts'
import { subnets, type Segment } from '../topology.ts'

/** Gives eth0 an address and its gateway's MAC by hand, so that IP packets really leave, and pings the gateway. */
export async function ping(lab: Lab, segment: Segment): Promise<boolean> {
  const [{ address }] = JSON.parse(
    await lab.exec('backend', 'ip', ['-j', 'link', 'show', `lan-${segment}`]),
  ) as [{ address: string }]
  const gateway = `${subnets[segment]}.1`
  const ip = (...args: string[]) => lab.exec('sensor', 'ip', args)
  await ip('addr', 'replace', `${subnets[segment]}.200/24`, 'dev', 'eth0')
  await ip('neigh', 'replace', gateway, 'lladdr', address, 'dev', 'eth0')
  const answered = lab.exec('sensor', 'ping', ['-c', '3', '-i', '0.05', '-W', '0.3', '-I', 'eth0', gateway])
  return answered.then(
    () => true,
    () => false,
  )
}
