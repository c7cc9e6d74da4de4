/** A command that cannot be done, said in words; the exit code says which kind. 130: Ctrl-C, as shells have it. */
export const exitCodes = { done: 0, failed: 1, usage: 2, unreachable: 3, interrupted: 130 } as const

export class Failure extends Error {
  readonly exit: number
  /** What to do about it. */
  readonly hint: string | undefined
  constructor(message: string, options: { hint?: string; exit?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'Failure'
    this.exit = options.exit ?? exitCodes.failed
    this.hint = options.hint
  }
}

export const interrupted = (): Failure => new Failure('interrupted', { exit: exitCodes.interrupted })

/** A file that was named and cannot be read, with why. */
export function unreadable(path: string, cause: unknown, exit: number = exitCodes.failed): Failure {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const why = { ENOENT: 'there is none', EACCES: 'permission denied', EISDIR: 'it is a folder' }[code] ?? code
  return new Failure(`${path} cannot be read: ${why}`, { cause, exit })
}

export const usage = (message: string, hint?: string): Failure =>
  new Failure(message, { exit: exitCodes.usage, ...(hint !== undefined && { hint }) })
