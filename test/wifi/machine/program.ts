import { join } from 'node:path'
import { build } from 'esbuild'
import { checkout } from '../../lab/pki.ts'

/**
 * One file of a program and all it imports, which an emulated processor reads in a second. It lies in the checkout,
 * where the laboratory looks for its caches. `source` is relative to test/wifi.
 */
export async function bundle(source: string): Promise<string> {
  const name = source.replaceAll('/', '-').replace(/\.ts$/, '')
  const file = join(checkout(), 'node_modules/.cache/sonde-wifi', `${name}-${process.pid}.cjs`)
  await build({
    absWorkingDir: checkout(),
    entryPoints: [join('test/wifi', source)],
    outfile: file,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    sourcemap: 'inline',
    logLevel: 'warning',
    // Modules that look for their own place find the bundle's.
    define: { 'import.meta.url': 'ownUrl' },
    banner: { js: `const ownUrl = require('node:url').pathToFileURL(__filename).href` },
    // Optional extras of dbus-next for a display and for passing file descriptors.
    external: ['x11', 'usocket'],
  })
  return file
}
