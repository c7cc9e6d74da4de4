/**
 * dist/sonde.cjs: starts the agent's bundle beside it. V8's code cache of a run before saves half of the start and much of what
 * happens for the first time afterwards, which on a sensor is the enrolment. Without a cache everything works as well.
 */
import { createHash } from 'node:crypto'
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Script } from 'node:vm'

// esbuild leaves the folder of the bundle to Node's CommonJS loader.
declare const __dirname: string

const bundle = join(__dirname, 'agent.cjs')
/** Private to the agent's user (systemd: CacheDirectory=): what is in it is run. */
const folder = process.env['CACHE_DIRECTORY']
const digestBytes = 32

/** V8 itself refuses the cache of another version or of other flags; it looks neither at damage nor, closely, at the source. */
function digest(data: Uint8Array): Buffer {
  const { size, mtimeMs } = statSync(bundle)
  return createHash('sha256')
    .update(`${String(size)} ${String(mtimeMs)} `)
    .update(data)
    .digest()
}

function readCache(file: string): Buffer | undefined {
  try {
    const content = readFileSync(file)
    const data = content.subarray(digestBytes)
    return digest(data).equals(content.subarray(0, digestBytes)) ? data : undefined
  } catch {
    return undefined
  }
}

/** A disk that is full or read-only costs the next start some time, nothing else. */
function writeCache(file: string, data: Buffer): void {
  const draft = `${file}.${String(process.pid)}`
  try {
    writeFileSync(draft, Buffer.concat([digest(data), data]), { mode: 0o600 })
    renameSync(draft, file)
  } catch {
    rmSync(draft, { force: true })
  }
}

function start(): void {
  const file = folder !== undefined && process.argv[2] === 'run' ? join(folder, 'code-cache') : undefined
  const cachedData = file === undefined ? undefined : readCache(file)
  const wrapped = `(function (exports, require, module, __filename, __dirname) {${readFileSync(bundle, 'utf8')}\n})`
  const script = new Script(wrapped, { filename: bundle, ...(cachedData && { cachedData }) })
  // At the end of a run, when every function that the agent needs has been compiled, and nobody waits any more.
  if (file !== undefined && (cachedData === undefined || script.cachedDataRejected === true))
    process.once('exit', code => {
      if (code === 0) writeCache(file, script.createCachedData())
    })
  const module = { exports: {} }
  const run = script.runInThisContext() as (...parts: unknown[]) => void
  run(module.exports, createRequire(bundle), module, bundle, __dirname)
}

start()
