import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../lab/command.ts'
import { challenge, peapUser } from '../../lab/documents.ts'
import { checkout } from '../../lab/pki.ts'
import { addresses as hosts, subnets } from '../../lab/topology.ts'
import type { Bench } from './address.ts'
import type { Time } from './figures.ts'

/** The main job done by a shell script on the lab's own daemons: see naive.sh and best.sh beside this file. */
export const peers = ['naive', 'best', 'best-warm-key'] as const
export type Peer = (typeof peers)[number]

/** What a script prints: when it began, in milliseconds since the epoch, and how long each stage took. */
type Answer = { started: number; total: number; stages: Record<string, number> }

let count = 0

/**
 * Runs one peer from a locked port to a lease in the tested network. The lab's resident supplicant is started anew
 * before, outside the time, so that it does not hold the interface. `best-warm-key` gets a key that is ready.
 */
export async function runPeer(peer: Peer, { lab, addresses, settled }: Bench): Promise<Time> {
  const folder = join(lab.site.folder, `peer-${++count}`)
  await mkdir(folder)
  const key = join(folder, 'ready.pem')
  if (peer === 'best-warm-key') await run('openssl', ['genrsa', '-traditional', '-out', key, '2048'])
  await lab.supplicant.restart()
  await lab.switch.reset()
  const script = join(checkout(), 'test', 'bench', 'main-job', peer === 'naive' ? 'naive.sh' : 'best.sh')
  await settled()
  const since = addresses.end
  const text = await run('bash', [script], {
    netns: lab.site.spaces.name('sensor'),
    deadlineMs: 60_000,
    env: {
      FOLDER: folder,
      CA: lab.pki.root,
      SCEP_URL: lab.scep.urlByAddress,
      SCEP_HOST: hosts.scep,
      CHALLENGE: challenge,
      PEAP_USER: peapUser.identity,
      PEAP_PASSWORD: peapUser.password,
      NAME: `peer-${count}`,
      SUBNET: subnets.tested,
      ...(peer === 'best-warm-key' ? { KEY: key } : {}),
    },
  })
  const { started, stages } = JSON.parse(text) as Answer
  return { total: (await addresses.leased(since)) - started, stages }
}
