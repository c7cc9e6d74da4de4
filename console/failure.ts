/** A command that cannot be done, said in words; the exit code says which kind. */
export const exitCodes = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const

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

export const usage = (message: string, hint?: string): Failure =>
  new Failure(message, { exit: exitCodes.usage, ...(hint !== undefined && { hint }) })
