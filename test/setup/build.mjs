/**
 * dist/agent.cjs: the agent as one file, which starts in half the time and memory of the same modules unbundled; sonde.cjs
 * starts it. systeminformation, a third of it all and used once, is a file beside it, read only when asked for.
 * Not minified: a stack trace from a sensor can be read as it is. Files appear whole or not at all.
 */
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const top = fileURLToPath(new URL('../..', import.meta.url))

/**
 * What our packages carry for uses we do not make: MQTT over WebSocket and through SOCKS, D-Bus introspection.
 * Without them the agent holds 3 MB less. dbus-next makes its XML parser and builder for every bus, hence the
 * classes; whoever calls into one gets a TypeError.
 */
const unused = ['ws', 'socks', 'fast-xml-parser', 'fast-xml-builder']

const leaveOut = {
  name: 'leave-out',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: new RegExp(`^(${unused.join('|')})$`) }, ({ path }) => ({
      path,
      namespace: 'unused',
    }))
    onLoad({ filter: /./, namespace: 'unused' }, () => ({
      contents: 'module.exports = class {}; module.exports.XMLParser = class {}',
    }))
  },
}

const bundle = async (entry, options) => {
  const { outputFiles } = await build({
    absWorkingDir: top,
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    legalComments: 'none',
    logLevel: 'warning',
    write: false,
    ...options,
  })
  for (const { path, contents } of outputFiles) {
    const draft = `${path}.${process.pid}`
    await writeFile(draft, contents)
    await rename(draft, path)
    process.stdout.write(`dist/${basename(path)} ${Math.round(contents.length / 1024)} KB\n`)
  }
}

const all = async () => {
  await mkdir(new URL('../../dist', import.meta.url), { recursive: true })
  await bundle('agent/main.ts', {
    outfile: 'dist/agent.cjs',
    sourcemap: 'external',
    alias: { systeminformation: './systeminformation.cjs' },
    plugins: [leaveOut],
    // x11 and usocket are optional extras of dbus-next for a display and for passing file descriptors.
    external: ['./systeminformation.cjs', 'x11', 'usocket'],
    // From V8's code cache a function cannot import.
    supported: { 'dynamic-import': false },
  })
  await bundle('agent/start.ts', { outfile: 'dist/sonde.cjs', banner: { js: '#!/usr/bin/env node' } })
  await chmod(new URL('../../dist/sonde.cjs', import.meta.url), 0o755)
  await bundle('systeminformation', { outfile: 'dist/systeminformation.cjs' })
}

await all().catch(error => {
  // What esbuild has to say it has said itself.
  if (!error.errors) process.stderr.write(`${error.stack}\n`)
  process.exitCode = 1
})
