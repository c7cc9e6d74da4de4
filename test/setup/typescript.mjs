/**
 * `node --import ./test/setup/typescript.mjs FILE.ts` runs TypeScript without building it. Only types are
 * removed, file by file, so `import.meta.url` and stack traces point to the source. What was made of a file is kept under
 * node_modules/.cache by its content, because every test is a process of its own.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { register } from 'node:module'
import { fileURLToPath } from 'node:url'
import { isMainThread } from 'node:worker_threads'

if (isMainThread) register(import.meta.url)

const options = { loader: 'ts', format: 'esm', target: 'node20', sourcemap: 'inline', sourcesContent: false }
const { version } = JSON.parse(
  readFileSync(new URL('../../node_modules/esbuild/package.json', import.meta.url), 'utf8'),
)
const cache = new URL('../../node_modules/.cache/typescript/', import.meta.url)
mkdirSync(cache, { recursive: true })

/** JavaScript of the file; the path is part of it, in its source map. */
const compiled = async path => {
  const source = await readFile(path, 'utf8')
  const key = createHash('sha256')
    .update(JSON.stringify([version, options, path, source]))
    .digest('hex')
  const kept = new URL(`${key}.mjs`, cache)
  const there = await readFile(kept, 'utf8').catch(() => undefined)
  if (there !== undefined) return there
  const { transform } = await import('esbuild')
  const { code } = await transform(source, { ...options, sourcefile: path })
  const draft = new URL(`${key}.${process.pid}`, cache)
  await writeFile(draft, code)
  await rename(draft, kept)
  return code
}

/**
 * Node's hooks; they run in a thread of their own. Our own imports name the file, so there is nothing to look for on the disk.
 */
export const resolve = (specifier, context, next) =>
  specifier.startsWith('.') && specifier.endsWith('.ts') && context.parentURL !== undefined
    ? { url: new URL(specifier, context.parentURL).href, format: 'module', shortCircuit: true }
    : next(specifier, context)

export const load = async (url, context, next) => {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context)
  return { format: 'module', source: await compiled(fileURLToPath(url)), shortCircuit: true }
}
