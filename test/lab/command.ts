import { spawn } from 'node:child_process'

/** What every process of the laboratory starts from: nothing of the test runner (its NODE_OPTIONS, its TAP_*) leaks in. */
export const cleanEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: process.env['HOME'] ?? '/root',
  LANG: 'C.UTF-8',
}

/** What deadlines are multiplied with: 1, and more in a virtual machine whose processor is emulated. */
export const slowness = Number(process.env['SONDE_LAB_SLOWNESS'] ?? 1)

export type CommandOptions = {
  /** Runs inside this network namespace, with the /sys that belongs to it. */
  netns?: string | undefined
  env?: Readonly<Record<string, string>> | undefined
  cwd?: string | undefined
  /** Written to standard input, which is then closed. */
  input?: string
  /** Kills the command and rejects; milliseconds. */
  deadlineMs?: number
}

/**
 * The command line that runs `command` inside a namespace and dies with this process, also when this process is killed
 * by SIGKILL: the kernel then sends SIGKILL (PR_SET_PDEATHSIG), which survives the execs of setpriv and ip.
 */
export function confined(command: string, args: readonly string[], netns?: string): [string, string[]] {
  const inside = netns === undefined ? [command, ...args] : ['ip', 'netns', 'exec', netns, command, ...args]
  return ['setpriv', ['--pdeathsig', 'KILL', ...inside]]
}

/** Runs a command to its end and returns what it wrote to standard output. Rejects on any exit code but 0, with its standard error. */
export async function run(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { netns, input = '', deadlineMs = 10_000, env, cwd } = options
  const [file, line] = confined(command, args, netns)
  const child = spawn(file, line, {
    env: { ...cleanEnvironment, ...env },
    cwd,
    timeout: deadlineMs * slowness,
    killSignal: 'SIGKILL',
  })
  let out = ''
  let errors = ''
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) resolve(out)
      const end = signal === null ? `exit code ${code}` : `${signal} (deadline ${deadlineMs} ms)`
      reject(new Error(`${command} ${args.join(' ')}: ${end}\n${errors || out}${input}`))
    })
  })
  if (child.pid === undefined) return ended // where files ran out it has no streams either
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  child.stdin.on('error', () => undefined) // a command that never reads its input is judged by its exit code
  child.stdin.end(input)
  return ended
}
