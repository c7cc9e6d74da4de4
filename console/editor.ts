/** A document in the person's own editor, again until it can be used or is given up. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Failure } from './failure.ts'
import { wantsMore, type Io } from './io.ts'

type Document = Record<string, unknown>

/**
 * Opens `start` in $VISUAL, $EDITOR or vi. `check` throws a Failure for what cannot be used: where a person is there to ask, the
 * editor opens again with what was written; else the Failure is the outcome, and nothing was changed.
 * In a private folder, because the document may hold the challenge password.
 */
export async function edited(
  start: Document,
  io: Io,
  check: (document: Document) => void,
): Promise<Document> {
  const editor = io.environment['VISUAL'] ?? io.environment['EDITOR'] ?? 'vi'
  const folder = await mkdtemp(join(tmpdir(), 'sonde-'))
  const file = join(folder, 'network.json')
  const before = `${JSON.stringify(start, null, 2)}\n`
  try {
    await writeFile(file, before, { mode: 0o600 })
    for (;;) {
      await open(editor, file)
      const after = await readFile(file, 'utf8')
      if (after === before) throw new Failure('nothing was changed, so nothing is published')
      const found = read(after, check)
      if (!(found instanceof Failure)) return found
      if (io.ask === undefined) throw found
      io.err(`${found.message}\n`)
      if (!(await wantsMore(io))) throw found
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function read(content: string, check: (document: Document) => void): Document | Failure {
  try {
    const document = parsed('what was written', content)
    check(document)
    return document
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
}

/** @param what the words for a document that is none */
export function parsed(what: string, content: string): Document {
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch (cause) {
    const why = cause instanceof Error && /position|line/.test(cause.message) ? placeOf(content, cause) : ''
    throw new Failure(`${what} is not JSON${why}`, { cause })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Document
  throw new Failure(`${what} is JSON, but no object`)
}

/** The line of a syntax error: its own message would quote the document, which may hold a secret. */
function placeOf(content: string, { message }: Error): string {
  const position = /position (\d+)/.exec(message)?.[1]
  return position === undefined
    ? ''
    : `: line ${String(content.slice(0, Number(position)).split('\n').length)}`
}

/** As git does it: $EDITOR is a command line of the shell. */
async function open(editor: string, file: string): Promise<void> {
  using _ = deaf()
  const child = spawn('sh', ['-c', `trap : INT; ${editor} "$1"`, 'sh', file], { stdio: 'inherit' })
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('exit', resolve),
  )
  if (code === 0) return
  const hint = code === 127 ? 'set VISUAL or EDITOR to an editor that is installed' : undefined
  const said = `${editor} ended with ${String(code)}; nothing is published`
  throw new Failure(said, hint === undefined ? {} : { hint })
}

/** Ctrl-C in an editor is for the editor, and reaches everybody in the terminal. */
function deaf(): Disposable {
  const others = process.listeners('SIGINT')
  const nothing = (): void => undefined
  process.removeAllListeners('SIGINT').on('SIGINT', nothing)
  return {
    [Symbol.dispose]: () => {
      for (const listener of others) process.on('SIGINT', listener)
      process.off('SIGINT', nothing)
    },
  }
}
