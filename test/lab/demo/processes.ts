/** What the machine runs, read from /proc: to see that a program has left nothing behind. */
import { readFile, readdir, readlink, stat } from 'node:fs/promises'

/** One process; `start` tells it from a later one of the same number (proc_pid_stat(5), field 22). */
export interface Process {
  pid: number
  parent: number
  start: string
}

async function look(pid: number): Promise<Process | undefined> {
  const text = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => '')
  // Only the name of the command can hold a parenthesis.
  const [state, parent, ...rest] = text.replace(/^.*\) /s, '').split(' ')
  if (state === undefined || parent === undefined || state === 'Z' || state === 'X' || text === '')
    return undefined
  return { pid, parent: Number(parent), start: rest[17] ?? '' }
}

/** Every process that runs; zombies do not. */
export async function processes(): Promise<Process[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name)).map(Number)
  return (await Promise.all(pids.map(look))).filter(one => one !== undefined)
}

/** `root` and all that descend from it. */
export async function family(root: number): Promise<Process[]> {
  const all = await processes()
  const members = new Set([root])
  for (let size = 0; size < members.size;) {
    size = members.size
    for (const { pid, parent } of all) if (members.has(parent)) members.add(pid)
  }
  return all.filter(({ pid }) => members.has(pid))
}

/** Inodes of named network namespaces. */
export async function namespaces(prefix: string): Promise<Map<string, number>> {
  const names = (await readdir('/run/netns').catch(() => [])).filter(name => name.startsWith(prefix))
  return new Map(
    await Promise.all(names.map(async name => [name, (await stat(`/run/netns/${name}`)).ino] as const)),
  )
}

/** Processes that are in one of these namespaces, or have one of these words in their command line, environment or working directory. */
export async function belonging(inodes: ReadonlySet<number>, words: readonly string[]): Promise<string[]> {
  const read = async ({ pid }: Process): Promise<string[]> => {
    const at = `/proc/${String(pid)}`
    const texts = await Promise.all([
      readFile(`${at}/cmdline`, 'latin1').catch(() => ''),
      readFile(`${at}/environ`, 'latin1').catch(() => ''),
      readlink(`${at}/cwd`).catch(() => ''),
    ])
    const space = /net:\[(\d+)\]/.exec(await readlink(`${at}/ns/net`).catch(() => ''))?.[1]
    const belongs = inodes.has(Number(space)) || words.some(word => texts.some(text => text.includes(word)))
    return belongs ? [`process ${String(pid)}: ${texts[0].replaceAll('\0', ' ')}`] : []
  }
  return (await Promise.all((await processes()).map(read))).flat()
}
