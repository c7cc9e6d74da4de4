/**
 * `node --import ./test/setup/typescript.mjs FILE.ts` runs TypeScript without building it. Only types are
 * removed, file by file, so `import.meta.url` and stack traces point to the source.
 */
import { readFile } from 'node:fs/promises'
import { register } from 'node:module'
import { fileURLToPath } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { transform } from 'esbuild'

if (isMainThread) register(import.meta.url)

/** Node's loader hook; it runs in a thread of its own. */
export const load = async (url, context, next) => {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context)
  const sourcefile = fileURLToPath(url)
  const { code } = await transform(await readFile(sourcefile, 'utf8'), {
    sourcefile,
    loader: 'ts',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
  })
  return { format: 'module', source: code, shortCircuit: true }
}
