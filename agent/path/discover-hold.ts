/**
 * Whether a DHCP client that was stopped at the line `broadcasting discover` of its log has sent that DISCOVER yet. Between the two lies
 * the bind of a packet socket, which waits for the kernel some 15 ms (packet_do_bind: synchronize_net): long enough for SIGSTOP to
 * come in time, but not certain. So the system call in which it stands is looked at, see proc(5), /proc/PID/syscall.
 */
import { readFileSync } from 'node:fs'

/** write, writev, socket, bind, setsockopt: what comes before sendto, by architecture. */
const beforeSending: Partial<Record<NodeJS.Architecture, readonly number[]>> = {
  x64: [1, 20, 41, 49, 54],
  arm64: [64, 66, 198, 200, 208],
  arm: [4, 146, 281, 282, 294],
}

let canTell = beforeSending[process.arch] !== undefined

/** False on another architecture, and where the kernel was found not to tell: then no client is stopped. */
export const canTellWhatWasSent = (): boolean => canTell

/** Doubt counts as sent. */
export function hasSent(pid: number): boolean {
  try {
    const call = Number(readFileSync(`/proc/${String(pid)}/syscall`, 'utf8').split(' ')[0])
    return beforeSending[process.arch]?.includes(call) !== true
  } catch {
    canTell = false
    return true
  }
}
