import { readFile } from 'node:fs/promises'
import { PathError } from './errors.ts'

/** Where the kernel tells about interfaces. */
const folder = (device: string): string => `/sys/class/net/${device}`

const number = async (path: string): Promise<number | undefined> => {
  try {
    return Number(await readFile(path, 'utf8'))
  } catch {
    return undefined
  }
}

/** The kernel's index of the interface; a PathError `no-interface` when it does not exist. */
export async function interfaceIndex(device: string): Promise<number> {
  const index = await number(`${folder(device)}/ifindex`)
  if (index === undefined) throw new PathError('no-interface', `there is no interface ${device}`)
  return index
}

/** Whether the wire (or the radio's association) is there; false also while the interface is down. */
export const hasCarrier = async (device: string): Promise<boolean> =>
  (await number(`${folder(device)}/carrier`)) === 1

/**
 * Frames received so far that were not multicast. A switch sends its own multicast (spanning tree, LLDP, EAPOL)
 * through a locked port too; where the driver does not count multicast, all frames count.
 */
export async function receivedFrames(device: string): Promise<number> {
  const [all, multicast] = await Promise.all([
    number(`${folder(device)}/statistics/rx_packets`),
    number(`${folder(device)}/statistics/multicast`),
  ])
  return (all ?? 0) - (multicast ?? 0)
}
