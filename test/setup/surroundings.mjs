/** What a laboratory needs of the machine it is raised on, beside packages. Imports node:* only. */
import { accessSync, constants, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'

const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** A shell opened by `su` has no sbin folders, where half of the daemons live. An empty entry would be the present folder. */
export const searchPath = (path = '') =>
  [...new Set([...path.split(':').filter(Boolean), ...folders])].join(':')

/** The name of a socket has 107 letters at most, of which a laboratory takes up to 57; FreeRADIUS reads no blanks. */
const fits = folder => folder.length <= 50 && /^[\w/.-]+$/.test(folder)

/** Where temporary files go: as the person wants it, if daemons can live there. */
export const temporaryFolder = (wanted = tmpdir()) => {
  const folder = resolve(wanted)
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    return fits(folder) ? folder : '/tmp'
  } catch {
    return '/tmp'
  }
}

/** By their numbers in the masks of proc_pid_status(5). */
const capabilities = { CAP_NET_ADMIN: 12n, CAP_SYS_ADMIN: 21n }

/** What root may not do here, although network namespaces take it; undefined when nothing is in the way. */
export const forbidden = (
  status = readFileSync('/proc/self/status', 'utf8'),
  sysctl = '/proc/sys/net/ipv4/ip_forward',
) => {
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  const missing = Object.keys(capabilities).filter(name => ((mask >> capabilities[name]) & 1n) === 0n)
  if (missing.length > 0) return `root has no ${missing.join(' and no ')}`
  try {
    accessSync(sysctl, constants.W_OK)
    return undefined
  } catch (error) {
    return `root may not write to /proc/sys (${error.code})`
  }
}
