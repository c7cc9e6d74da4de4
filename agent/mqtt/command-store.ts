/** The ids of commands with their replies, for seven days: one private file, replaced as a whole. */
import { join } from 'node:path'
import type { Reply } from '../desired/messages.ts'
import { privateFolder, readIfThere, writeDurable } from '../durable.ts'

export interface StoredCommand {
  id: string
  command: string
  /** Milliseconds since the epoch. */
  at: number
  /** The clock was right then: only such an entry grows old. */
  trusted: boolean
  /** Without one it was begun, and has no outcome yet. */
  reply?: Reply
}

const keptFor = 7 * 24 * 3_600_000
/** Ids are bounded by their number, too: one a minute for seven days. */
const mostKept = 10_000
/** Of so many the data of the reply is kept. */
const mostWhole = 100
/** Characters of a stored reply; what is larger (a support bundle) is answered once and not kept. */
const largestReply = 4096

export class CommandStore {
  readonly #path: string
  readonly #entries: Map<string, StoredCommand>
  #writing: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  static async open(directory: string): Promise<CommandStore> {
    await privateFolder(directory)
    const path = join(directory, 'commands.json')
    return new CommandStore(path, read((await readIfThere(path)) ?? ''))
  }

  private constructor(path: string, entries: StoredCommand[]) {
    this.#path = path
    this.#entries = new Map(entries.map(entry => [entry.id, entry]))
  }

  get(id: string): StoredCommand | undefined {
    return this.#entries.get(id)
  }

  /** As if it had never come; the file follows with the next change. */
  drop(id: string): void {
    this.#entries.delete(id)
  }

  unfinished(): StoredCommand[] {
    return [...this.#entries.values()].filter(({ reply }) => reply === undefined)
  }

  /** Resolves when it is on disk. Drops what is old by a clock that is right. */
  async put(entry: StoredCommand, { now, trusted }: { now: number; trusted: boolean }): Promise<void> {
    this.#entries.set(entry.id, shortened(entry))
    let newer = this.#entries.size
    for (const [id, old] of this.#entries) {
      const expired = trusted && old.trusted && now - old.at > keptFor
      if (id !== entry.id && (expired || this.#entries.size > mostKept)) this.#entries.delete(id)
      else if (newer === mostWhole + 1) this.#entries.set(id, shortened(old, 0))
      newer -= 1
    }
    // What comes while a write is under way shares the next one.
    this.#next ??= this.#write(this.#writing)
    this.#writing = this.#next
    await this.#writing
  }

  async #write(before: Promise<void>): Promise<void> {
    await before.catch(() => undefined)
    this.#next = undefined
    await writeDurable(this.#path, JSON.stringify({ format: 1, commands: [...this.#entries.values()] }))
  }
}

function shortened(entry: StoredCommand, most = largestReply): StoredCommand {
  const { reply } = entry
  if (reply?.data === undefined || JSON.stringify(reply.data).length <= most) return entry
  const { data: _, ...rest } = reply
  return { ...entry, reply: { ...rest, text: `${reply.text} (its data was sent once and is not kept)` } }
}

function read(text: string): StoredCommand[] {
  try {
    const { format, commands } = JSON.parse(text) as { format?: number; commands?: StoredCommand[] }
    return format === 1 && Array.isArray(commands) ? commands : []
  } catch {
    return []
  }
}
