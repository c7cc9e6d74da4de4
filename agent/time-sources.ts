/** Where trust in the clock comes from: the system's own time daemons, and SNTP over a path (RFC 4330). */
import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { access } from 'node:fs/promises'
import { promisify } from 'node:util'
import { checkpoint } from './checkpoint.ts'
import type { Clock } from './clock.ts'
import type { Path } from './path/index.ts'
import { within } from './within.ts'

const run = promisify(execFile)

/** systemd-timesyncd touches a file when it has synchronised; chrony answers for itself. */
export async function isSystemClockSynchronised(signal: AbortSignal, folder = '/run'): Promise<boolean> {
  const there = async (path: string): Promise<boolean> =>
    access(path).then(
      () => true,
      () => false,
    )
  if (await there(`${folder}/systemd/timesync/synchronized`)) return true
  if (!(await there(`${folder}/chrony`))) return false
  try {
    const { stdout } = await run('chronyc', ['-c', 'tracking'], { signal, timeout: 2000 })
    // The last field is the leap status: on the day of a leap second it is another than `Normal`.
    return /,(Normal|Insert second|Delete second)$/.test(stdout.trim())
  } catch {
    return false
  }
}

/** Seconds between 1900 (NTP) and 1970. */
const ntpEpoch = 2_208_988_800

/**
 * One SNTP exchange with `server` (a literal address) over the path. Resolves with the offset of the system clock in
 * milliseconds; rejects when there is no usable answer within 2 s, or when packets would leave elsewhere.
 */
async function sntpOffset(path: Path, server: string, signal: AbortSignal): Promise<number> {
  await path.verify(server)
  using late = within(2000, signal, path.lost)
  const whole = late.signal
  const socket = createSocket({ type: 'udp4', signal: whole })
  try {
    const sent = await new Promise<number>((resolve, reject) => {
      const question = Buffer.alloc(48)
      question[0] = 0x23 // version 4, client
      socket.once('error', reject)
      socket.bind(0, path.address, () => {
        checkpoint(`ask ${server} for the time`)
        const at = Date.now()
        question.writeBigUInt64BE(BigInt(at), 40)
        socket.send(question, 123, server, error => {
          if (error) reject(error)
          else resolve(at)
        })
      })
    })
    const answer = await new Promise<Buffer>((resolve, reject) => {
      socket.once('error', reject)
      whole.addEventListener('abort', () => {
        reject(new Error(`no answer from time server ${server}`))
      })
      socket.on('message', (message, from) => {
        // The originate timestamp is our own: an answer to somebody else's question does not count.
        const ours = message.length >= 48 && message.readBigUInt64BE(24) === BigInt(sent)
        if (from.address === server && ours) resolve(message)
      })
    })
    return offsetOf(answer, sent, Date.now())
  } finally {
    socket.close()
  }
}

/** RFC 4330 section 5: half the difference of the two ways. */
export function offsetOf(answer: Buffer, sent: number, received: number): number {
  const [first = 0, stratum = 0] = answer
  const mode = first & 7
  const unsynchronised = first >> 6 === 3
  if (mode !== 4 || unsynchronised || stratum === 0 || stratum > 15)
    throw new Error('the time server is not synchronised')
  const at = (position: number): number =>
    (answer.readUInt32BE(position) - ntpEpoch) * 1000 + (answer.readUInt32BE(position + 4) * 1000) / 2 ** 32
  return (at(32) - sent + (at(40) - received)) / 2
}

/** Asks the time servers of the path, then those of the settings, until one answers. Resolves with whether one did. */
export async function synchronise(
  clock: Clock,
  path: Path,
  servers: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  for (const server of [...path.ntp, ...servers]) {
    try {
      clock.trust('sntp', await sntpOffset(path, server, signal))
      return true
    } catch {
      signal.throwIfAborted()
    }
  }
  return false
}
