import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { canTellWhatWasSent, hasSent } from './discover-hold.ts'
import { parseRecord, requestedOptions, script, scriptNames, splitRecords, type DhcpEvent } from './lease.ts'

export interface UdhcpcOptions {
  /** Sent as option 12. */
  hostname?: string
  /** Option 61, hexadecimal with its type octet; without it the client sends 01 and the MAC address. */
  clientId?: string
  /** Address to ask for again (option 50). */
  address?: string
}

export interface UdhcpcListener {
  event: (event: DhcpEvent) => void
  /** One line of the client's log, e.g. `broadcasting discover`. */
  progress: (line: string) => void
  /** The process has ended; `detail` holds its last line. */
  exit: (detail: string) => void
}

/** A running `udhcpc -f` on one interface, held before its first DISCOVER until `free` is called. */
export interface Udhcpc {
  /** Takes it from where it does nothing yet to the moment before the DISCOVER: its sockets are open then, which takes 30 ms. */
  arm: () => void
  /** Lets the first DISCOVER go; once free it has no effect. False when that has left before: then another client has to ask. */
  free: () => boolean
  /** SIGUSR1 asks at once (again, or for a renewal), SIGUSR2 gives the lease back. */
  signal: (signal: 'SIGUSR1' | 'SIGUSR2') => void
  /** Ends the process and waits for its end. */
  stop: () => Promise<void>
}

let scriptFolder: Promise<string> | undefined

/** The folder of the scripts, which are written once; what a full disk kept from being written is tried again by the next client. */
function scripts(): Promise<string> {
  const writing = (scriptFolder ??= writeScripts())
  writing.catch(() => {
    if (scriptFolder === writing) scriptFolder = undefined
  })
  return writing
}

/**
 * Writes the script under the name of every event: the client runs `/bin/sh <event>` in that folder. So the files need
 * no execute permission, which a /run mounted noexec would not grant.
 */
async function writeScripts(): Promise<string> {
  const folder = await mkdtemp(
    join(process.env['RUNTIME_DIRECTORY']?.split(':')[0] ?? tmpdir(), 'sonde-dhcp-'),
  )
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await Promise.all(scriptNames.map(name => writeFile(join(folder, name), script, { mode: 0o600 })))
  } catch (error) {
    remove()
    throw error
  }
  process.once('exit', remove)
  return folder
}

/** -T 1 -t 0: the same DISCOVER once a second for ever, so that a late offer still counts; the deadline is ours. */
function clientArguments(device: string, { hostname, clientId, address }: UdhcpcOptions): string[] {
  const list = ['udhcpc', '-f', '-i', device, '-s', '/bin/sh', '-T', '1', '-t', '0', '-A', '1', '-o']
  for (const option of requestedOptions) list.push('-O', option)
  if (hostname !== undefined) list.push('-x', `hostname:${hostname}`)
  if (clientId !== undefined) list.push('-x', `0x3d:${clientId}`)
  if (address !== undefined) list.push('-r', address)
  return list
}

/** Starts the client, which dies with us: a killed agent leaves none behind, not even one that is stopped. */
export async function startUdhcpc(
  device: string,
  options: UdhcpcOptions,
  listener: UdhcpcListener,
): Promise<Udhcpc> {
  const cwd = await scripts()
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...clientArguments(device, options)], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin' },
  })
  child.stdin.on('error', () => undefined)
  /** In its script at first; `armed` until its log says that the DISCOVER comes, which stops it. */
  let held: 'script' | 'armed' | 'stopped' | 'free' = 'script'
  const ended = watch(child, {
    ...listener,
    progress: line => {
      if (held === 'armed' && isDiscover(line)) {
        child.kill('SIGSTOP')
        held = 'stopped'
      }
      listener.progress(line)
    },
  })
  return {
    arm: () => {
      if (held !== 'script' || !canTellWhatWasSent()) return
      held = 'armed'
      child.stdin.end()
    },
    free: () => {
      const late = held === 'stopped' && hasSent(child.pid ?? 0)
      if (held === 'stopped' && !late) child.kill('SIGCONT')
      if (!late) held = 'free'
      child.stdin.end()
      return !late
    },
    signal: signal => {
      child.kill(signal)
    },
    stop: async () => {
      // Held in its script the client would send a DISCOVER before it looks at a SIGTERM, and stopped it would not look at all.
      child.kill(held === 'free' ? 'SIGTERM' : 'SIGKILL')
      child.stdin.end()
      const force = setTimeout(() => child.kill('SIGKILL'), 500)
      await ended
      clearTimeout(force)
    },
  }
}

/** The line that announces a DISCOVER, e.g. `udhcpc: broadcasting discover`. */
export const isDiscover = (line: string): boolean => /\bdiscover\b/.test(line)

function watch(child: ChildProcess, listener: UdhcpcListener): Promise<void> {
  let records = ''
  let log = ''
  let last = ''
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    const split = splitRecords(records + chunk)
    records = split.rest
    for (const record of split.records) {
      const event = parseRecord(record, new Date())
      if (event !== undefined) listener.event(event)
    }
  })
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (log + chunk).split('\n')
    log = lines.pop() ?? ''
    for (const line of lines) {
      last = line
      listener.progress(line)
    }
  })
  return new Promise(resolve => {
    const finish = (detail: string): void => {
      listener.exit(detail)
      resolve()
    }
    child.once('error', error => {
      finish(error.message)
    })
    child.once('close', (code, signal) => {
      finish(`${last || 'no output'} (${code === null ? (signal ?? 'killed') : `exit code ${code}`})`)
    })
  })
}
