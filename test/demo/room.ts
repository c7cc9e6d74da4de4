/** Room on the disk for what the laboratory and the agent write: without it the sensor cannot even say so by an event. */
import { statfs } from 'node:fs/promises'

/** Bytes; no file of either is larger. */
const least = 128 * 1024

export async function isFull(folder: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize < least
}

/** Calls `full` when there was no room at two looks: what fails by itself has said so by then. */
export function watchRoom(folder: string, full: (error: Error) => void, everyMs = 1_000): Disposable {
  let looks = 0
  const look = async (): Promise<void> => {
    looks = (await isFull(folder)) ? looks + 1 : 0
    if (looks > 1) full(new Error(`ENOSPC: no space left where ${folder} is`))
  }
  const timer = setInterval(() => void look().catch(() => undefined), everyMs)
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer)
    },
  }
}
