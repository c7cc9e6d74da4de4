import { createRequire } from 'node:module'
import type TS from 'typescript'

/** The compiler. `import` would read its nine megabytes twice before it runs them, for the names of what it exports: a third of a second. */
export const ts = createRequire(import.meta.url)('typescript') as typeof TS
